#include "CCurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef void CURL;
struct curl_slist;

// Numbers from curl/curl.h. They belong to a stable ABI, so the build needs no header.
enum {
    option_write_data = 10001,
    option_url = 10002,
    option_ca_file = 10065,
    option_http_version = 84,
    option_proxy = 10004,
    option_no_proxy = 10177,
    option_proxy_tunnel = 61,
    option_connect_only = 141,
    option_post_fields = 10015,
    option_user_agent = 10018,
    option_header = 10023,
    option_custom_request = 10036,
    option_no_body = 44,
    option_post = 47,
    option_follow = 52,
    option_verify_peer = 64,
    option_get = 80,
    option_verify_host = 81,
    option_no_signal = 99,
    option_timeout = 155,
    option_keep_alive = 213,
    option_keep_alive_idle = 214,
    option_keep_alive_interval = 215,
    option_connect_timeout = 156,
    option_protocols = 181,
    option_write_function = 20011,
    option_post_size = 30120,
};
enum { http_1_1 = 2 };
enum { protocol_http = 1, protocol_https = 2 };
enum {
    info_response_code = 0x200000 + 2,
    info_redirection = 0x100000 + 31,
    info_socket = 0x500000 + 44,
    info_proxy_status = 0x200000 + 22,
    info_connect_time = 0x300000 + 5,
};
enum { global_all = 3 };
enum {
    failure_resolve_proxy = 5,
    failure_resolve = 6,
    failure_connect = 7,
    failure_write = 23,
    failure_timeout = 28,
    failure_memory = 27,
    failure_tls = 35,
    failure_empty = 52,
    failure_send = 55,
    failure_receive = 56,
    failure_again = 81,
};

static struct {
    int (*global_init)(long);
    CURL *(*init)(void);
    int (*set)(CURL *, int, ...);
    int (*perform)(CURL *);
    int (*info)(CURL *, int, ...);
    void (*cleanup)(CURL *);
    const char *(*reason)(int);
    struct curl_slist *(*append)(struct curl_slist *, const char *);
    void (*free_list)(struct curl_slist *);
    char *(*version)(void);
    int (*send)(CURL *, const void *, size_t, size_t *);
    int (*receive)(CURL *, void *, size_t, size_t *);
} functions;
static bool is_loaded;
static char version[32];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/// Keeps the version from a text such as `libcurl/7.88.1 OpenSSL/3.0.17 …`.
static void note_version(void) {
    const char *text = functions.version();
    const char *slash = strchr(text, '/');
    if (!slash) return;
    size_t length = strcspn(slash + 1, " ");
    if (length >= sizeof version) length = sizeof version - 1;
    memcpy(version, slash + 1, length);
}

static void load(void) {
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library) library = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    const struct {
        void **place;
        const char *name;
    } wanted[] = {
        {(void **)&functions.global_init, "curl_global_init"},
        {(void **)&functions.init, "curl_easy_init"},
        {(void **)&functions.set, "curl_easy_setopt"},
        {(void **)&functions.perform, "curl_easy_perform"},
        {(void **)&functions.info, "curl_easy_getinfo"},
        {(void **)&functions.cleanup, "curl_easy_cleanup"},
        {(void **)&functions.reason, "curl_easy_strerror"},
        {(void **)&functions.append, "curl_slist_append"},
        {(void **)&functions.free_list, "curl_slist_free_all"},
        {(void **)&functions.version, "curl_version"},
        {(void **)&functions.send, "curl_easy_send"},
        {(void **)&functions.receive, "curl_easy_recv"},
    };
    for (size_t index = 0; index < sizeof wanted / sizeof wanted[0]; index++) {
        void *symbol = dlsym(library, wanted[index].name);
        if (!symbol) return;
        *wanted[index].place = symbol;
    }
    if (functions.global_init(global_all) != 0) return;
    note_version();
    is_loaded = true;
}

bool holdfast_curl_load(void) {
    pthread_once(&once, load);
    return is_loaded;
}

const char *holdfast_curl_version(void) { return holdfast_curl_load() ? version : NULL; }

const char *holdfast_curl_reason(int failure) { return functions.reason(failure); }

holdfast_passing holdfast_curl_passing(int failure) {
    switch (failure) {
    case failure_resolve_proxy:
    case failure_resolve:
    case failure_connect:
    case failure_tls: return holdfast_passing_where_known;
    case failure_timeout:
    case failure_empty:
    case failure_send:
    case failure_receive: return holdfast_passing_always;
    default: return holdfast_passing_never;
    }
}

struct sink {
    char *bytes;
    size_t capacity, length;
    bool is_cut;
};

/// Keeps a part of the answer. Taking less than was offered ends the transfer.
static size_t take(char *bytes, size_t size, size_t count, void *context) {
    struct sink *sink = context;
    size_t offered = size * count, room = sink->capacity - sink->length;
    size_t taken = offered < room ? offered : room;
    memcpy(sink->bytes + sink->length, bytes, taken);
    sink->length += taken;
    if (taken < offered) sink->is_cut = true;
    return taken;
}

/// An option with a number.
struct number {
    int option;
    long value;
};

static int set_numbers(CURL *curl, const struct number *numbers, size_t count) {
    int failure = 0;
    for (size_t index = 0; !failure && index < count; index++) {
        failure = functions.set(curl, numbers[index].option, numbers[index].value);
    }
    return failure;
}

/// An option with a pointer.
struct pointer {
    int option;
    const void *value;
};

static int set_pointers(CURL *curl, const struct pointer *pointers, size_t count) {
    int failure = 0;
    for (size_t index = 0; !failure && index < count; index++) {
        failure = functions.set(curl, pointers[index].option, pointers[index].value);
    }
    return failure;
}

/// Sets the options of all requests: certificates are always verified, and no signal is used.
static int set_common(CURL *curl, const char *url, long connect_milliseconds, long milliseconds) {
    const struct number numbers[] = {
        {option_no_signal, 1},
        {option_protocols, protocol_http | protocol_https},
        {option_follow, 0},
        {option_verify_peer, 1},
        {option_verify_host, 2},
        {option_connect_timeout, connect_milliseconds},
        {option_timeout, milliseconds},
    };
    int failure = set_numbers(curl, numbers, sizeof numbers / sizeof numbers[0]);
    return failure ? failure : functions.set(curl, option_url, url);
}

static int set_method(CURL *curl, const holdfast_http_request *request) {
    int failure = 0;
    if (request->body) {
        failure = functions.set(curl, option_post, 1L);
        if (!failure) failure = functions.set(curl, option_post_size, (long long)request->body_length);
        if (!failure) failure = functions.set(curl, option_post_fields, request->body);
        if (!failure && strcmp(request->method, "POST") != 0) {
            failure = functions.set(curl, option_custom_request, request->method);
        }
        return failure;
    }
    if (strcmp(request->method, "HEAD") == 0) return functions.set(curl, option_no_body, 1L);
    failure = functions.set(curl, option_get, 1L);
    if (!failure && strcmp(request->method, "GET") != 0) {
        failure = functions.set(curl, option_custom_request, request->method);
    }
    return failure;
}

static int prepare(CURL *curl, const holdfast_http_request *request, struct curl_slist *headers, struct sink *sink) {
    int failure = set_common(curl, request->url, request->connect_milliseconds, request->milliseconds);
    const struct pointer pointers[] = {
        {option_user_agent, request->user_agent},
        {option_header, headers},
        {option_write_data, sink},
        {option_write_function, (const void *)take},
    };
    if (!failure) failure = set_pointers(curl, pointers, sizeof pointers / sizeof pointers[0]);
    // An empty text means no proxy, whatever the variables of the environment name.
    if (!failure && request->is_direct) failure = functions.set(curl, option_proxy, "");
    if (failure) return failure;
    return set_method(curl, request);
}

/// Copies the redirection of an answer; leaves the buffer as it is if the redirection would be cut.
static void note_redirection(CURL *curl, char *redirection, size_t capacity) {
    const char *found = NULL;
    if (functions.info(curl, info_redirection, &found) != 0 || !found) return;
    size_t length = strlen(found);
    if (length < capacity) memcpy(redirection, found, length + 1);
}

holdfast_http_result holdfast_http_perform(
    const holdfast_http_request *request, void *response, size_t capacity, char *redirection,
    size_t redirection_capacity) {
    holdfast_http_result result = {.failure = failure_memory};
    struct sink sink = {.bytes = response, .capacity = capacity};
    struct curl_slist *headers = NULL;
    CURL *curl = functions.init();
    if (!curl) return result;
    for (const char *const *header = request->headers; *header; header++) {
        struct curl_slist *longer = functions.append(headers, *header);
        if (!longer) goto end;
        headers = longer;
    }
    result.failure = prepare(curl, request, headers, &sink);
    if (!result.failure) result.failure = functions.perform(curl);
    // The sink ended the transfer because it was full. That is no failure.
    if (result.failure == failure_write && sink.is_cut) result.failure = 0;
    functions.info(curl, info_response_code, &result.status);
    double connect_seconds = 0;
    functions.info(curl, info_connect_time, &connect_seconds);
    result.was_connected = connect_seconds > 0;
    if (redirection_capacity > 0) redirection[0] = 0;
    note_redirection(curl, redirection, redirection_capacity);
    result.length = sink.length;
    result.is_cut = sink.is_cut;
end:
    functions.cleanup(curl);
    functions.free_list(headers);
    return result;
}

struct holdfast_connection {
    CURL *curl;
    int socket;
};

static int connect_to(CURL *curl, const holdfast_connection_request *request, int *file) {
    int failure = set_common(curl, request->url, request->milliseconds, request->milliseconds);
    const struct number numbers[] = {
        {option_http_version, http_1_1},
        {option_connect_only, 1},
        // Through a tunnel, a proxy sees the server of a request, but not the request.
        {option_proxy_tunnel, 1},
        // A router that has forgotten a connection sends no notice of it.
        {option_keep_alive, 1},
        {option_keep_alive_idle, 30},
        {option_keep_alive_interval, 15},
    };
    if (!failure) failure = set_numbers(curl, numbers, sizeof numbers / sizeof numbers[0]);
    const struct pointer pointers[] = {
        // An empty text means no proxy, whatever the variables of the environment name.
        {option_proxy, request->proxy ? request->proxy : ""},
        {option_no_proxy, request->no_proxy ? request->no_proxy : ""},
        {option_ca_file, request->ca_file},
    };
    // Without a file of certificates, the system's are trusted.
    size_t count = sizeof pointers / sizeof pointers[0] - (request->ca_file ? 0 : 1);
    if (!failure) failure = set_pointers(curl, pointers, count);
    if (!failure) failure = functions.perform(curl);
    if (!failure) failure = functions.info(curl, info_socket, file);
    return failure;
}

holdfast_connection *holdfast_connection_open(
    const holdfast_connection_request *request, int *failure, long *proxy_status) {
    *failure = failure_memory;
    *proxy_status = 0;
    holdfast_connection *connection = malloc(sizeof *connection);
    CURL *curl = connection ? functions.init() : NULL;
    if (!curl) {
        free(connection);
        return NULL;
    }
    connection->curl = curl;
    *failure = connect_to(curl, request, &connection->socket);
    if (!*failure) return connection;
    functions.info(curl, info_proxy_status, proxy_status);
    holdfast_connection_close(connection);
    return NULL;
}

int holdfast_connection_socket(const holdfast_connection *connection) { return connection->socket; }

static holdfast_transfer outcome(int failure) {
    return failure == 0 ? holdfast_transfer_done
        : failure == failure_again ? holdfast_transfer_wait
                                   : holdfast_transfer_failed;
}

holdfast_transfer holdfast_connection_send(
    holdfast_connection *connection, const void *bytes, size_t count, size_t *sent) {
    *sent = 0;
    return outcome(functions.send(connection->curl, bytes, count, sent));
}

holdfast_transfer holdfast_connection_receive(
    holdfast_connection *connection, void *bytes, size_t capacity, size_t *received) {
    *received = 0;
    return outcome(functions.receive(connection->curl, bytes, capacity, received));
}

void holdfast_connection_close(holdfast_connection *connection) {
    functions.cleanup(connection->curl);
    free(connection);
}

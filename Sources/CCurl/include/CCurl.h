// The part of libcurl that holdfast uses: single HTTP requests with limits, and connections to a server over which
// holdfast itself speaks HTTP.
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *method;
    const char *url;
    const char *user_agent;
    /// `Name: value` lines; the last pointer is null.
    const char *const *headers;
    /// The body; null if there is none.
    const void *body;
    size_t body_length;
    long connect_milliseconds;
    /// The most milliseconds for everything, including the answer.
    long milliseconds;
    /// True to use no proxy, whatever the variables of the environment name.
    bool is_direct;
} holdfast_http_request;

typedef struct {
    /// 0, or the reason why there is no answer: see holdfast_curl_reason.
    int failure;
    /// The HTTP status.
    long status;
    /// The number of bytes of the answer that were kept.
    size_t length;
    /// True if the answer was longer.
    bool is_cut;
    /// True if there was a connection to the server, or to a proxy.
    bool was_connected;
} holdfast_http_result;

/// Loads libcurl.so.4. It is not linked, so that runs without notifications do not need it, and start faster.
/// - Returns: false if it is not installed.
bool holdfast_curl_load(void);

/// Returns the version of the loaded library, such as `7.88.1`; null if it is not installed.
const char *holdfast_curl_version(void);

/// Returns the meaning of a failure, in a text that contains no address.
const char *holdfast_curl_reason(int failure);

/// The cases in which a retry after a failure may succeed.
typedef enum {
    /// Never: the failure is one of the request, or of the certificate.
    holdfast_passing_never,
    /// Only if the host was reached before: there is no such host, nothing listens there, or TLS does not begin.
    holdfast_passing_where_known,
    /// Always: the failure is one of the network or the server.
    holdfast_passing_always,
} holdfast_passing;

holdfast_passing holdfast_curl_passing(int failure);

/// Sends a request over http or https, never over another protocol. Follows no redirection. The library must be loaded.
/// - Parameters:
///   - response: gets the beginning of the answer.
///   - capacity: the most bytes of it. The rest is not read.
///   - redirection: gets the address to which the answer redirects; empty if there is none, or if it is too long.
holdfast_http_result holdfast_http_perform(
    const holdfast_http_request *request, void *response, size_t capacity, char *redirection,
    size_t redirection_capacity);

/// A connection to a server. libcurl looks up the name, goes through a proxy, and does TLS; what is sent over it is up
/// to the caller. It is used by one thread at a time.
typedef struct holdfast_connection holdfast_connection;

typedef struct {
    /// The scheme, host and port.
    const char *url;
    /// The certificates that are trusted in place of the system's; null for the system's.
    const char *ca_file;
    /// The address of a proxy; null for none.
    const char *proxy;
    /// The servers that are reached without a proxy, as in `no_proxy`; null for none.
    const char *no_proxy;
    /// The most milliseconds for making the connection.
    long milliseconds;
} holdfast_connection_request;

/// Opens a connection for an http or https address. The library must be loaded. Certificates are always verified.
/// - Parameters:
///   - failure: gets the reason if there is no connection: see holdfast_curl_reason.
///   - proxy_status: gets the status with which a proxy refuses; 0 if none did.
/// - Returns: null if there is no connection.
holdfast_connection *holdfast_connection_open(
    const holdfast_connection_request *request, int *failure, long *proxy_status);

/// Returns the socket, to wait for it with poll.
int holdfast_connection_socket(const holdfast_connection *connection);

/// The result of a call of send or receive.
typedef enum {
    holdfast_transfer_done,
    /// Nothing was transferred. The caller waits for the socket.
    holdfast_transfer_wait,
    /// The connection cannot be used any more.
    holdfast_transfer_failed,
} holdfast_transfer;

/// Sends some of the bytes without waiting.
holdfast_transfer holdfast_connection_send(
    holdfast_connection *connection, const void *bytes, size_t count, size_t *sent);

/// Takes the bytes that have arrived, without waiting; 0 bytes if the server has closed the connection.
holdfast_transfer holdfast_connection_receive(
    holdfast_connection *connection, void *bytes, size_t capacity, size_t *received);

void holdfast_connection_close(holdfast_connection *connection);

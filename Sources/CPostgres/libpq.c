#include "CPostgres.h"

#include <dlfcn.h>
#include <pthread.h>

static holdfast_libpq functions;
static bool is_loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    const struct {
        void **place;
        const char *name;
    } wanted[] = {
        {(void **)&functions.connect, "PQconnectdbParams"},
        {(void **)&functions.status, "PQstatus"},
        {(void **)&functions.error_message, "PQerrorMessage"},
        {(void **)&functions.finish, "PQfinish"},
        {(void **)&functions.socket, "PQsocket"},
        {(void **)&functions.send, "PQsendQueryParams"},
        {(void **)&functions.consume, "PQconsumeInput"},
        {(void **)&functions.is_busy, "PQisBusy"},
        {(void **)&functions.result, "PQgetResult"},
        {(void **)&functions.result_status, "PQresultStatus"},
        {(void **)&functions.result_error, "PQresultErrorField"},
        {(void **)&functions.row_count, "PQntuples"},
        {(void **)&functions.column_count, "PQnfields"},
        {(void **)&functions.is_null, "PQgetisnull"},
        {(void **)&functions.length, "PQgetlength"},
        {(void **)&functions.value, "PQgetvalue"},
        {(void **)&functions.clear, "PQclear"},
        {(void **)&functions.get_cancel, "PQgetCancel"},
        {(void **)&functions.cancel, "PQcancel"},
        {(void **)&functions.free_cancel, "PQfreeCancel"},
        {(void **)&functions.version, "PQlibVersion"},
    };
    for (size_t index = 0; index < sizeof wanted / sizeof wanted[0]; index++) {
        void *symbol = dlsym(library, wanted[index].name);
        if (!symbol) return;
        *wanted[index].place = symbol;
    }
    is_loaded = true;
}

const holdfast_libpq *holdfast_libpq_load(void) {
    pthread_once(&once, load);
    return is_loaded ? &functions : NULL;
}

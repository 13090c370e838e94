#include "internal.h"

#include <dlfcn.h>
#include <pthread.h>

static holdfast_sqlite functions;
static holdfast_sqlite_setup setup;
static bool is_loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/// SQLITE_VERSION_NUMBER of the first version with TRUSTED_SCHEMA and a hard limit of the heap.
enum { oldest_version = 3031000 };

static void load(void) {
    void *library = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    const struct {
        void **place;
        const char *name;
    } wanted[] = {
        {(void **)&functions.version, "sqlite3_libversion"},
        {(void **)&functions.prepare, "sqlite3_prepare_v2"},
        {(void **)&functions.step, "sqlite3_step"},
        {(void **)&functions.finalize, "sqlite3_finalize"},
        {(void **)&functions.is_readonly, "sqlite3_stmt_readonly"},
        {(void **)&functions.column_count, "sqlite3_column_count"},
        {(void **)&functions.column_name, "sqlite3_column_name"},
        {(void **)&functions.column_type, "sqlite3_column_type"},
        {(void **)&functions.column_integer, "sqlite3_column_int64"},
        {(void **)&functions.column_real, "sqlite3_column_double"},
        {(void **)&functions.column_text, "sqlite3_column_text"},
        {(void **)&functions.column_blob, "sqlite3_column_blob"},
        {(void **)&functions.column_bytes, "sqlite3_column_bytes"},
        {(void **)&functions.error_message, "sqlite3_errmsg"},
        {(void **)&setup.version_number, "sqlite3_libversion_number"},
        {(void **)&setup.register_vfs, "sqlite3_vfs_register"},
        {(void **)&setup.unregister_vfs, "sqlite3_vfs_unregister"},
        {(void **)&functions.open, "sqlite3_open_v2"},
        {(void **)&functions.close, "sqlite3_close"},
        {(void **)&setup.configure, "sqlite3_db_config"},
        {(void **)&functions.limit, "sqlite3_limit"},
        {(void **)&setup.limit_heap, "sqlite3_hard_heap_limit64"},
        {(void **)&setup.set_authorizer, "sqlite3_set_authorizer"},
        {(void **)&functions.set_progress, "sqlite3_progress_handler"},
        {(void **)&setup.execute, "sqlite3_exec"},
    };
    for (size_t index = 0; index < sizeof wanted / sizeof wanted[0]; index++) {
        void *symbol = dlsym(library, wanted[index].name);
        if (!symbol) return;
        *wanted[index].place = symbol;
    }
    is_loaded = setup.version_number() >= oldest_version;
}

const holdfast_sqlite *holdfast_sqlite_load(void) {
    pthread_once(&once, load);
    return is_loaded ? &functions : NULL;
}

const holdfast_sqlite_setup *holdfast_sqlite_load_setup(void) { return holdfast_sqlite_load() ? &setup : NULL; }

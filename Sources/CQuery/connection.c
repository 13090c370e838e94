#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

struct holdfast_connection {
    holdfast_database database;
    vfs vfs;
    char vfs_name[48];
    sqlite3 *handle;
};

enum {
    open_flags = 0x1 | 0x8000 | 0x40000, // READONLY, NOMUTEX: one thread at a time, PRIVATECACHE
    instructions_between_looks = 4096,
};

// sqlite3_db_config (sqlite.org/c3ref/c_dbconfig_defensive.html), and what each is set to.
static const struct {
    int option, value;
} options[] = {
    {1003, 0}, // ENABLE_TRIGGER
    {1004, 0}, // ENABLE_FTS3_TOKENIZER
    {1005, 0}, // ENABLE_LOAD_EXTENSION
    {1010, 1}, // DEFENSIVE
    {1011, 0}, // WRITABLE_SCHEMA
    {1017, 0}, // TRUSTED_SCHEMA
};

// sqlite3_limit (sqlite.org/c3ref/c_limit_attached.html).
static const struct {
    int limit, value;
} limits[] = {
    {0, holdfast_value_bytes_max}, // LENGTH
    {1, 1 << 20},  // SQL_LENGTH
    {7, 0},        // ATTACHED
    {8, 1000},     // LIKE_PATTERN_LENGTH: matching is not interrupted
    {10, 1},       // TRIGGER_DEPTH
    {11, 0},       // WORKER_THREADS
};

static const char settings[] =
    "PRAGMA temp_store = MEMORY; PRAGMA query_only = ON; PRAGMA cell_size_check = ON;";

static int is_over(void *context) {
    const holdfast_database *database = context;
    return database->is_over(database->context);
}

static int restrain(const holdfast_sqlite *library, const holdfast_sqlite_setup *sqlite,
                    holdfast_connection *connection) {
    sqlite3 *handle = connection->handle;
    for (size_t index = 0; index < sizeof options / sizeof options[0]; index++) {
        int code = sqlite->configure(handle, options[index].option, options[index].value, (int *)NULL);
        if (code) return code;
    }
    for (size_t index = 0; index < sizeof limits / sizeof limits[0]; index++)
        library->limit(handle, limits[index].limit, limits[index].value);
    int code = sqlite->execute(handle, settings, NULL, NULL, NULL);
    if (code) return code;
    library->set_progress(handle, instructions_between_looks, is_over, &connection->database);
    return sqlite->set_authorizer(handle, holdfast_authorize, &connection->database);
}

int holdfast_connect(const holdfast_database *database, int64_t heap_bytes, holdfast_connection **opened) {
    *opened = NULL;
    const holdfast_sqlite *library = holdfast_sqlite_load();
    const holdfast_sqlite_setup *sqlite = holdfast_sqlite_load_setup();
    if (!library) return holdfast_sqlite_error;
    holdfast_connection *connection = calloc(1, sizeof *connection);
    if (!connection) return holdfast_sqlite_no_memory;
    connection->database = *database;
    snprintf(connection->vfs_name, sizeof connection->vfs_name, "holdfast-%p", (void *)connection);
    holdfast_vfs_init(&connection->vfs, connection->vfs_name, &connection->database);
    sqlite->limit_heap(heap_bytes);
    int code = sqlite->register_vfs(&connection->vfs, 0);
    if (code) {
        free(connection);
        return code;
    }
    code = library->open("snapshot", &connection->handle, open_flags, connection->vfs_name);
    if (!code) code = restrain(library, sqlite, connection);
    if (code) {
        holdfast_disconnect(connection);
        return code;
    }
    *opened = connection;
    return holdfast_sqlite_ok;
}

sqlite3 *holdfast_connection_handle(holdfast_connection *connection) { return connection->handle; }

void holdfast_disconnect(holdfast_connection *connection) {
    const holdfast_sqlite_setup *sqlite = holdfast_sqlite_load_setup();
    if (connection->handle) holdfast_sqlite_load()->close(connection->handle);
    sqlite->unregister_vfs(&connection->vfs);
    free(connection);
}

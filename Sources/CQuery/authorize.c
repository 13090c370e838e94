#include "internal.h"

#include <strings.h>

enum { allowed = 0, denied = 1 };

// Actions (sqlite.org/c3ref/c_alter_table.html), by their numbers.
static const char *const actions[] = {
    "COPY", "CREATE INDEX", "CREATE TABLE", "CREATE TEMP INDEX", "CREATE TEMP TABLE", "CREATE TEMP TRIGGER",
    "CREATE TEMP VIEW", "CREATE TRIGGER", "CREATE VIEW", "DELETE", "DROP INDEX", "DROP TABLE",
    "DROP TEMP INDEX", "DROP TEMP TABLE", "DROP TEMP TRIGGER", "DROP TEMP VIEW", "DROP TRIGGER", "DROP VIEW",
    "INSERT", "PRAGMA", "READ", "SELECT", "a transaction", "UPDATE", "ATTACH", "DETACH", "ALTER TABLE",
    "REINDEX", "ANALYZE", "CREATE VIRTUAL TABLE", "DROP VIRTUAL TABLE", "the function", "a savepoint",
    "RECURSIVE",
};

enum {
    action_delete = 9,
    action_insert = 18,
    action_pragma = 19,
    action_read = 20,
    action_select = 21,
    action_transaction = 22,
    action_update = 23,
    action_alter_table = 26,
    action_function = 31,
    action_savepoint = 32,
    action_recursive = 33,
};

// Pragmas that tell of the database. The first ones change nothing, whatever their argument is.
static const char *const telling[] = {
    "collation_list", "compile_options", "database_list", "foreign_key_check", "foreign_key_list", "function_list",
    "index_info", "index_list", "index_xinfo", "integrity_check", "module_list", "pragma_list", "quick_check",
    "table_info", "table_list", "table_xinfo",
};
// These change something when they have an argument.
static const char *const telling_alone[] = {
    "application_id", "auto_vacuum", "data_version", "encoding", "freelist_count", "page_count", "page_size",
    "schema_version", "user_version",
};

// Functions that reach out of the database.
static const char *const reaching[] = {"edit", "fts3_tokenizer", "load_extension", "readfile", "writefile"};

#define HAS(list, name) has(list, sizeof list / sizeof list[0], name)

static bool has(const char *const *list, size_t count, const char *name) {
    for (size_t index = 0; name && index < count; index++)
        if (strcasecmp(list[index], name) == 0) return true;
    return false;
}

static bool is_allowed(int action, const char *first, const char *second) {
    switch (action) {
    case action_select:
    case action_read:
    case action_recursive: return true;
    // Virtual tables such as R-trees prepare what writes when they are first read. A statement that writes is refused
    // as a whole, and SQLite runs none on a file that it has opened for reading.
    case action_insert:
    case action_update:
    case action_delete: return true;
    case action_pragma: return HAS(telling, first) || (!second && HAS(telling_alone, first));
    case action_function: return !HAS(reaching, second);
    default: return false;
    }
}

/// The name of what an action is done to; null if it is done to nothing that has one.
static const char *object(int action, const char *first, const char *second) {
    switch (action) {
    case action_transaction:
    case action_savepoint: return NULL;
    case action_alter_table:
    case action_function: return second;
    default: return first;
    }
}

int holdfast_authorize(void *context, int action, const char *first, const char *second, const char *database,
                       const char *trigger) {
    (void)database, (void)trigger;
    if (is_allowed(action, first, second)) return allowed;
    const holdfast_database *asked = context;
    bool is_known = action >= 0 && (size_t)action < sizeof actions / sizeof actions[0];
    asked->refuse(asked->context, is_known ? actions[action] : "more", object(action, first, second));
    return denied;
}

// The part of SQLite that holdfast uses: libsqlite3, loaded when it is first needed, and a connection to one read-only
// database whose bytes come from a callback. Such a connection opens, makes and locks nothing on this machine.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;

/// The functions of libsqlite3 that holdfast uses (sqlite.org/c3ref).
typedef struct {
    const char *(*version)(void);
    int (*open)(const char *name, sqlite3 **, int flags, const char *vfs);
    int (*close)(sqlite3 *);
    int (*limit)(sqlite3 *, int which, int value);
    void (*set_progress)(sqlite3 *, int instructions, int (*)(void *), void *);
    int (*prepare)(sqlite3 *, const char *sql, int length, sqlite3_stmt **, const char **tail);
    int (*step)(sqlite3_stmt *);
    int (*finalize)(sqlite3_stmt *);
    int (*is_readonly)(sqlite3_stmt *);
    int (*column_count)(sqlite3_stmt *);
    const char *(*column_name)(sqlite3_stmt *, int column);
    int (*column_type)(sqlite3_stmt *, int column);
    int64_t (*column_integer)(sqlite3_stmt *, int column);
    double (*column_real)(sqlite3_stmt *, int column);
    const unsigned char *(*column_text)(sqlite3_stmt *, int column);
    const void *(*column_blob)(sqlite3_stmt *, int column);
    int (*column_bytes)(sqlite3_stmt *, int column);
    const char *(*error_message)(sqlite3 *);
} holdfast_sqlite;

/// Loads libsqlite3.so.0. It is not linked, so that backups do not need it, and start faster.
/// - Returns: null if it is not installed, or older than 3.31, the first that can be told to distrust a
/// schema.
const holdfast_sqlite *holdfast_sqlite_load(void);

/// The bytes of a database, and what is asked while a statement runs. Each function gets `context`.
typedef struct {
    void *context;
    int64_t length;
    /// Fills `buffer` from `offset` on, all of which lies below `length`.
    /// - Returns: false on a failure, which the context must remember.
    bool (*read)(void *context, void *buffer, int count, int64_t offset);
    /// - Returns: true to interrupt the statement. It is called every few thousand instructions.
    bool (*is_over)(void *context);
    /// Tells that a statement asked for what is not allowed. `what` is the name of an SQLite action such as `INSERT`;
    /// `name` is that of a table, pragma or function, or null.
    void (*refuse)(void *context, const char *what, const char *name);
} holdfast_database;

typedef struct holdfast_connection holdfast_connection;

/// Opens a database that is never changed, and lets statements do nothing but read it.
/// - Parameter heap_bytes: the most memory that SQLite may take in this process; it is a limit of the library.
/// - Returns: a result code of SQLite. `*opened` is null unless that is 0.
int holdfast_connect(const holdfast_database *database, int64_t heap_bytes, holdfast_connection **opened);
sqlite3 *holdfast_connection_handle(holdfast_connection *);
/// All statements must be finalized before.
void holdfast_disconnect(holdfast_connection *);

/// The most bytes of a value or a row.
enum { holdfast_value_bytes_max = 64 << 20 };

enum {
    holdfast_sqlite_ok = 0,
    holdfast_sqlite_error = 1,
    holdfast_sqlite_no_memory = 7,
    holdfast_sqlite_interrupt = 9,
    holdfast_sqlite_io_error = 10,
    holdfast_sqlite_corrupt = 11,
    holdfast_sqlite_too_big = 18,
    holdfast_sqlite_denied = 23,
    holdfast_sqlite_not_a_database = 26,
    holdfast_sqlite_row = 100,
    holdfast_sqlite_done = 101,

    holdfast_sqlite_integer = 1,
    holdfast_sqlite_float = 2,
    holdfast_sqlite_text = 3,
    holdfast_sqlite_blob = 4,
};

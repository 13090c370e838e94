// The parts of SQLite that only the files of this folder use. Layouts are those of sqlite.org/c3ref/vfs.html and
// io_methods.html, which SQLite promises never to change.
#pragma once

#include "CQuery.h"

typedef struct file file;
typedef struct vfs vfs;

/// `sqlite3_io_methods`, version 1.
typedef struct {
    int version;
    int (*close)(file *);
    int (*read)(file *, void *, int count, int64_t offset);
    int (*write)(file *, const void *, int count, int64_t offset);
    int (*truncate)(file *, int64_t size);
    int (*sync)(file *, int flags);
    int (*size)(file *, int64_t *);
    int (*lock)(file *, int);
    int (*unlock)(file *, int);
    int (*check_reserved_lock)(file *, int *);
    int (*control)(file *, int operation, void *argument);
    int (*sector_size)(file *);
    int (*characteristics)(file *);
} io_methods;

/// `sqlite3_vfs`, version 2.
struct vfs {
    int version;
    int file_size;
    int path_bytes_max;
    vfs *next;
    const char *name;
    void *context;
    int (*open)(vfs *, const char *name, file *, int flags, int *out_flags);
    int (*remove)(vfs *, const char *name, int synchronizes);
    int (*access)(vfs *, const char *name, int flags, int *result);
    int (*full_path)(vfs *, const char *name, int count, char *out);
    void *(*load)(vfs *, const char *name);
    void (*load_error)(vfs *, int count, char *out);
    void (*(*symbol)(vfs *, void *, const char *name))(void);
    void (*unload)(vfs *, void *);
    int (*randomness)(vfs *, int count, char *out);
    int (*sleep)(vfs *, int microseconds);
    int (*current_time)(vfs *, double *);
    int (*last_error)(vfs *, int count, char *out);
    int (*current_milliseconds)(vfs *, int64_t *);
};

typedef struct {
    int (*version_number)(void);
    int (*register_vfs)(vfs *, int is_default);
    int (*unregister_vfs)(vfs *);
    int (*configure)(sqlite3 *, int option, ...);
    int64_t (*limit_heap)(int64_t);
    int (*set_authorizer)(sqlite3 *,
                          int (*)(void *, int, const char *, const char *, const char *, const char *), void *);
    int (*execute)(sqlite3 *, const char *sql, int (*)(void *, int, char **, char **), void *, char **message);
} holdfast_sqlite_setup;

const holdfast_sqlite_setup *holdfast_sqlite_load_setup(void);

/// Fills in a VFS that has one file, the database `context` (a `holdfast_database`), and nothing of this machine.
void holdfast_vfs_init(vfs *, const char *name, holdfast_database *context);

/// Allows what reads the database, and tells `context` (a `holdfast_database`) of what it refuses.
int holdfast_authorize(void *context, int action, const char *first, const char *second, const char *database,
                       const char *trigger);

// SQLite, with what Swift cannot call by itself: the variadic sqlite3_db_config, the methods of an open file, and a destructor constant.
#pragma once
#include <sqlite3.h>
#include <sys/types.h>

/// Closing the last connection would checkpoint the WAL and remove it: someone else's database is left as it is.
static inline int holdfast_sqlite_leave_wal_alone(sqlite3 *db) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}

/// Has SQLite read files through `read`, which does what pread(2) does.
static inline void holdfast_sqlite_read_through(ssize_t (*read)(int, void *, size_t, off_t)) {
    sqlite3_vfs *vfs = sqlite3_vfs_find(0);
    if (!vfs || vfs->iVersion < 3 || !vfs->xSetSystemCall) return;
    // Of these two it uses the one that it was built with.
    vfs->xSetSystemCall(vfs, "pread", (sqlite3_syscall_ptr)read);
    vfs->xSetSystemCall(vfs, "pread64", (sqlite3_syscall_ptr)read);
}

/// SQLite's own handle of the main file. `NULL` where there is none.
static inline sqlite3_file *holdfast_sqlite_main_file(sqlite3 *db) {
    sqlite3_file *file = 0;
    int result = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    return result == SQLITE_OK && file && file->pMethods ? file : 0;
}

/// SQLite's own handle of the WAL, in WAL mode, or of the journal. `NULL` where it is not open.
static inline sqlite3_file *holdfast_sqlite_journal_file(sqlite3 *db) {
    sqlite3_file *file = 0;
    int result = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
    return result == SQLITE_OK && file && file->pMethods ? file : 0;
}

static inline int holdfast_sqlite_read(sqlite3_file *file, void *buffer, int count, sqlite3_int64 offset) {
    return file->pMethods->xRead(file, buffer, count, offset);
}

static inline int holdfast_sqlite_size(sqlite3_file *file, sqlite3_int64 *size) {
    return file->pMethods->xFileSize(file, size);
}

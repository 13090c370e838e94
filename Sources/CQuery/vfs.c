#include "internal.h"

#include <string.h>
#include <time.h>

// Result codes, flags and capabilities (sqlite.org/c3ref/constlist.html).
enum {
    ok = 0,
    read_only = 8,
    cannot_open = 14,
    read_failed = 10 | 1 << 8,
    short_read = 10 | 2 << 8,
    remove_failed = 10 | 10 << 8,
    not_found = 12,
    open_read_only = 0x1,
    open_main_database = 0x100,
    is_immutable = 0x2000,
    sector_bytes = 4096,
};

struct file {
    const io_methods *methods;
    holdfast_database *database;
};

static int file_close(file *file) {
    (void)file;
    return ok;
}

static int file_read(file *file, void *buffer, int count, int64_t offset) {
    const holdfast_database *database = file->database;
    if (count < 0 || offset < 0) return read_failed;
    int64_t there = offset < database->length ? database->length - offset : 0;
    int taken = there < count ? (int)there : count;
    if (taken > 0 && !database->read(database->context, buffer, taken, offset)) return read_failed;
    if (taken == count) return ok;
    memset((char *)buffer + taken, 0, (size_t)(count - taken));
    return short_read;
}

static int file_write(file *file, const void *buffer, int count, int64_t offset) {
    (void)file, (void)buffer, (void)count, (void)offset;
    return read_only;
}

static int file_truncate(file *file, int64_t size) {
    (void)file, (void)size;
    return read_only;
}

static int file_sync(file *file, int flags) {
    (void)file, (void)flags;
    return read_only;
}

static int file_size(file *file, int64_t *size) {
    *size = file->database->length;
    return ok;
}

static int file_lock(file *file, int level) {
    (void)file, (void)level;
    return ok;
}

static int file_check_lock(file *file, int *result) {
    (void)file;
    *result = 0;
    return ok;
}

static int file_control(file *file, int operation, void *argument) {
    (void)file, (void)operation, (void)argument;
    return not_found;
}

static int file_sector(file *file) {
    (void)file;
    return sector_bytes;
}

// Nobody changes it: SQLite looks for no journal and no WAL beside it, also where its header says that it has one.
static int file_characteristics(file *file) {
    (void)file;
    return is_immutable;
}

static const io_methods methods = {
    1,           file_close, file_read,       file_write,   file_truncate, file_sync,           file_size,
    file_lock,   file_lock,  file_check_lock, file_control, file_sector,   file_characteristics,
};

static int vfs_open(vfs *vfs, const char *name, file *file, int flags, int *out_flags) {
    file->methods = NULL;
    // Temporary files and journals have other flags: there are none, on this machine or elsewhere.
    if (!name || !(flags & open_main_database)) return cannot_open;
    file->methods = &methods;
    file->database = vfs->context;
    if (out_flags) *out_flags = open_main_database | open_read_only;
    return ok;
}

static int vfs_remove(vfs *vfs, const char *name, int synchronizes) {
    (void)vfs, (void)name, (void)synchronizes;
    return remove_failed;
}

static int vfs_access(vfs *vfs, const char *name, int flags, int *result) {
    (void)vfs, (void)name, (void)flags;
    *result = 0;
    return ok;
}

static int vfs_full_path(vfs *vfs, const char *name, int count, char *out) {
    (void)vfs;
    size_t length = strlen(name);
    if (count <= 0 || length >= (size_t)count) return cannot_open;
    memcpy(out, name, length + 1);
    return ok;
}

static void *vfs_load(vfs *vfs, const char *name) {
    (void)vfs, (void)name;
    return NULL;
}

static void vfs_load_error(vfs *vfs, int count, char *out) {
    (void)vfs;
    if (count > 0) out[0] = 0;
}

static void (*vfs_symbol(vfs *vfs, void *library, const char *name))(void) {
    (void)vfs, (void)library, (void)name;
    return NULL;
}

static void vfs_unload(vfs *vfs, void *library) { (void)vfs, (void)library; }

static int vfs_randomness(vfs *vfs, int count, char *out) {
    (void)vfs, (void)count, (void)out;
    return 0;
}

static int vfs_sleep(vfs *vfs, int microseconds) {
    (void)vfs, (void)microseconds;
    return 0;
}

/// Milliseconds since noon of 24 November 4714 BC, as SQLite counts days: what `datetime('now')` needs.
static int vfs_milliseconds(vfs *vfs, int64_t *milliseconds) {
    (void)vfs;
    const int64_t epoch = 210866760000000;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *milliseconds = epoch + (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    return ok;
}

static int vfs_time(vfs *vfs, double *days) {
    int64_t milliseconds = 0;
    vfs_milliseconds(vfs, &milliseconds);
    *days = (double)milliseconds / 86400000.0;
    return ok;
}

static int vfs_last_error(vfs *vfs, int count, char *out) {
    (void)vfs, (void)count, (void)out;
    return 0;
}

void holdfast_vfs_init(vfs *made, const char *name, holdfast_database *context) {
    *made = (vfs){
        .version = 2,
        .file_size = sizeof(file),
        .path_bytes_max = 512,
        .name = name,
        .context = context,
        .open = vfs_open,
        .remove = vfs_remove,
        .access = vfs_access,
        .full_path = vfs_full_path,
        .load = vfs_load,
        .load_error = vfs_load_error,
        .symbol = vfs_symbol,
        .unload = vfs_unload,
        .randomness = vfs_randomness,
        .sleep = vfs_sleep,
        .current_time = vfs_time,
        .last_error = vfs_last_error,
        .current_milliseconds = vfs_milliseconds,
    };
}

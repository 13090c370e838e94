#include "CLinux.h"

#include <linux/falloc.h>
#include <string.h>
#include <sys/syscall.h>

int holdfast_openat(int directory, const char *path, int flags, mode_t permissions) {
    return openat(directory, path, flags, permissions);
}

int holdfast_openat_beneath(int directory, const char *path, int flags, mode_t permissions) {
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = (unsigned)flags;
    how.mode = (flags & O_CREAT) ? permissions : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int holdfast_rename_exclusive(int old_directory, const char *old_path, int new_directory, const char *new_path) {
    return renameat2(old_directory, old_path, new_directory, new_path, RENAME_NOREPLACE);
}

int holdfast_punch_hole(int descriptor, off_t offset, off_t length) {
    return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

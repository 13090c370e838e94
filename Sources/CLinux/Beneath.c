#define _GNU_SOURCE 1
#include "CLinux.h"

#include <limits.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

/// Lets the kernel open the path with one call.
static int open_at_once(int directory, const char *path, int flags, mode_t permissions) {
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = (unsigned)flags;
    how.mode = (flags & O_CREAT) ? permissions : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

/// Closes a directory that was opened on the way. Keeps errno.
static void leave(int step, int directory) {
    int code = errno;
    if (step != directory) close(step);
    errno = code;
}

/// Sets errno for a symbolic link to that of openat2 (ELOOP). openat with O_DIRECTORY sets ENOTDIR.
static void tell_link(int directory, const char *name) {
    struct stat status;
    int code = errno;
    bool is_link =
        code == ENOTDIR && fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
    errno = is_link ? ELOOP : code;
}

/// Splits the first name off a path. Returns the rest of the path; NULL with errno if the name does not lead down.
static const char *take_name(const char *path, char *name, size_t size) {
    size_t length = strcspn(path, "/");
    if (length >= size) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    memcpy(name, path, length);
    name[length] = 0;
    errno = *path == '/' || strcmp(name, "..") == 0 ? EXDEV : ENOENT;
    return length == 0 || errno == EXDEV ? NULL : path + length + strspn(path + length, "/");
}

int holdfast_openat_by_steps(int directory, const char *path, int flags, mode_t permissions) {
    int step = directory;
    while (true) {
        char name[PATH_MAX];
        const char *rest = take_name(path, name, sizeof name);
        if (rest == NULL) break;
        bool is_last = *rest == 0;
        bool is_directory = rest[-1] == '/';
        int wanted = (is_last ? flags : O_PATH | O_CLOEXEC) | (is_directory ? O_DIRECTORY : 0);
        int next = openat(step, name, wanted | O_NOFOLLOW, permissions);
        // With O_NOFOLLOW alone, the error is that of openat.
        if (next < 0 && (is_directory || !(flags & O_NOFOLLOW))) tell_link(step, name);
        leave(step, directory);
        if (next < 0 || is_last) return next;
        step = next;
        path = rest;
    }
    leave(step, directory);
    return -1;
}

static bool may_be_refusal(int code) {
    return code == ENOSYS || code == EPERM || code == EACCES || code == EINVAL || code == EOPNOTSUPP;
}

/// Returns true if openat2 is refused. For an empty name the kernel itself answers that it does not exist, so any other
/// error comes from a filter, or from a kernel without the call.
static bool is_refused(void) { return open_at_once(AT_FDCWD, "", O_PATH, 0) < 0 && may_be_refusal(errno); }

int holdfast_openat_beneath(int directory, const char *path, int flags, mode_t permissions) {
    enum { UNKNOWN, AT_ONCE, BY_STEPS };
    // The way is remembered for the process, because a filter is never removed. Several threads may find it out at the
    // same time, with the same result.
    static atomic_int way = UNKNOWN;
    int known = atomic_load_explicit(&way, memory_order_relaxed);
    if (known == BY_STEPS) return holdfast_openat_by_steps(directory, path, flags, permissions);
    int result = open_at_once(directory, path, flags, permissions);
    if (result >= 0 || known == AT_ONCE || !may_be_refusal(errno)) return result;
    int code = errno;
    known = is_refused() ? BY_STEPS : AT_ONCE;
    atomic_store_explicit(&way, known, memory_order_relaxed);
    if (known == BY_STEPS) return holdfast_openat_by_steps(directory, path, flags, permissions);
    errno = code;
    return -1;
}

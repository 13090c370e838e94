#define _GNU_SOURCE 1
#include "CLinux.h"

#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

const int holdfast_o_path = O_PATH;

// Defined in asm/unistd.h since Linux 6.6; the same on all architectures.
enum { HOLDFAST_SYS_FCHMODAT2 = 452, PLACE_MAX = 32 };

static const char *place_of(int descriptor, char *place) {
    snprintf(place, PLACE_MAX, "/proc/self/fd/%d", descriptor);
    return place;
}

int holdfast_is_mount_root(int directory, const char *name) {
    struct statx status;
    int flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT;
    if (statx(directory, name, flags, 0, &status) != 0) return -1;
    if (!(status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)) {
        errno = ENOSYS;
        return -1;
    }
    return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

int holdfast_birth(int descriptor, int64_t *seconds, uint32_t *nanoseconds) {
    struct statx status;
    if (statx(descriptor, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BTIME, &status) != 0) return -1;
    if (!(status.stx_mask & STATX_BTIME)) {
        errno = ENOTSUP;
        return -1;
    }
    *seconds = status.stx_btime.tv_sec;
    *nanoseconds = status.stx_btime.tv_nsec;
    return 0;
}

int holdfast_is_on_overlay(int descriptor) {
    struct statfs status;
    return fstatfs(descriptor, &status) == 0 && status.f_type == OVERLAYFS_SUPER_MAGIC;
}

int holdfast_reference_set_owner(int descriptor, uid_t user, gid_t group) {
    return fchownat(descriptor, "", user, group, AT_EMPTY_PATH);
}

int holdfast_reference_set_mode(int descriptor, mode_t mode) {
    int result = (int)syscall(HOLDFAST_SYS_FCHMODAT2, descriptor, "", mode, AT_EMPTY_PATH);
    // Filters of containers answer EPERM to calls that they do not know.
    if (result == 0 || (errno != ENOSYS && errno != EPERM)) return result;
    char place[PLACE_MAX];
    return chmod(place_of(descriptor, place), mode);
}

int holdfast_reference_set_times(int descriptor, const struct timespec *times) {
    int result = utimensat(descriptor, "", times, AT_EMPTY_PATH);
    // Before Linux 5.8, utimensat does not accept an empty name.
    if (result == 0 || errno != EINVAL) return result;
    char place[PLACE_MAX];
    return utimensat(AT_FDCWD, place_of(descriptor, place), times, 0);
}

ssize_t holdfast_reference_list_attributes(int descriptor, char *list, size_t size) {
    char place[PLACE_MAX];
    return listxattr(place_of(descriptor, place), list, size);
}

ssize_t holdfast_reference_get_attribute(int descriptor, const char *name, void *value, size_t size) {
    char place[PLACE_MAX];
    return getxattr(place_of(descriptor, place), name, value, size);
}

int holdfast_reference_set_attribute(int descriptor, const char *name, const void *value, size_t size) {
    char place[PLACE_MAX];
    return setxattr(place_of(descriptor, place), name, value, size, 0);
}

int holdfast_reference_remove_attribute(int descriptor, const char *name) {
    char place[PLACE_MAX];
    return removexattr(place_of(descriptor, place), name);
}

int holdfast_has_proc(void) { return access("/proc/self/fd", X_OK) == 0; }

#define _GNU_SOURCE 1
#include "CLinux.h"

#include <linux/falloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

const int holdfast_o_tmpfile = O_TMPFILE;
const int holdfast_o_noatime = O_NOATIME;
const int holdfast_o_directory = O_DIRECTORY;
const int holdfast_o_nofollow = O_NOFOLLOW;
const int holdfast_seek_data = SEEK_DATA;
const int holdfast_seek_hole = SEEK_HOLE;
const long holdfast_utime_omit = UTIME_OMIT;

int holdfast_openat(int directory, const char *path, int flags, mode_t permissions) {
    return openat(directory, path, flags, permissions);
}

int holdfast_rename_exclusive(int old_directory, const char *old_path, int new_directory, const char *new_path) {
    int result = renameat2(old_directory, old_path, new_directory, new_path, RENAME_NOREPLACE);
    if (result == 0 || errno != EPERM) return result;
    // The same call without a name shows it: the kernel answers ENOENT, a filter still EPERM.
    bool is_filtered = renameat2(AT_FDCWD, "", AT_FDCWD, "", RENAME_NOREPLACE) < 0 && errno == EPERM;
    errno = is_filtered ? ENOSYS : EPERM;
    return -1;
}

int holdfast_punch_hole(int descriptor, off_t offset, off_t length) {
    return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

int holdfast_lock_holder(int descriptor, pid_t *holder) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(descriptor, F_GETLK, &lock) != 0) return -1;
    *holder = lock.l_pid;
    return lock.l_type != F_UNLCK;
}

int holdfast_lock_bytes(int descriptor, short type, off_t start, off_t length) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(descriptor, F_OFD_SETLK, &lock);
}

int holdfast_bytes_are_locked(int descriptor, short type, off_t start, off_t length) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    if (fcntl(descriptor, F_OFD_GETLK, &lock) != 0) return -1;
    return lock.l_type != F_UNLCK;
}

int holdfast_pipe(int *ends) { return pipe2(ends, O_CLOEXEC); }

int holdfast_syncfs(int descriptor) { return syncfs(descriptor); }

int holdfast_forbid_dumps(void) {
    struct rlimit none = {0, 0};
    int result = setrlimit(RLIMIT_CORE, &none);
    // The limit has no effect if the kernel pipes dumps to a program.
    return prctl(PR_SET_DUMPABLE, 0) == 0 ? result : -1;
}

static pthread_t signal_thread;

static void pass_on(int number) { pthread_kill(signal_thread, number); }

void holdfast_take_signal(int number) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = pass_on;
    action.sa_flags = SA_RESTART;
    signal_thread = pthread_self();
    sigaction(number, &action, NULL);
}

unsigned int holdfast_major(dev_t device) { return major(device); }
unsigned int holdfast_minor(dev_t device) { return minor(device); }
dev_t holdfast_makedev(unsigned int major_number, unsigned int minor_number) {
    return makedev(major_number, minor_number);
}

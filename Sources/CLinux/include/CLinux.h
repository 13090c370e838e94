// System calls that Swift cannot call by themselves: variadic ones, those that glibc 2.36 does not wrap, and macros. What needs
// _GNU_SOURCE is in the .c file: in a header it would change structures that Swift's Glibc module has already.
#pragma once
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

int holdfast_openat(int directory, const char *path, int flags, mode_t permissions);

/// Opens a path below `directory` without following any symbolic link on the way, nor leaving it: ELOOP, EXDEV. By openat2(2) with RESOLVE_BENEATH; where a
/// filter or the kernel refuses that call, by the next.
int holdfast_openat_beneath(int directory, const char *path, int flags, mode_t permissions);

/// The same by one openat(2) a name. Refuses `..` also where it would not lead out.
int holdfast_openat_by_steps(int directory, const char *path, int flags, mode_t permissions);

/// Renames without replacing (renameat2 with RENAME_NOREPLACE): EEXIST when the new name exists; EINVAL or ENOSYS where the file system, the kernel or a filter
/// does not do that.
int holdfast_rename_exclusive(int old_directory, const char *old_path, int new_directory, const char *new_path);

int holdfast_punch_hole(int descriptor, off_t offset, off_t length);
int holdfast_syncfs(int descriptor);

/// Whether another process holds a POSIX lock on any part of the file: 1 or 0, -1 with errno. `holder` is not above zero where it cannot be told which: a lock
/// of an open file, of another machine, or of a process in another PID namespace. Nothing is locked by that.
int holdfast_lock_holder(int descriptor, pid_t *holder);

/// A lock on a range of bytes that belongs to the descriptor (F_OFD_SETLK): `type` is F_RDLCK or F_UNLCK. -1 with errno; EAGAIN or EACCES where another one's is in the way.
int holdfast_lock_bytes(int descriptor, short type, off_t start, off_t length);

/// Whether another one's lock would be in the way of such a lock of `type`, F_RDLCK or F_WRLCK: 1 or 0, -1 with errno.
int holdfast_bytes_are_locked(int descriptor, short type, off_t start, off_t length);

/// Makes a pipe whose ends no child process inherits: the reading one, then the writing one.
int holdfast_pipe(int *ends);

/// Like pread(2), but leaves the page cache as it was: what was in it stays, what this call brings in is dropped. The first way that works of the next two.
ssize_t holdfast_read_sparingly(int descriptor, void *buffer, size_t count, off_t offset);

/// By RWF_DONTCACHE: EOPNOTSUPP before Linux 6.14, and on file systems without it.
ssize_t holdfast_read_uncached(int descriptor, void *buffer, size_t count, off_t offset);

/// By mincore(2) before and posix_fadvise(2) after. Drops nothing where the kernel does not tell us what is cached: of files that are neither ours nor writable to us.
ssize_t holdfast_read_and_drop(int descriptor, void *buffer, size_t count, off_t offset);

/// Drops what the page cache has of a file and is on stable storage already.
int holdfast_drop_cached(int descriptor);

/// Keeps this process out of core dumps, and other processes of the same user out of its memory.
int holdfast_forbid_dumps(void);

/// Makes the calling thread, which blocks it, the one that takes a signal: whichever other thread the kernel hands it to passes it on. Threads of libraries
/// unblock what they like.
void holdfast_take_signal(int number);

unsigned int holdfast_major(dev_t device);
unsigned int holdfast_minor(dev_t device);
dev_t holdfast_makedev(unsigned int major, unsigned int minor);

/// Whether something is mounted at a name in a directory, or at the directory itself for an empty name (statx(2), STATX_ATTR_MOUNT_ROOT): 1 or 0; -1 with ENOSYS before Linux 5.8, with another
/// errno where it cannot be examined. No link is followed.
int holdfast_is_mount_root(int directory, const char *name);

/// Whether a file lies on an overlay: 1 or 0.
int holdfast_is_on_overlay(int descriptor);

// What a descriptor of O_PATH stands for, whatever it is and whatever its name leads to by now. Its attributes are reached through /proc where the kernel has no other way: ENOENT where
// that is not mounted.
int holdfast_reference_set_owner(int descriptor, uid_t user, gid_t group);
/// By fchmodat2 (Linux 6.6), else through /proc.
int holdfast_reference_set_mode(int descriptor, mode_t mode);
/// By utimensat with an empty name (Linux 5.8), else through /proc.
int holdfast_reference_set_times(int descriptor, const struct timespec *times);
ssize_t holdfast_reference_list_attributes(int descriptor, char *list, size_t size);
ssize_t holdfast_reference_get_attribute(int descriptor, const char *name, void *value, size_t size);
int holdfast_reference_set_attribute(int descriptor, const char *name, const void *value, size_t size);
int holdfast_reference_remove_attribute(int descriptor, const char *name);
/// Whether this process sees its own descriptors in /proc.
int holdfast_has_proc(void);

extern const int holdfast_o_path;
extern const int holdfast_o_tmpfile;
extern const int holdfast_o_noatime;
extern const int holdfast_o_directory;
extern const int holdfast_o_nofollow;
extern const int holdfast_seek_data;
extern const int holdfast_seek_hole;
extern const long holdfast_utime_omit;

/// Runs `shell -c command` below a process that ends it, with all that it has started, when it gets SIGTERM or when nobody holds `lifeline` any more: so also when
/// this process is killed. That process ends as the command does, and is waited for instead of it.
/// `input` and `output` are what the command has as standard input and output: -1 for nothing, and for our standard error.
pid_t holdfast_supervise(
    const char *shell, const char *command, char *const environment[], int input, int output, int *lifeline);

char *const *holdfast_environment(void);

/// The arguments of main, the program's name among them: also where /proc is not mounted.
int holdfast_argument_count(void);
/// - Parameter index: from 0, below the count.
const char *holdfast_argument(int index);

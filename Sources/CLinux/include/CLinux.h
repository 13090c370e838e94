// System calls that Swift cannot call itself: variadic ones, those that glibc 2.36 does not wrap, and macros. Code that
// needs _GNU_SOURCE is in the .c file: in a header it would change structures that Swift's Glibc module already has.
#pragma once
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

int holdfast_openat(int directory, const char *path, int flags, mode_t permissions);

/// Opens a path below `directory` without following a symbolic link (ELOOP) or leaving the directory (EXDEV). Uses
/// openat2(2) with RESOLVE_BENEATH; if a filter or the kernel refuses that call, uses the next function.
int holdfast_openat_beneath(int directory, const char *path, int flags, mode_t permissions);

/// Does the same with one openat(2) for each name. Refuses every `..`, even one that would stay inside.
int holdfast_openat_by_steps(int directory, const char *path, int flags, mode_t permissions);

/// Renames without replacing (renameat2 with RENAME_NOREPLACE). Sets EEXIST if the new name exists; EINVAL or ENOSYS if
/// the file system, the kernel or a filter does not support that.
int holdfast_rename_exclusive(int old_directory, const char *old_path, int new_directory, const char *new_path);

int holdfast_punch_hole(int descriptor, off_t offset, off_t length);
int holdfast_syncfs(int descriptor);

/// Returns 1 if another process holds a POSIX lock on any part of the file, 0 if none does, -1 with errno. `holder` is
/// 0 or less if the process is unknown: the lock belongs to an open file, to another machine, or to a process in
/// another PID namespace. This takes no lock.
int holdfast_lock_holder(int descriptor, pid_t *holder);

/// Locks or unlocks a range of bytes for the open file (F_OFD_SETLK). `type` is F_RDLCK or F_UNLCK. Returns -1 with
/// errno, which is EAGAIN or EACCES if another lock is in the way.
int holdfast_lock_bytes(int descriptor, short type, off_t start, off_t length);

/// Returns 1 if another lock would be in the way of a lock of `type`, F_RDLCK or F_WRLCK; 0 if none would; -1 with
/// errno.
int holdfast_bytes_are_locked(int descriptor, short type, off_t start, off_t length);

/// Makes a pipe: the reading end, then the writing end. No child process inherits them.
int holdfast_pipe(int *ends);

/// Reads like pread(2), but leaves the page cache as it was: cached pages stay, and pages that this call adds are
/// dropped. Uses the first of the next two functions that works.
ssize_t holdfast_read_sparingly(int descriptor, void *buffer, size_t count, off_t offset);

/// Reads with RWF_DONTCACHE. Sets EOPNOTSUPP before Linux 6.14, and on file systems without it.
ssize_t holdfast_read_uncached(int descriptor, void *buffer, size_t count, off_t offset);

/// Reads with mincore(2) before and posix_fadvise(2) after. Drops nothing if the kernel does not tell what is cached,
/// as for files that this user neither owns nor may write.
ssize_t holdfast_read_and_drop(int descriptor, void *buffer, size_t count, off_t offset);

/// Drops the pages of a file that are on stable storage from the page cache.
int holdfast_drop_cached(int descriptor);

/// Excludes this process from core dumps, and its memory from other processes of the same user.
int holdfast_forbid_dumps(void);

/// Makes the calling thread, which blocks the signal, the one that takes it. Any other thread that gets the signal
/// passes it on. This is needed because threads of libraries may unblock the signal.
void holdfast_take_signal(int number);

unsigned int holdfast_major(dev_t device);
unsigned int holdfast_minor(dev_t device);
dev_t holdfast_makedev(unsigned int major, unsigned int minor);

/// Returns 1 if something is mounted at a name in a directory, or at the directory itself for an empty name (statx(2),
/// STATX_ATTR_MOUNT_ROOT); 0 if nothing is; -1 with ENOSYS before Linux 5.8, or with another errno if the name cannot
/// be examined. No link is followed.
int holdfast_is_mount_root(int directory, const char *name);

/// Gives the time at which a file was made (statx(2), STATX_BTIME). Returns -1 if its file system does not keep it.
int holdfast_birth(int descriptor, int64_t *seconds, uint32_t *nanoseconds);

/// Returns 1 if a file is on an overlay, otherwise 0.
int holdfast_is_on_overlay(int descriptor);

// The next functions change or read the object of an O_PATH descriptor, of any type, even if another object has its
// name by now. If the kernel has no other way, they use /proc, and set ENOENT if that is not mounted.
int holdfast_reference_set_owner(int descriptor, uid_t user, gid_t group);
/// Uses fchmodat2 (Linux 6.6), otherwise /proc.
int holdfast_reference_set_mode(int descriptor, mode_t mode);
/// Uses utimensat with an empty name (Linux 5.8), otherwise /proc.
int holdfast_reference_set_times(int descriptor, const struct timespec *times);
ssize_t holdfast_reference_list_attributes(int descriptor, char *list, size_t size);
ssize_t holdfast_reference_get_attribute(int descriptor, const char *name, void *value, size_t size);
int holdfast_reference_set_attribute(int descriptor, const char *name, const void *value, size_t size);
int holdfast_reference_remove_attribute(int descriptor, const char *name);
/// Returns 1 if this process sees its own descriptors in /proc, otherwise 0.
int holdfast_has_proc(void);

extern const int holdfast_o_path;
extern const int holdfast_o_tmpfile;
extern const int holdfast_o_noatime;
extern const int holdfast_o_directory;
extern const int holdfast_o_nofollow;
extern const int holdfast_seek_data;
extern const int holdfast_seek_hole;
extern const long holdfast_utime_omit;

/// Runs `shell -c command` as the child of a supervising process. The supervisor ends the command, with all of its
/// children, when it gets SIGTERM, or when no process holds `lifeline` open any more, for example because this process
/// was killed. It ends as the command does, so the caller waits for it instead of the command. Returns its process ID;
/// -1 with errno.
/// `input` and `output` are the command's standard input and output. -1 means no input, and output to the standard
/// error of this process.
pid_t holdfast_supervise(
    const char *shell, const char *command, char *const environment[], int input, int output, int *lifeline);

char *const *holdfast_environment(void);

/// Returns the number of arguments of main, including the program's name. Works without /proc.
int holdfast_argument_count(void);
/// Returns an argument.
/// - Parameter index: from 0, below the count.
const char *holdfast_argument(int index);

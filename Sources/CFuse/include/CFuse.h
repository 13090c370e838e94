// The kernel's interface for file systems that a program serves (Documentation/filesystems/fuse.rst, linux/fuse.h), and
// the calls that Swift cannot make itself: mounting, unmounting, and fusermount3, which does both for users.
#pragma once

#include <errno.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/// `whence` of a search for data or holes (lseek(2)).
enum {
    holdfast_fuse_seek_data = 3,
    holdfast_fuse_seek_hole = 4,
};

// Functions that fail return an error number, negated.

/// Error numbers with which requests are refused, and that the functions below return.
enum {
    holdfast_fuse_no_entry = ENOENT,
    holdfast_fuse_interrupted = EINTR,
    holdfast_fuse_input_output = EIO,
    holdfast_fuse_no_position = ENXIO,
    holdfast_fuse_not_permitted = EPERM,
    holdfast_fuse_no_access = EACCES,
    holdfast_fuse_no_device = ENODEV,
    holdfast_fuse_not_a_directory = ENOTDIR,
    holdfast_fuse_is_a_directory = EISDIR,
    holdfast_fuse_invalid = EINVAL,
    holdfast_fuse_read_only = EROFS,
    holdfast_fuse_out_of_range = ERANGE,
    holdfast_fuse_no_function = ENOSYS,
    holdfast_fuse_no_attribute = ENODATA,
    holdfast_fuse_wrong_protocol = EPROTO,
    holdfast_fuse_busy = EBUSY,
    holdfast_fuse_too_many_links = ELOOP,
    holdfast_fuse_not_connected = ENOTCONN,
};

/// Mounts a file system that this process serves, as root can: read-only, without devices, set-user-ID or access times.
/// - Parameters:
///   - directory: the open directory on which it is mounted.
///   - lets_others: true if other users may use it; then the kernel checks modes and owners.
/// - Returns: the descriptor of its requests; ENODEV if the kernel has no FUSE.
int holdfast_fuse_mount(int directory, bool lets_others);

/// Does the same with fusermount3, which may mount for a user without rights.
/// - Parameter said: gets what fusermount3 says on standard error, with a zero at the end.
/// - Returns: the descriptor; ENOENT if there is no fusermount3, EPERM if it refuses.
int holdfast_fuse_mount_by_helper(int directory, bool lets_others, char *said, size_t said_size);

/// Takes a mount out of the tree, though it is in use.
/// - Parameter root: refers to its root (O_PATH), or to the directory on which it is mounted. Once that is closed, it
///   is gone unless somebody else uses it.
int holdfast_fuse_unmount(int root);

/// Unmounts with fusermount3, which accepts only what this user has mounted with it.
/// - Parameters:
///   - name: a name in the open directory `parent`.
///   - is_lazy: true to take it out of the tree though it is in use.
/// - Returns: 0; ENOENT if there is no fusermount3, EBUSY if it refuses.
int holdfast_fuse_unmount_by_helper(int parent, const char *name, bool is_lazy);

/// Waits for the next request and takes it.
/// - Returns: its length; 0 if none came within `milliseconds`; ENODEV once it is unmounted.
ssize_t holdfast_fuse_receive(int descriptor, void *request, size_t size, int milliseconds);

/// Returns true until nothing is mounted any more and nobody uses it.
bool holdfast_fuse_is_connected(int descriptor);

/// Sends a reply in two parts.
/// - Returns: 0; ENOENT if nobody waits for it any more.
int holdfast_fuse_reply(int descriptor, const void *header, size_t header_size, const void *body, size_t body_size);

void holdfast_fuse_close(int descriptor);

/// The ID of this process's user and group.
uid_t holdfast_fuse_user(void);
gid_t holdfast_fuse_group(void);

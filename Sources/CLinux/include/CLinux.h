// System calls that Swift cannot call by themselves: variadic ones, those that glibc 2.36 does not wrap, and macros.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

int holdfast_openat(int directory, const char *path, int flags, mode_t permissions);

/// Opens a path below `directory` without following any symbolic link on the way (openat2 with RESOLVE_BENEATH).
int holdfast_openat_beneath(int directory, const char *path, int flags, mode_t permissions);

/// Renames without replacing (renameat2 with RENAME_NOREPLACE): EEXIST when the new name exists.
int holdfast_rename_exclusive(int old_directory, const char *old_path, int new_directory, const char *new_path);

int holdfast_punch_hole(int descriptor, off_t offset, off_t length);

/// The exact spelling of the macros that Swift does not import.
static const int holdfast_o_tmpfile = O_TMPFILE;
static const int holdfast_o_path = O_PATH;
static const int holdfast_o_noatime = O_NOATIME;
static const int holdfast_o_directory = O_DIRECTORY;
static const int holdfast_o_nofollow = O_NOFOLLOW;
static const int holdfast_seek_data = SEEK_DATA;
static const int holdfast_seek_hole = SEEK_HOLE;
static const int holdfast_utime_omit = UTIME_OMIT;

static inline unsigned int holdfast_major(dev_t device) { return major(device); }
static inline unsigned int holdfast_minor(dev_t device) { return minor(device); }
static inline dev_t holdfast_makedev(unsigned int major_number, unsigned int minor_number) {
    return makedev(major_number, minor_number);
}

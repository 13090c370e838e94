#define _GNU_SOURCE 1
#include "CLinux.h"

#include <linux/magic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/vfs.h>

// Defined in linux/fs.h since Linux 6.14.
#define HOLDFAST_RWF_DONTCACHE 0x80
enum { PAGES_MAX = 1024 };

ssize_t holdfast_read_uncached(int descriptor, void *buffer, size_t count, off_t offset) {
    struct iovec part = {buffer, count};
    return preadv2(descriptor, &part, 1, offset, HOLDFAST_RWF_DONTCACHE);
}

/// Finds the pages of a range that are in the page cache. Returns false if that is not known.
static bool look(int descriptor, off_t start, size_t pages, size_t page, unsigned char *present) {
    // This reads nothing: no page of the mapping is touched.
    void *map = mmap(NULL, pages * page, PROT_NONE, MAP_SHARED, descriptor, start);
    if (map == MAP_FAILED) return false;
    bool known = mincore(map, pages * page, present) == 0;
    munmap(map, pages * page);
    return known;
}

ssize_t holdfast_read_and_drop(int descriptor, void *buffer, size_t count, off_t offset) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    off_t start = offset - offset % (off_t)page;
    size_t pages = ((size_t)(offset - start) + count + page - 1) / page;
    unsigned char present[PAGES_MAX];
    if (count == 0 || pages > PAGES_MAX || !look(descriptor, start, pages, page, present)) {
        return pread(descriptor, buffer, count, offset);
    }
    size_t missing = 0;
    for (size_t index = 0; index < pages; index++) missing += !(present[index] & 1);
    if (missing == 0) return pread(descriptor, buffer, count, offset);
    // Otherwise the kernel would read ahead, and later those pages would look as if another program had cached them.
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM);
    ssize_t result = pread(descriptor, buffer, count, offset);
    int code = errno;
    for (size_t index = 0; index < pages;) {
        size_t end = index;
        while (end < pages && !(present[end] & 1)) end++;
        if (end > index) {
            posix_fadvise(
                descriptor, start + (off_t)(index * page), (off_t)((end - index) * page), POSIX_FADV_DONTNEED);
        }
        index = end + 1;
    }
    errno = code;
    return result;
}

/// Returns true on a file system whose files exist only in the page cache.
static bool lies_in_memory(int descriptor) {
    struct statfs status;
    return fstatfs(descriptor, &status) == 0 && (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC);
}

ssize_t holdfast_read_sparingly(int descriptor, void *buffer, size_t count, off_t offset) {
    ssize_t result = holdfast_read_uncached(descriptor, buffer, count, offset);
    // EPERM comes from the filter of a container.
    if (result >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL && errno != EPERM)) return result;
    if (lies_in_memory(descriptor)) return pread(descriptor, buffer, count, offset);
    return holdfast_read_and_drop(descriptor, buffer, count, offset);
}

int holdfast_drop_cached(int descriptor) { return posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED); }

#include "CFuse.h"

#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t holdfast_fuse_receive(int descriptor, void *request, size_t size, int milliseconds) {
    struct pollfd watched = {.fd = descriptor, .events = POLLIN};
    if (poll(&watched, 1, milliseconds) == 0) return 0;
    ssize_t count = read(descriptor, request, size);
    if (count >= 0) return count;
    // Another thread has taken it, or whoever asked has given up.
    return errno == EAGAIN || errno == EINTR || errno == ENOENT ? 0 : -errno;
}

bool holdfast_fuse_is_connected(int descriptor) {
    struct pollfd watched = {.fd = descriptor};
    return poll(&watched, 1, 0) == 0;
}

int holdfast_fuse_reply(int descriptor, const void *header, size_t header_size, const void *body, size_t body_size) {
    struct iovec parts[2] = {{(void *)header, header_size}, {(void *)body, body_size}};
    ssize_t count = writev(descriptor, parts, body_size > 0 ? 2 : 1);
    return count < 0 ? -errno : 0;
}

void holdfast_fuse_close(int descriptor) { close(descriptor); }

uid_t holdfast_fuse_user(void) { return geteuid(); }
gid_t holdfast_fuse_group(void) { return getegid(); }

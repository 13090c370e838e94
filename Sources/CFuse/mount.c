#define _GNU_SOURCE
#include "CFuse.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/// Long enough for the path of a descriptor.
enum { place_max = 32 };

/// Returns a path that leads to what a descriptor refers to, whatever has its name by now.
static const char *place_of(int descriptor, char *place) {
    snprintf(place, place_max, "/proc/self/fd/%d", descriptor);
    return place;
}

int holdfast_fuse_mount(int directory, bool lets_others) {
    int descriptor = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return errno == ENOENT ? -ENODEV : -errno;
    char place[place_max];
    char options[160];
    // 40000 is the type of a directory, in octal.
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u%s", descriptor, geteuid(), getegid(),
             lets_others ? ",allow_other,default_permissions" : "");
    const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOATIME;
    if (mount("holdfast", place_of(directory, place), "fuse.holdfast", flags, options) == 0) return descriptor;
    int code = errno;
    close(descriptor);
    return -code;
}

int holdfast_fuse_unmount(int root) {
    char place[place_max];
    // The descriptor itself uses the mount.
    return umount2(place_of(root, place), MNT_DETACH) == 0 ? 0 : -errno;
}

// fusermount3(1): it sends the descriptor of /dev/fuse over the socket whose number is in _FUSE_COMMFD.

enum { socket_number = 3 };

/// The environment with one more variable; null without memory.
static char **environment_with(char *variable) {
    size_t count = 0;
    while (environ[count]) count++;
    char **made = calloc(count + 2, sizeof *made);
    if (!made) return NULL;
    made[0] = variable;
    memcpy(made + 1, environ, count * sizeof *made);
    return made;
}

/// Finds fusermount3 in the absolute directories of PATH: it runs in a directory that may belong to somebody else.
/// - Returns: false if there is none.
static bool find_helper(char *found, size_t size) {
    const char *next = getenv("PATH");
    if (!next) next = "/usr/bin:/bin";
    while (*next) {
        size_t count = strcspn(next, ":");
        int length = snprintf(found, size, "%.*s/fusermount3", (int)count, next);
        if (*next == '/' && length > 0 && (size_t)length < size && access(found, X_OK) == 0) return true;
        next += count + (next[count] == ':');
    }
    return false;
}

/// Starts fusermount3 with nothing but these descriptors, and without blocked signals.
/// - Parameters:
///   - directory: becomes its working directory.
///   - socket: becomes number 3; -1 for none.
///   - errors: becomes standard error.
/// - Returns: 0, or an error number.
static int start_helper(char *const arguments[], int directory, int socket, int errors, pid_t *process) {
    char program[4096];
    if (!find_helper(program, sizeof program)) return ENOENT;
    char variable[] = "_FUSE_COMMFD=3";
    char **environment = environment_with(variable);
    if (!environment) return ENOMEM;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    // A signal from the terminal is for holdfast, which unmounts then.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_addfchdir_np(&actions, directory);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    if (socket >= 0) posix_spawn_file_actions_adddup2(&actions, socket, socket_number);
    int code = posix_spawn(process, program, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    return code;
}

/// Reads until the other end is closed, and drops what has no room.
static void read_text(int descriptor, char *text, size_t size) {
    size_t used = 0;
    char block[256];
    ssize_t count;
    while ((count = read(descriptor, block, sizeof block)) > 0 || (count < 0 && errno == EINTR)) {
        for (ssize_t index = 0; index < count && used + 1 < size; index++) text[used++] = block[index];
    }
    if (size > 0) text[used] = 0;
}

/// Takes the descriptor that fusermount3 has sent; -1 if it has sent none.
static int take_descriptor(int socket) {
    char byte;
    struct iovec part = {&byte, 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t count;
    do count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    struct cmsghdr *header = count > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return -1;
    int descriptor;
    memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    fcntl(descriptor, F_SETFL, O_NONBLOCK);
    return descriptor;
}

/// Runs fusermount3 to its end.
/// - Returns: 0 if it has succeeded, otherwise an error number.
static int run_helper(char *const arguments[], int directory, int socket, char *said, size_t said_size) {
    int errors[2];
    if (pipe2(errors, O_CLOEXEC) != 0) return errno;
    pid_t process = -1;
    int code = start_helper(arguments, directory, socket, errors[1], &process);
    close(errors[1]);
    if (code == 0) {
        read_text(errors[0], said, said_size);
        int status = 0;
        while (waitpid(process, &status, 0) < 0 && errno == EINTR) {}
        code = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EPERM;
    }
    close(errors[0]);
    return code;
}

int holdfast_fuse_mount_by_helper(int directory, bool lets_others, char *said, size_t said_size) {
    if (said_size > 0) said[0] = 0;
    char options[160] = "ro,nosuid,nodev,noatime,fsname=holdfast,subtype=holdfast";
    if (lets_others) strcat(options, ",allow_other,default_permissions");
    char *const arguments[] = {"fusermount3", "-o", options, "--", ".", NULL};
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -errno;
    int code = run_helper(arguments, directory, ends[1], said, said_size);
    close(ends[1]);
    int descriptor = code == 0 ? take_descriptor(ends[0]) : -1;
    close(ends[0]);
    return descriptor >= 0 ? descriptor : -(code == 0 ? EPERM : code);
}

int holdfast_fuse_unmount_by_helper(int parent, const char *name, bool is_lazy) {
    char *const plain[] = {"fusermount3", "-u", "--", (char *)name, NULL};
    char *const lazy[] = {"fusermount3", "-u", "-z", "--", (char *)name, NULL};
    int code = run_helper(is_lazy ? lazy : plain, parent, -1, NULL, 0);
    return code == EPERM ? -EBUSY : -code;
}

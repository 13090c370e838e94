#!/usr/bin/env python3
"""refuse.py CALL=ERRNO[,CALL=ERRNO...] COMMAND...

Runs a command, and all that it starts, under a seccomp filter that answers system calls with an error: as kernels,
containers, service managers and file systems do. CALL is a name of CALLS, or one of PARTS, which are refused only with
certain arguments. Ends with 77 where no filter can be had.
"""
import ctypes
import errno
import os
import platform
import struct
import sys

# x86-64, from asm/unistd_64.h.
CALLS = {
    "ioctl": 16, "mincore": 27, "madvise": 28, "socket": 41, "socketpair": 53, "flock": 73, "fsync": 74,
    "fdatasync": 75, "fchmod": 91, "fchown": 93, "fstatfs": 138, "setpriority": 141, "prctl": 157, "lsetxattr": 189,
    "fsetxattr": 190, "lgetxattr": 192, "fgetxattr": 193, "listxattr": 194, "llistxattr": 195, "flistxattr": 196,
    "sched_getaffinity": 204, "fadvise64": 221, "epoll_wait": 232, "epoll_ctl": 233, "mknodat": 259,
    "fchownat": 260, "linkat": 265, "symlinkat": 266, "fchmodat": 268, "utimensat": 280, "epoll_pwait": 281,
    "timerfd_create": 283, "fallocate": 285, "eventfd2": 290, "epoll_create1": 291, "inotify_init1": 294,
    "prlimit64": 302, "syncfs": 306, "getrandom": 318, "memfd_create": 319, "copy_file_range": 326, "preadv2": 327,
    "statx": 332, "rseq": 334, "pidfd_send_signal": 424, "io_uring_setup": 425, "pidfd_open": 434, "clone3": 435,
    "close_range": 436, "openat2": 437, "fchmodat2": 452,
}
# The call, the argument that is looked at, and the bits of which one has to be set.
PARTS = {
    "renameat2:flags": (316, 4, 0xFFFFFFFF),
    "openat:O_TMPFILE": (257, 2, 0o20000000),
    "openat:O_NOATIME": (257, 2, 0o1000000),
    "openat:O_PATH": (257, 2, 0o10000000),
    "lseek:SEEK_DATA": (8, 2, 2),
    "utimensat:AT_EMPTY_PATH": (280, 3, 0x1000),
}
LOAD, IF_EQUAL, IF_BITS, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16
X86_64 = 0xC000003E
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER_MODE = 38, 22, 2


def instruction(code, value, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, value)


def program(refused):
    code = [instruction(LOAD, ARCHITECTURE_AT), instruction(IF_EQUAL, X86_64, 1, 0), instruction(RETURN, ALLOW)]
    for name, number in refused:
        answer = instruction(RETURN, ERROR | number)
        code.append(instruction(LOAD, NUMBER_AT))
        if name in PARTS:
            call, argument, bits = PARTS[name]
            look = [instruction(LOAD, ARGUMENTS_AT + 8 * argument), instruction(IF_BITS, bits, 0, 1), answer]
            code += [instruction(IF_EQUAL, call, 0, len(look))] + look
        else:
            code += [instruction(IF_EQUAL, CALLS[name], 0, 1), answer]
    return code + [instruction(RETURN, ALLOW)]


def install(code):
    class Program(ctypes.Structure):
        _fields_ = [("count", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    memory = ctypes.create_string_buffer(b"".join(code))
    described = Program(len(code), ctypes.addressof(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    is_refused = libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if is_refused or libc.prctl(PR_SET_SECCOMP, FILTER_MODE, ctypes.byref(described), 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main():
    refused = [part.split("=") for part in sys.argv[1].split(",")]
    refused = [(name, getattr(errno, code)) for name, code in refused]
    try:
        if platform.machine() != "x86_64":
            raise OSError(0, "the numbers of the calls are those of x86-64")
        install(program(refused))
    except OSError as error:
        print(f"no filter: {error}", file=sys.stderr)
        sys.exit(77)
    os.execvp(sys.argv[2], sys.argv[2:])


main()

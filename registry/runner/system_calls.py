"""Which system calls a child may make: an allow-list, for seccomp.

Each argument check is one the kernel can do without following a pointer.
"""

import errno

import seccompy

ALLOWED = """
    read write readv writev pread64 lseek close close_range dup fstat
    poll ppoll select pselect6
    mmap munmap mremap madvise brk mprotect membarrier futex
    sched_yield sched_getaffinity set_robust_list rseq set_tid_address
    rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall exit exit_group
    clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times
    getrusage getrlimit uname sysinfo getrandom
    getpid gettid getuid geteuid getgid getegid arch_prctl
    recvmsg
"""
# recvmsg is the only socket call: connections and artifacts arrive by SCM_RIGHTS, and
# only from the runner or a client that holds the other end. All else is read and write.
# There is no tgkill either: abort() without it ends in an illegal instruction, which will do.

# Everything is imported, so "not found" is the true answer to any path, and the one that
# libraries cope with. newfstatat is among them though glibc's fstat(fd) uses it: with a
# path *and* AT_EMPTY_PATH the kernel would still look the path up.
ABSENT = """
    open openat openat2 access faccessat faccessat2 stat lstat newfstatat statx
    getdents getdents64 readlink readlinkat getcwd
"""

TCGETS, FIONREAD, FIOCLEX = 0x5401, 0x541B, 0x5451
F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC = 0, 1, 2, 3, 1030
PR_SET_NAME, PR_SET_VMA = 15, 0x53564D41


def build_filter() -> seccompy.Filter:
    """The filter, not yet loaded. What no rule names fails with EPERM."""
    rules = seccompy.Filter(default=seccompy.Action.ERRNO | errno.EPERM)
    for name in _known(ALLOWED):
        rules.allow(name)
    for name in _known(ABSENT):
        rules.errno(name, errno.ENOENT)
    # glibc falls back to clone, which is not allowed: no process, no thread.
    rules.errno("clone3", errno.ENOSYS)
    for command in (TCGETS, FIONREAD, FIOCLEX):
        rules.allow("ioctl", args={1: command})
    for command in (F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC):
        rules.allow("fcntl", args={1: command})
    for option in (PR_SET_NAME, PR_SET_VMA):
        rules.allow("prctl", args={0: option})
    rules.allow("prlimit64", args={0: 0, 2: 0})  # asking about itself only
    return rules


def _known(names: str) -> list[str]:
    """Those that exist on this architecture: aarch64 never had open or stat."""
    known = []
    for name in names.split():
        try:
            seccompy.syscall_nr(name)
        except (ValueError, KeyError):
            continue
        known.append(name)
    return known

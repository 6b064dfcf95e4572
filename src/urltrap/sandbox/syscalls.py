"""The closed list of system calls that a box may use, as the ``linux.seccomp`` of an OCI runtime.

What an ordinary container is allowed (the default list of the container engines), without anything that makes or enters
namespaces, mounts, or opens the kernel's rarer parts: user namespaces inside a box would hand its root CAP_SYS_ADMIN
again, which is where most local exploits begin, and packet, vsock, crypto and netfilter sockets are a kernel's least
tested doors.
"""

from __future__ import annotations

from typing import Any

_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEW* (sched.h): those of mount, cgroup, UTS, IPC, user, PID and network."""
_EPERM, _ENOSYS = 1, 38

_ALLOWED = """
    accept accept4 access adjtimex alarm arch_prctl bind brk capget capset chdir chmod chown chown32 chroot
    clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
    clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1
    epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit
    exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32
    fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64
    fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_time64 futex_waitv futimesat getcpu getcwd getdents
    getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid
    getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit get_robust_list
    getrusage getsid getsockname getsockopt get_thread_area gettid gettimeofday getuid getuid32 getxattr
    inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl ioprio_get ioprio_set kill lchown lchown32
    lgetxattr link linkat listen listxattr llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 madvise
    membarrier memfd_create mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr
    mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap msgctl
    msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep newfstatat _newselect open openat openat2 pause pipe
    pipe2 poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 pselect6 pselect6_time64 pwrite64 pwritev
    pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages
    removexattr rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask
    rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo
    sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler
    sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
    sched_setscheduler sched_yield select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64
    sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer
    setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit
    set_robust_list setsid setsockopt set_thread_area set_tid_address setuid setuid32 setxattr shmat shmctl shmdt
    shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketpair splice stat stat64
    statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create
    timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
    timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit
    umask uname unlink unlinkat utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write
    writev
"""
ALLOWED = tuple(_ALLOWED.split())

_REFUSED = """
    unshare setns mount umount umount2 pivot_root bpf perf_event_open userfaultfd init_module finit_module
    delete_module kexec_load kexec_file_load open_by_handle_at name_to_handle_at acct swapon swapoff reboot syslog
    settimeofday clock_settime sethostname setdomainname iopl ioperm quotactl vhangup lookup_dcookie ptrace
    process_vm_readv process_vm_writev pidfd_getfd kcmp
"""
REFUSED = tuple(_REFUSED.split())
"""Answered with EPERM, as a rented container's root gets it; whatever is in no list does not exist (ENOSYS)."""

SOCKET_FAMILIES = (1, 2, 10)
"""AF_UNIX, AF_INET, AF_INET6."""
NETLINK_PROTOCOLS = (0, 4, 9, 15)
"""Of AF_NETLINK: ROUTE (`ip`), SOCK_DIAG (`ss`), AUDIT, KOBJECT_UEVENT (`udevadm`); not the netfilter ones. To a box
the kernel refuses whatever it asks of AUDIT, which PAM takes for none; ENOSYS from socket(2) is an error to it, and
nobody could use passwd, su or cron."""


def seccomp() -> dict[str, Any]:
    """The value of ``linux.seccomp`` (OCI runtime specification, config-linux.md) for x86-64."""
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _ENOSYS,
        # 32-bit programs of attackers run too, but for socketcall(2), whose family is in memory where no filter looks.
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [
            {"names": list(ALLOWED), "action": "SCMP_ACT_ALLOW"},
            {"names": list(REFUSED), "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM},
            {
                "names": ["clone"],
                "action": "SCMP_ACT_ALLOW",
                "args": [_argument(0, _NEW_NAMESPACES, "SCMP_CMP_MASKED_EQ", 0)],
            },
            # Its flags are in memory, where a filter cannot look: C libraries fall back on clone.
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
            *(
                {
                    "names": ["socket"],
                    "action": "SCMP_ACT_ALLOW",
                    "args": [_argument(0, family, "SCMP_CMP_EQ")],
                }
                for family in SOCKET_FAMILIES
            ),
            *(
                {
                    "names": ["socket"],
                    "action": "SCMP_ACT_ALLOW",
                    "args": [_argument(0, 16, "SCMP_CMP_EQ"), _argument(2, protocol, "SCMP_CMP_EQ")],
                }
                for protocol in NETLINK_PROTOCOLS
            ),
        ],
    }


def _argument(index: int, value: int, op: str, second: int | None = None) -> dict[str, Any]:
    argument: dict[str, Any] = {"index": index, "value": value, "op": op}
    if second is not None:
        argument["valueTwo"] = second
    return argument

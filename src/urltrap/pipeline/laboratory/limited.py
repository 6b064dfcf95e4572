"""Become another program with next to no rights:
``python -I -S limited.py CPU MEMORY FILE [READABLE…] -- PROGRAM ARGUMENT…``.

CPU in seconds; MEMORY (address space) and FILE (largest one that is written) in bytes. For programs that read
attackers' files: no network, no new privilege, no other process, few descriptors, nothing inherited but the working
directory; new files are their owner's alone. Files: with Landlock those of the working directory, and for reading the
program, the system's libraries and READABLE; of all else nothing can be opened. Where the kernel gives neither Landlock
nor seccomp the program is not executed. Uses the standard library only, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import stat
import struct
import sys

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_DESCRIPTORS = 16
NOT_STARTED, NOT_CONFINED = 127, 126
"""Exit statuses where the program cannot be executed, and where the kernel would hold it back from nothing."""

_LIBRARIES = (
    "/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/nix/store", "/gnu/store",
    "/etc/ld.so.cache",
)  # fmt: skip

# Landlock: numbers of its calls (the same on every architecture), rights of linux/landlock.h.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_FILE, _MAKE_REG = 1, 2, 4, 8, 1 << 5, 1 << 8
_FILE_RIGHTS_OF = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_TRUNCATE = 1 << 14
_NET_RIGHTS, _SCOPES = 3, 3  # TCP's bind and connect; abstract sockets and signals

# (AUDIT_ARCH of linux/audit.h, numbers of: socket, socketpair, io_uring_setup, ptrace, kill, tkill, tgkill,
# rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal, process_vm_readv, process_vm_writev)
_CALLS = {
    "x86_64": (0xC000003E, (41, 53, 425, 101, 62, 200, 234, 129, 297, 424, 310, 311)),
    "aarch64": (0xC00000B7, (198, 199, 425, 117, 129, 130, 131, 138, 240, 424, 270, 271)),
}


def main() -> int:
    """Give up what is not needed, then execute the program."""
    seconds, memory, largest = (int(text) for text in sys.argv[1:4])
    place = sys.argv.index("--")
    readable, command = sys.argv[4:place], sys.argv[place + 1 :]
    os.umask(0o177)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # Where namespaces are off for us this fails; what follows keeps sockets away as well.
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    # Python ignores it, and what is ignored stays so in the program: it is to end there.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    bound = _no_other_files(libc, [command[0], *_LIBRARIES, *readable])
    bound = _no_sockets(libc) or bound
    if not bound:
        return NOT_CONFINED
    try:
        os.execve(command[0], command, {"LC_ALL": "C"})
    except OSError:
        return NOT_STARTED


def _no_other_files(libc: ctypes.CDLL, readable: list[str]) -> bool:
    """Opening, making or removing files elsewhere fails with EACCES; False where the kernel has no Landlock.

    Source: landlock(7), linux/landlock.h. What later versions know besides is used where it is there.
    """
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    if version < 1:
        return False
    handled = 0
    for since, rights in _FILE_RIGHTS_OF.items():
        handled |= rights if version >= since else 0
    wanted = (handled, _NET_RIGHTS, _SCOPES)[: 1 if version < 4 else 2 if version < 6 else 3]
    attributes = struct.pack(f"{len(wanted)}Q", *wanted)
    rules = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if rules < 0:
        return False
    reading = _READ_FILE | _READ_DIR | _EXECUTE
    own = _READ_FILE | _READ_DIR | _WRITE_FILE | _MAKE_REG | _REMOVE_FILE | _TRUNCATE
    try:
        for path, rights in [(".", own), *((path, reading) for path in readable)]:
            if not _allow(libc, rules, path, rights & handled) and path == ".":
                return False
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> bool:
    """Allow these rights below a path; False where there is none."""
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return False  # a folder of libraries that this system does not have
    try:
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            rights &= _EXECUTE | _READ_FILE
        rule = struct.pack("=Qi", rights, opened)
        return bool(libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0) == 0)
    finally:
        os.close(opened)


def _no_sockets(libc: ctypes.CDLL) -> bool:
    """Sockets, and what could make them, fail with EPERM; False where the kernel takes no filter, or we know none for
    this machine. Source: seccomp(2), linux/filter.h."""
    known = _CALLS.get(platform.machine())
    if known is None:
        return False
    architecture, calls = known

    def step(code: int, yes: int, no: int, value: int) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    load, equal, above, end = 0x20, 0x15, 0x35, 0x06
    kill, refuse, allow = 0x80000000, 0x00050000 | 1, 0x7FFF0000
    count = len(calls)
    program = step(load, 0, 0, 4) + step(equal, 1, 0, architecture) + step(end, 0, 0, kill)
    # The numbers above 2^30 are those of x32, which would be another way to the same calls.
    program += step(load, 0, 0, 0) + step(above, count + 1, 0, 0x40000000)
    for place, call in enumerate(calls):
        program += step(equal, count - place, 0, call)
    program += step(end, 0, 0, allow) + step(end, 0, 0, refuse)
    buffer = ctypes.create_string_buffer(program, len(program))
    filters = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filters, 0, 0) == 0)


if __name__ == "__main__":
    sys.exit(main())

"""Become another program with next to no rights: ``python -I -S limited.py CPU MEMORY FILE -- PROGRAM ARGUMENT…``.

CPU in seconds; MEMORY (address space) and FILE (largest one that is written) in bytes. For programs that read
attackers' files: no network, no new privilege, no other process, few descriptors, nothing inherited but the working
directory; new files are their owner's alone. Uses the standard library only, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_DESCRIPTORS = 16
NOT_STARTED = 127
"""Exit status where the program cannot be executed."""

# (AUDIT_ARCH of linux/audit.h, numbers of: socket, socketpair, io_uring_setup, ptrace, kill, tkill, tgkill,
# rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal, process_vm_readv, process_vm_writev)
_CALLS = {
    "x86_64": (0xC000003E, (41, 53, 425, 101, 62, 200, 234, 129, 297, 424, 310, 311)),
    "aarch64": (0xC00000B7, (198, 199, 425, 117, 129, 130, 131, 138, 240, 424, 270, 271)),
}


def main() -> int:
    """Give up what is not needed, then execute the program."""
    seconds, memory, largest = (int(text) for text in sys.argv[1:4])
    command = sys.argv[5:]
    os.umask(0o177)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # Where namespaces are off for us this fails; the filter below keeps sockets away as well.
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
    _no_sockets(libc)
    try:
        os.execve(command[0], command, {"LC_ALL": "C"})
    except OSError:
        return NOT_STARTED


def _no_sockets(libc: ctypes.CDLL) -> None:
    """Sockets, and what could make them, fail with EPERM. Source: seccomp(2), linux/filter.h."""
    known = _CALLS.get(platform.machine())
    if known is None:
        return
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
    libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filters, 0, 0)


if __name__ == "__main__":
    sys.exit(main())

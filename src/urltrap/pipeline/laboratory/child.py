"""The laboratory's process: ``python -m urltrap.pipeline.laboratory.child RULES_FOLDER MEMORY SECONDS``.

Reads a payload from standard input, writes what it found to standard output, and so on. Once its rules are compiled it
gives everything else up: no new file or socket, no process, no privilege, no network, bounded memory and time. It never
executes a payload, and holds nothing that a payload which breaks it could take.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from urltrap.pipeline.laboratory.bench import InProcess
from urltrap.pipeline.magic import load_magic

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
OUT_OF_MEMORY = 77
"""Exit status of a process whose memory did not suffice."""


def main() -> int:
    """Serve until standard input ends."""
    folder, memory, seconds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer
    examiner, errors = InProcess.from_folder(folder if sys.argv[1] else None, load_magic())
    examiner.examine(b"#!/bin/sh\n", 10, "")  # whatever is loaded at the first use is loaded now
    _send(
        outgoing,
        {"version": examiner.version, "rules_errors": [[error.source, error.reason] for error in errors]},
    )
    give_up(memory)
    while header := incoming.read(8):
        asked = json.loads(incoming.read(int.from_bytes(header, "big")))
        data = incoming.read(asked["length"])
        _allow_seconds(seconds)
        try:
            found = examiner.examine(data, asked["size"], asked["sha256"])
        except MemoryError:
            return OUT_OF_MEMORY
        assert found.analysis is not None
        _send(outgoing, found.analysis.model_dump(mode="json"))
    return 0


def give_up(memory: int) -> None:
    """Lose what looking at bytes does not need. Each step that the system refuses is covered by another one."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    # Where unprivileged namespaces are off this fails; the limit on descriptors below keeps sockets away as well.
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # RLIMIT_AS would count the address space that the rules' machine only reserves.
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def _allow_seconds(seconds: int) -> None:
    """So many seconds of processor time from now on; the kernel ends a process that needs more."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + seconds + 1, hard))


def _send(stream: BinaryIO, value: object) -> None:
    body = json.dumps(value).encode()
    stream.write(len(body).to_bytes(8, "big") + body)
    stream.flush()


if __name__ == "__main__":
    # A Python process that was killed by its limits must not leave a traceback with attackers' bytes in a log.
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    sys.exit(main())

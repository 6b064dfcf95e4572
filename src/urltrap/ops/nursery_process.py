"""The nursery itself, ``python -m urltrap.ops.nursery_process FD KIND…``.

It loads the modules of these kinds of process and forks a worker for every message on FD, a socket to the supervisor.
It tells the end of each, and ends when the socket does.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

from urltrap.ops import worker
from urltrap.ops.nursery import MESSAGE_BYTES
from urltrap.ops.process_name import set_process_name


def main() -> int:
    """Make processes until the supervisor is gone."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    woken, waking = socket.socketpair()
    for end in (woken, waking):
        end.setblocking(False)
    set_process_name("urltrap-nursery")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    worker.load(sys.argv[2:])
    gc.collect()
    gc.freeze()  # a collection in a child would write to, and so copy, every page that it looks at
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    poll.register(woken, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if woken.fileno() in ready:
            woken.recv(MESSAGE_BYTES)
            _tell_ends(channel)
        if channel.fileno() in ready:
            body, descriptors, _, _ = socket.recv_fds(channel, MESSAGE_BYTES, 2)
            if not body:
                return 0
            _fork(json.loads(body), descriptors, (channel, woken, waking))


def _tell_ends(channel: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        channel.send(json.dumps({"pid": pid, "status": os.waitstatus_to_exitcode(status)}).encode())


def _fork(message: dict[str, Any], descriptors: list[int], ours: Sequence[socket.socket]) -> None:
    """Make one process, and tell its number with a descriptor that means it for ever."""
    channel, (reading, writing) = ours[0], descriptors
    try:
        pid = os.fork()
    except OSError as error:
        channel.send(json.dumps({"id": message["id"], "error": error.errno}).encode())
        os.close(reading)
        os.close(writing)
        return
    if pid == 0:
        _live(message["name"], reading, writing, ours)
    process = os.pidfd_open(pid)
    socket.send_fds(channel, [json.dumps({"id": message["id"], "pid": pid}).encode()], [process])
    for descriptor in (reading, writing, process):
        os.close(descriptor)


def _live(name: str, reading: int, writing: int, ours: Sequence[socket.socket]) -> NoReturn:
    """The whole life of a process that was just forked; what the nursery would do at its end is not its business."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        for each in ours:
            each.close()
        os.setsid()
        os.dup2(writing, 1)
        os.close(writing)
        set_process_name(f"urltrap-{name}")
        status = worker.run(reading)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())

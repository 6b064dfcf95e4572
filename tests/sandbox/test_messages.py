"""What the box process and the trap do with packets that are none of the protocol. Neither needs a box."""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.waiting import eventually

from urltrap.machine.effects import Effect, FetchReply, FileClosed, Output
from urltrap.sandbox.job import BoxJob
from urltrap.sandbox.messages import (
    BadPacket,
    Ended,
    Refused,
    Run,
    Started,
    Written,
    receive,
    send,
    seqpacket,
)


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def raw(sock: socket.socket, data: bytes, files: list[int]) -> None:
    sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else [])


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield one, other
    one.close()
    other.close()


@pytest.mark.parametrize(
    "data",
    [
        b"no JSON",
        b"[]",
        b"{}",
        b'{"kind": "nothing"}',
        b'{"kind": []}',
        b'{"kind": "ended"}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_descriptors_of_a_packet_that_is_none_are_closed(
    pair: tuple[socket.socket, socket.socket], data: bytes
) -> None:
    before = descriptors()
    raw(pair[0], data, [0, 1])
    with pytest.raises(BadPacket):
        receive(pair[1])
    assert descriptors() == before


def test_more_descriptors_than_there_is_room_for_are_closed_with_the_rest(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    before = descriptors()
    raw(pair[0], Started().model_dump_json().encode(), [0] * 40)
    with pytest.raises(BadPacket, match="too many descriptors"):
        receive(pair[1])
    assert descriptors() == before


def test_an_empty_packet_ends_it_and_its_descriptors_are_closed(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    before = descriptors()
    raw(pair[0], b"", [0])
    assert receive(pair[1]) is None and descriptors() == before


class Instead:
    """The emulated machine that takes a box's place."""

    runnable = lingering = waiting_for_fetch = False
    wake_at = killed_by = None
    exit_status = 42
    backlog = 0

    def receive(self, data: bytes) -> None: ...
    def receive_eof(self) -> None: ...
    def receive_signal(self, name: str) -> None: ...
    def resize(self, columns: int, rows: int) -> None: ...
    def fetched(self, id: int, reply: FetchReply) -> None: ...
    def hang_up(self) -> None: ...
    def end(self) -> None: ...

    def step(self, now: float, budget: int = 20_000) -> list[Effect]:
        return []


class FakeBox:
    """The box process's end of one connection."""

    def __init__(self, folder: Path, terminal: tuple[int, int] | None = None) -> None:
        listener = seqpacket()
        listener.bind(str(folder / "box.sock"))
        listener.listen(1)
        run = Run(
            address="192.0.2.1",
            argv=[b"id"],
            environment={},
            uid=0,
            gid=0,
            groups=[],
            folder="/",
            terminal=terminal,
        )
        self.instead = 0
        self.woken = asyncio.Event()
        self.job = BoxJob(folder / "box.sock", run, self._other, typed=None, file_limit=1000)
        self.job.on_wake = self.woken.set
        self.end, _ = listener.accept()
        listener.close()

    def _other(self) -> Instead:
        self.instead += 1
        return Instead()

    async def heard(self) -> None:
        async with asyncio.timeout(20):
            await self.woken.wait()
        self.woken.clear()


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize(
    ("terminal", "message", "count"),
    [
        (None, Started(), 0),
        (None, Started(), 1),
        (None, Started(), 4),
        ((80, 24), Started(), 0),
        ((80, 24), Started(), 3),
        (None, Written(path=b"/x", mode=0o644, size=1), 0),
        (None, Written(path=b"/x", mode=0o644, size=1), 2),
        (None, Refused(why="x"), 1),
        (None, Ended(status=0), 1),
    ],
)
async def test_a_message_with_the_wrong_descriptors_ends_the_box_and_not_the_sensor(
    folder: Path, terminal: tuple[int, int] | None, message: Started, count: int
) -> None:
    box = FakeBox(folder, terminal)
    before = descriptors()
    reading, writing = os.pipe()
    raw(box.end, message.model_dump_json().encode(), [reading] * count)
    os.close(reading)
    os.close(writing)
    await box.heard()
    assert box.instead == 1 and box.job.exit_status == 42, "the attacker goes on on the emulated machine"
    box.job.end()
    box.end.close()
    assert descriptors() <= before


async def test_a_program_that_had_begun_ends_as_killed_when_the_box_process_goes_mad(folder: Path) -> None:
    box = FakeBox(folder)
    before = descriptors()
    pipes = [os.pipe() for _ in range(3)]
    send(box.end, Started(), [pipes[0][1], pipes[1][0], pipes[2][0]])
    await box.heard()
    os.write(pipes[1][1], b"out")
    for one in pipes:
        os.close(one[0])
        os.close(one[1])
    raw(box.end, Written(path=b"/x", mode=0o644, size=1).model_dump_json().encode(), [])
    out = b""
    async with asyncio.timeout(20):
        while box.job.exit_status is None:
            for effect in box.job.step(0):
                assert not isinstance(effect, FileClosed)
                out += effect.data if isinstance(effect, Output) else b""
            await asyncio.sleep(0)
    assert (box.job.exit_status, out, box.instead) == (137, b"out", 0)
    box.job.end()
    box.end.close()
    assert descriptors() <= before


async def test_a_file_is_read_beside_the_loop_and_nothing_more_is_heard_until_it_is_taken(
    folder: Path,
) -> None:
    box = FakeBox(folder)
    before = descriptors()
    pipes = [os.pipe() for _ in range(3)]
    send(box.end, Started(), [pipes[0][0], pipes[1][1], pipes[2][1]])
    await box.heard()
    for one in pipes:
        os.close(one[0])
        os.close(one[1])
    slow, filling = os.pipe()  # a file on a slow disk: whoever reads it waits
    send(box.end, Written(path=b"/tmp/x", mode=0o755, size=4), [slow])
    send(box.end, Ended(status=3))
    os.close(slow)
    for _ in range(50):  # the loop goes on
        await asyncio.sleep(0)
    assert box.job.exit_status is None
    os.write(filling, b"body")
    os.close(filling)
    effects: list[Effect] = []
    await eventually(lambda: any(isinstance(each, FileClosed) for each in box.job._effects))
    for _ in range(50):
        await asyncio.sleep(0)
    assert box.job.exit_status is None, "the end waits for the file to be taken"

    def ended() -> bool:
        effects.extend(box.job.step(0))
        return box.job.exit_status is not None

    await eventually(ended)
    assert [each.content.read(0, 9) for each in effects if isinstance(each, FileClosed)] == [b"body"]
    assert box.job.exit_status == 3
    box.job.end()
    box.end.close()
    assert descriptors() <= before


async def test_a_file_that_cannot_be_read_is_left_out_and_the_rest_is_heard(folder: Path) -> None:
    box = FakeBox(folder)
    before = descriptors()
    pipes = [os.pipe() for _ in range(3)]
    send(box.end, Started(), [pipes[0][0], pipes[1][1], pipes[2][1]])
    for one in pipes:
        os.close(one[0])
        os.close(one[1])
    unreadable = os.open(folder, os.O_RDONLY)
    send(box.end, Written(path=b"/tmp/x", mode=0o755, size=4), [unreadable])
    send(box.end, Ended(status=3))
    os.close(unreadable)
    await eventually(lambda: box.job.step(0) == [] and box.job.exit_status == 3)
    box.job.end()
    box.end.close()
    assert descriptors() <= before


async def test_a_job_that_ends_while_a_file_is_read_leaves_nothing_open(folder: Path) -> None:
    box = FakeBox(folder)
    before = descriptors()
    slow, filling = os.pipe()
    send(box.end, Written(path=b"/tmp/x", mode=0o755, size=4), [slow])
    os.close(slow)
    await asyncio.sleep(0.01)
    box.job.end()
    os.close(filling)
    await eventually(lambda: descriptors() <= before)
    assert box.job.step(0) == []
    box.end.close()

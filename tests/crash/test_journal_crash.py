"""The journal's guarantee, tried: writers are killed in the middle, disks are filled, power is cut between syncs."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from urltrap.journal import JournalError, JournalFullError, JournalReader, JournalWriter, Position
from urltrap.model.event import CommandEntered
from urltrap.model.settings import JournalSettings

WHEN = datetime(2026, 1, 2, tzinfo=UTC)

# Appends without end and prints the number of each event when, and only when, it is acknowledged.
WRITER = """
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from urltrap.journal import JournalWriter
from urltrap.model.event import CommandEntered
from urltrap.model.settings import JournalSettings

directory, seq = Path(sys.argv[1]), int(sys.argv[2])
settings = JournalSettings(sync_milliseconds=2, sync_bytes=20_000, segment_bytes=65_536, free_bytes_reserve=0)
writer = JournalWriter(directory, "trap-0", settings)
when = datetime(2026, 1, 2, tzinfo=UTC)

def tell(word, seq):
    # One system call, so that lines of two threads are never mixed.
    os.write(1, f"{word} {seq}\\n".encode())

while True:
    text = b"wget http://203.0.113.7/" + bytes([seq % 256]) * (seq % 700)
    position = writer.append(CommandEntered(session="S", seq=seq, at=when, mode="exec", text=text))
    writer.add_done_callback(position, lambda error, seq=seq: tell("ACK" if error is None else "ERROR", seq))
    if seq % 64 == 0:
        writer.wait_durable(position)
    seq += 1
"""


def command(seq: int, size: int = 10) -> CommandEntered:
    return CommandEntered(session="S", seq=seq, at=WHEN, mode="exec", text=b"x" * size)


def numbers(directory: Path) -> list[int]:
    """Numbers of all events, read to the end."""
    read: list[int] = []
    after: Position | None = None
    with JournalReader(directory) as reader:
        while batch := reader.read("trap-0", after):
            read += [event.seq for _, event in batch]
            after = batch[-1][0]
    return read


def test_every_acknowledged_event_survives_kill_9_exactly_once(tmp_path: Path) -> None:
    chance = random.Random(20_260_102)
    acknowledged: list[int] = []
    start = 0
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(start)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        try:
            # Killed at a random acknowledgement: in the middle of a group, a rotation, a record.
            lines = [process.stdout.readline() for _ in range(chance.randrange(1, 900))]
        finally:
            process.kill()
            # What the pipe still holds was acknowledged as well.
            rest = process.stdout.readlines()
            process.stdout.close()
            process.wait()
        lines += rest
        assert all(line.startswith("ACK ") and line.endswith("\n") for line in lines), lines[-3:]
        # Whoever is told that a place is durable is told so of everything before it.
        acknowledged += range(start, max(int(line.split()[1]) for line in lines) + 1)
        read = numbers(tmp_path)
        assert len(read) == len(set(read)), "an event came twice"
        assert set(acknowledged) <= set(read), "an acknowledged event is missing"
        assert read == list(range(len(read))), "a hole, or out of order"
        start = len(read)

    assert len(acknowledged) > 500


class _PowerCut:
    """What would be on the disk after a power cut: content as of each file's last sync, names as of the folder's.

    Installed over os.fdatasync/fsync, it takes a copy of the folder at every sync, with files that were not
    synced since their last change cut back to what was.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.synced: dict[int, bytes] = {}
        self.disk: dict[str, int] = {}
        self.states: list[tuple[Position, Position, dict[str, bytes]]] = []
        self.writer: JournalWriter | None = None
        self._fdatasync, self._fsync = os.fdatasync, os.fsync
        monkeypatch.setattr(os, "fdatasync", self.fdatasync)
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fdatasync(self, fd: int) -> None:
        self._snapshot()
        self.synced[os.fstat(fd).st_ino] = Path(os.readlink(f"/proc/self/fd/{fd}")).read_bytes()
        self._fdatasync(fd)
        self._snapshot()

    def fsync(self, fd: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{fd}"))
        if not path.is_dir():
            self.fdatasync(fd)
        elif path == self.folder:
            self._snapshot()
            self.disk = {item.name: item.stat().st_ino for item in path.iterdir()}
            self._snapshot()
        self._fsync(fd)

    def _snapshot(self) -> None:
        durable = appended = Position(0, 0)
        if self.writer:
            # Not the property: the writer's lock may be held here.
            durable, appended = self.writer.durable_position, Position(self.writer._segment, self.writer._end)
        files = {name: self.synced.get(inode, b"") for name, inode in self.disk.items()}
        self.states.append((durable, appended, files))


def test_a_power_cut_at_any_sync_keeps_what_was_acknowledged_and_no_watermark_skips_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = JournalSettings(segment_bytes=65_536, sync_milliseconds=1, free_bytes_reserve=0)
    positions: dict[Position, int] = {}
    with monkeypatch.context() as patched:
        power = _PowerCut(tmp_path / "run" / "trap-0", patched)
        power.writer = JournalWriter(tmp_path / "run", "trap-0", settings)
        for seq in range(32):
            position = power.writer.append(command(seq, 9_000))
            positions[position] = seq
            if seq % 3 == 2:
                power.writer.wait_durable(position, 30)
        power.writer.close()
    assert len({position.segment for position in positions}) >= 3, "no rotation was tried"

    ends = [*(appended for _, appended, _ in power.states[1:]), position]
    owed_in_all = watermarks = 0
    for number, ((durable, _, files), readable) in enumerate(zip(power.states, ends, strict=True)):
        folder = tmp_path / f"after-{number}" / "trap-0"
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        with JournalWriter(folder.parent, "trap-0", settings) as writer:
            writer.append(command(1000))
        read = numbers(folder.parent)
        owed = [seq for position, seq in positions.items() if position <= durable]
        owed_in_all += len(owed)
        assert read[: len(owed)] == owed, number
        assert read == [*range(len(read) - 1), 1000], number
        # A reader may have been anywhere that the page cache had, until the next sync; wherever it was, it must come
        # upon what is written after the power cut.
        with JournalReader(folder.parent) as reader:
            for watermark in [place for place in positions if place <= readable]:
                events = reader.read("trap-0", watermark)
                assert [event.seq for _, event in events][-1:] == [1000], (number, watermark)
                watermarks += 1
    print(
        {
            "power cuts": len(power.states),
            "acknowledged": owed_in_all,
            "lost": 0,
            "watermarks tried": watermarks,
        }
    )
    assert owed_in_all > 100 and watermarks > 100


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("reserve", [0, 200_000])
def test_a_full_disk_loses_nothing_that_was_taken_and_recording_goes_on_when_there_is_room(
    tiny_disk: Path, reserve: int
) -> None:
    settings = JournalSettings(segment_bytes=65_536, sync_milliseconds=1, free_bytes_reserve=reserve)
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    taken: list[int] = []
    with JournalWriter(tiny_disk / "journal", "trap-0", settings) as writer:
        with pytest.raises(JournalFullError):
            for seq in range(10_000):
                position = writer.append(command(seq, 1000))
                taken.append(seq)
                writer.wait_durable(position, 30)
        free = os.statvfs(tiny_disk).f_bavail * 4096
        assert free >= reserve - 70_000
        writer.wait_durable(position, 30)
        assert numbers(tiny_disk / "journal") == taken
        ballast.unlink()
    with JournalWriter(tiny_disk / "journal", "trap-0", settings) as writer:
        writer.wait_durable(writer.append(command(20_000)), 30)

    assert numbers(tiny_disk / "journal") == [*taken, 20_000]


def test_a_journal_on_a_full_disk_says_so_at_start(tiny_disk: Path) -> None:
    try:
        (tiny_disk / "ballast").write_bytes(bytes(2_000_000))
    except OSError:
        pass  # which is the point: there is no room left
    with pytest.raises(JournalError, match=r"no room|free space"):
        JournalWriter(tiny_disk / "journal", "trap-0", JournalSettings(free_bytes_reserve=0))

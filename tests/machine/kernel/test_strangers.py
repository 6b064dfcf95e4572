from __future__ import annotations

import struct

import pytest
from tests.machine.kernel.support import Box

from urltrap.machine.api import Process, Run
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.fs.program import ProgramContent
from urltrap.machine.kernel.strangers import stranger, unwritten
from urltrap.machine.kernel.stubs import behaviour, layout
from urltrap.model.event import ProgramRun


def brought(seed: bytes) -> bytes:
    return ProgramContent("bot", 6_000, seed, static=True).read(0, 6_000)


def kind_of(number: int) -> str:
    content = BytesContent(brought(b"%d" % number))
    found = layout(content)
    assert found is not None
    return stranger(content, found).__name__


@pytest.mark.parametrize("seed", [b"%d" % number for number in range(12)])
def test_what_was_brought_seems_to_run_and_mostly_stays(seed: bytes) -> None:
    def program(p: Process) -> Run:
        p.fs.write("/tmp/bot", brought(seed), mode=0o755)
        pid = p.spawn(["/tmp/bot", "arg"])
        yield from p.sleep(2)
        ended = yield from p.wait(pid, block=False)
        alive = [row.argv for row in p.processes() if row.comm == "bot" and row.state != "Z"]
        yield from p.out(f"{ended[1] if ended else None} {alive}")
        return 0

    box = Box()
    job = box.start(program)
    while job.exit_status is None:
        box.effects += job.step(box.now)
        box.now += 1
    seen = box.output().decode()
    assert seen in ("0 [['/tmp/bot', 'arg']]", "0 []", "None [['/tmp/bot', 'arg']]")
    job.end()
    runs = [fields for fields in box.facts(ProgramRun) if fields["path"] == "/tmp/bot"]
    assert all(fields["outcome"] == "ran" for fields in runs)


def test_most_go_to_the_background_and_the_same_file_does_the_same_each_time() -> None:
    kinds = [kind_of(number) for number in range(40)]
    again = [kind_of(number) for number in range(40)]
    assert kinds == again
    assert kinds.count("_daemonises") > 20


def test_a_program_that_nobody_wrote_is_silent_or_crashes() -> None:
    box = Box()
    assert box.run(unwritten("sync")) == 0
    assert box.run(unwritten("frobnicate")) == 139
    assert box.output(1) + box.output(2) == b""


def elf(code: bytes, *, wide: bool = True, interpreter: bytes = b"", length: int | None = None) -> bytes:
    """A file with one loaded part, as testers write them by hand."""
    base, count = 0x400000, 2 if interpreter else 1
    start = (64 + 56 * count if wide else 52 + 32 * count) + len(interpreter)
    size = length or start + len(code)
    at = start - len(interpreter)
    if wide:
        parts = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096)
        if interpreter:
            parts += struct.pack("<IIQQQQQQ", 3, 4, at, base, base, len(interpreter), len(interpreter), 1)
        rest = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + start, 64, 0, 0, 64, 56, count, 0, 0, 0)
    else:
        parts = struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 4096)
        rest = struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + start, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    return b"\x7fELF" + bytes((2 if wide else 1, 1, 1)) + bytes(9) + rest + parts + interpreter + code


WRITE_64 = (
    bytes.fromhex("b801000000bf01000000488d3513000000ba060000000f05b83c000000bf050000000f05") + b"hello\n"
)
# The same by 32-bit system calls, built from pushes: int 0x80 with the text behind the code.
WRITE_32 = bytes.fromhex(
    "6a0458" + "6a015b" + "b9" + "75004000" + "6a065a" + "cd80" + "31c0" + "40" + "31db" + "cd80"
)


def test_a_stub_that_writes_and_exits_does_so() -> None:
    content = BytesContent(elf(WRITE_64))
    found = layout(content)
    assert found is not None
    does = behaviour(content, found)
    assert does is not None and (does.writes, does.status) == ([(1, b"hello\n")], 5)


def test_a_stub_of_32_bits_does_so_too() -> None:
    code = WRITE_32 + b"abcde\n"
    address = 0x400000 + 52 + 32 + len(WRITE_32)
    code = code.replace(bytes.fromhex("75004000"), struct.pack("<I", address))
    content = BytesContent(elf(code, wide=False))
    found = layout(content)
    assert found is not None
    does = behaviour(content, found)
    assert does is not None and (does.writes, does.status) == ([(1, b"abcde\n")], 0)


@pytest.mark.parametrize(
    "code", [b"", b"\x90" * 40, b"\xeb\xfe" * 4, b"\xcc\xcc", b"\x0f\x05" * 9, b"\xe8\0\0\0\0"]
)
def test_what_is_not_known_is_no_stub(code: bytes) -> None:
    content = BytesContent(elf(code))
    found = layout(content)
    assert found is not None and behaviour(content, found) is None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (elf(WRITE_64), 5),
        (elf(WRITE_64)[:90], "Exec format error"),
        (elf(WRITE_64, interpreter=b"/lib/ld-nowhere.so.1\0"), "No such file or directory"),
        (elf(WRITE_64, length=9_000), 139),
        (elf(WRITE_64)[:18] + b"\x08\0" + elf(WRITE_64)[20:], "Exec format error"),
    ],
)
def test_what_the_kernel_says_of_a_file(data: bytes, status: int | str) -> None:
    def program(p: Process) -> Run:
        p.fs.write("/tmp/bot", data, mode=0o755)
        try:
            pid = p.spawn(["/tmp/bot"])
        except SysError as problem:
            yield from p.out(problem.words)
            return 0
        ended = yield from p.wait(pid)
        yield from p.out(f"={ended[1] if ended else None}")
        return 0

    box = Box()
    box.run(program)
    assert box.output().decode().endswith(str(status) if isinstance(status, str) else f"={status}")

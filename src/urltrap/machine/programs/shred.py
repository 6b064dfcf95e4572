"""shred: overwrite files, and remove them."""

from __future__ import annotations

import errno

from urltrap.machine.api import Process, Run
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs._choices import bad_choice
from urltrap.machine.programs._cmd import Cmd, Gen, command
from urltrap.machine.programs._paths import base_name, lstat
from urltrap.machine.programs.head import size_of

# How many random passes stand between the fixed patterns of twelve bits (bit 12: the first bit of each is turned).
_PATTERNS: tuple[int | tuple[int, ...], ...] = (
    2, (0x000, 0xFFF), (0x555, 0xAAA), 1, (0x249, 0x492, 0x6DB, 0x924, 0xB6D, 0xDB6),
    (0x111, 0x222, 0x333, 0x444, 0x666, 0x777, 0x888, 0x999, 0xBBB, 0xCCC, 0xDDD, 0xEEE), 1,
    (0x1000, 0x1249, 0x1492, 0x16DB, 0x1924, 0x1B6D, 0x1DB6, 0x1FFF),
    (0x1111, 0x1222, 0x1333, 0x1444, 0x1555, 0x1666, 0x1777, 0x1888, 0x1999, 0x1AAA, 0x1BBB, 0x1CCC, 0x1DDD, 0x1EEE), 1,
)  # fmt: skip
_BLOCK = 4096
_MOST_PASSES = 100
"""More are counted, not shown: nobody waits for them."""
_KEPT = 1_000_000
_BYTES_A_SECOND = 400e6


def _passes(p: Process, count: int) -> list[int | None]:
    """The pattern of each pass, None where it is random: as GNU's genpattern deals them."""
    fixed: list[int] = []
    random, left, place = 0, count, 0
    while left:
        group = _PATTERNS[place % len(_PATTERNS)]
        place += 1
        if isinstance(group, int):
            taken = min(group, left)
            random += taken
            left -= taken
        elif len(group) <= left:
            fixed += group
            left -= len(group)
        elif left < 2 or 3 * left < len(group):
            random += left
            left = 0
        else:
            fixed += _drawn(p, list(group), left)
            left = 0
    fixed = _drawn(p, fixed, len(fixed))
    # The random ones come first, last and evenly between.
    dealt: list[int | None] = []
    between = random - 1
    due = between
    for _ in range(count):
        if due <= between:
            due += count - 1
            dealt.append(None)
        else:
            dealt.append(fixed.pop())
        due -= between
    return dealt


def _drawn(p: Process, choices: list[int], count: int) -> list[int]:
    return [choices.pop(p.random(len(choices))) for _ in range(count)]


def _three(pattern: int) -> bytes:
    bits = pattern & 0xFFF
    bits |= bits << 12
    first = (bits >> 4 & 0xFF) ^ (0x80 if pattern & 0x1000 else 0)
    return bytes((first, bits >> 8 & 0xFF, bits & 0xFF))


@command("shred", short="fn:s:uvxz", long={
    "force": "f", "iterations:": "n", "size:": "s", "remove::": "remove", "verbose": "v", "exact": "x", "zero": "z",
    "random-source:": "rs"})  # fmt: skip
def shred(c: Cmd) -> Run:
    """Overwrite files."""
    count = c.value("n") or "3"
    if not count.isdecimal():
        yield from c.warn(f"invalid number of passes: {c.lq(count)}")
        return 1
    if int(count) >= 1 << 63:
        yield from c.warn(f"invalid number of passes: {c.lq(count)}: Value too large for defined data type")
        return 1
    size = size_of(c.value("s") or "0")
    if size is None:
        yield from c.warn(f"invalid file size: {c.lq(c.value('s') or '')}")
        return 1
    how = (c.value("remove") or "wipesync") if c.has("remove", "u") else ""
    if how not in ("", "unlink", "wipe", "wipesync"):
        return (yield from bad_choice(c, how, "--remove", ("unlink", "wipe", "wipesync")))
    if not c.args:
        return (yield from c.usage("missing file operand"))
    for path in c.args:
        yield from _file(c, path, min(int(count), _MOST_PASSES), size if c.has("s") else None, how)
    return c.status


def _file(c: Cmd, path: str, count: int, size: int | None, how: str) -> Gen:
    if path == "-":
        yield from c.fail(f"{path}: invalid file type")
        return
    try:
        stat = c.p.fs.stat(path)
        if stat.is_dir:
            raise SysError(errno.EISDIR, path)
        if not c.p.fs.access(path, 2):
            if not c.has("f"):
                raise SysError(errno.EACCES, path)
            c.p.fs.chmod(path, 0o200)
    except SysError as problem:
        yield from c.fail(f"{path}: failed to open for writing: {problem.words}")
        return
    if not stat.is_file:
        yield from c.fail(f"{path}: invalid file type")
        return
    if size is None:
        size = stat.size if c.has("x") else -(-stat.size // _BLOCK) * _BLOCK
    passes: list[int | None] = [*_passes(c.p, count), *((0,) if c.has("z") else ())]
    for number, pattern in enumerate(passes, 1):
        if c.has("v"):
            kind = "random" if pattern is None else _three(pattern).hex()
            yield from c.warn(f"{path}: pass {number}/{len(passes)} ({kind})...")
        yield from c.p.sleep(min(size / _BYTES_A_SECOND, 5.0))
    if passes:
        last, kept = passes[-1], min(max(size, stat.size), _KEPT)
        data = c.p.random_bytes(kept) if last is None else (_three(last) * (kept // 3 + 1))[:kept]
        c.p.fs.put(path, BytesContent(data), mode=stat.mode & 0o777)
    if how:
        yield from _remove(c, path, how)


def _remove(c: Cmd, path: str, how: str) -> Gen:
    """Remove a file after it was given shorter and shorter names."""
    if c.has("v"):
        yield from c.warn(f"{path}: removing")
    at = path
    try:
        if how != "unlink":
            folder = path[: len(path) - len(base_name(path))]
            for length in range(len(base_name(path)), 0, -1):
                name = folder + "0" * length
                if lstat(c.p, name) is not None:
                    continue
                c.p.fs.rename(at, name)
                if c.has("v"):
                    yield from c.warn(f"{at}: renamed to {name}")
                at = name
        c.p.fs.unlink(at)
    except SysError as problem:
        yield from c.fail(f"{path}: failed to remove: {problem.words}")
        return
    if c.has("v"):
        yield from c.warn(f"{path}: removed")

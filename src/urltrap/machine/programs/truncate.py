"""truncate and sync."""

from __future__ import annotations

import errno

from urltrap.machine.api import Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs._paths import lstat
from urltrap.machine.programs.head import size_of

_BLOCK = 4096


@command(
    "truncate", short="cor:s:", long={"no-create": "c", "io-blocks": "o", "reference:": "r", "size:": "s"}
)
def truncate(c: Cmd) -> Run:
    """Make files a size."""
    text, reference = c.value("s"), c.value("r")
    if text is None and reference is None:
        yield from c.warn(f"you must specify either {c.lq('--size')} or {c.lq('--reference')}")
        return (yield from c.usage())
    operator = text[0] if text and text[0] in "+-<>/%" else ""
    asked = size_of((text or "0")[len(operator) :])
    if asked is None:
        yield from c.warn(f"Invalid number: {c.lq((text or '')[len(operator) :])}")
        return 1
    if not asked and operator in ("/", "%") and text:
        yield from c.warn("division by zero")
        return 1
    if text is not None and reference is not None and not operator:
        named = c.lq("--size")
        return (yield from c.usage(f"you must specify a relative {named} with {c.lq('--reference')}"))
    if c.has("o") and text is None:
        yield from c.warn(f"{c.lq('--io-blocks')} was specified but {c.lq('--size')} was not")
        return (yield from c.usage())
    if not c.args:
        return (yield from c.usage("missing file operand"))
    base: int | None = None
    if reference is not None:
        try:
            base = c.p.fs.stat(reference).size
        except SysError as problem:
            yield from c.warn(f"cannot stat {c.quoted(reference)}: {problem.words}")
            return 1
    number = asked * (_BLOCK if c.has("o") else 1)
    for path in c.args:
        try:
            there = lstat(c.p, path)
            if there is None:
                if c.has("c"):
                    continue
                c.p.fs.write(path, b"", mode=0o666 & ~c.p.umask)
            size = c.p.fs.stat(path).size if base is None else base
            goal = size if text is None else _goal(operator, size, number)
            if goal > 1 << 40:
                raise SysError(errno.EFBIG, path)
            c.p.fs.truncate(path, goal)
        except SysError as problem:
            if problem.errno != errno.EFBIG:
                yield from c.fail(f"cannot open {c.quoted(path)} for writing: {problem.words}")
                continue
            yield from c.fail(f"failed to truncate {c.quoted(path)} at {number} bytes: {problem.words}")
    return c.status


def _goal(operator: str, size: int, number: int) -> int:
    """The size that a file of `size` gets."""
    if operator == "+":
        return size + number
    if operator == "-":
        return max(0, size - number)
    if operator == "<":
        return min(size, number)
    if operator == ">":
        return max(size, number)
    if operator == "/":
        return size // number * number
    return -(-size // number) * number if operator == "%" else number


@command("sync", short="df", long={"data": "d", "file-system": "f"})
def sync(c: Cmd) -> Run:
    """Write everything to the disk."""
    for path in c.args:
        try:
            c.p.fs.stat(path)
        except SysError as problem:
            yield from c.fail(f"error opening {c.quoted(path)}: {problem.words}")
    yield from c.p.sleep(0.02)
    return c.status

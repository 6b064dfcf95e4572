"""cat, tac and rev."""

from __future__ import annotations

from urltrap.machine.api import Run, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen, command, paths_or_stdin
from urltrap.machine.programs._lines import Source

_LONG = {
    "show-all": "A", "number-nonblank": "b", "show-ends": "E", "number": "n", "squeeze-blank": "s", "show-tabs": "T",
    "show-nonprinting": "v",
}  # fmt: skip


def _visible(byte: int, tabs: bool) -> bytes:
    if (byte == 9 and not tabs) or byte == 10:
        return bytes([byte])
    high = b"M-" if byte >= 128 else b""
    byte &= 127
    if byte < 32:
        return high + b"^" + bytes([byte + 64])
    return high + (b"^?" if byte == 127 else bytes([byte]))


@command("cat", short="AbeEnstTuv", long=_LONG)
def cat(c: Cmd) -> Run:
    """Concatenate files."""
    letters = {name for name, _ in c.opts}
    if "A" in letters:
        letters |= {"v", "E", "T"}
    if "e" in letters:
        letters |= {"v", "E"}
    if "t" in letters:
        letters |= {"v", "T"}
    state = [0, 0]
    for path in paths_or_stdin(c.args):
        try:
            source = Source(c, path)
        except SysError as problem:
            yield from c.bad_file(path, problem)
            continue
        try:
            if letters <= {"u"}:
                while piece := (yield from source.chunk()):
                    yield from c.p.write(1, piece)
            else:
                yield from _decorated(c, source, letters, state)
        except SysError as problem:
            if problem.path != path:
                raise
            yield from c.bad_file(path, problem)
        finally:
            source.close()
    return c.status


def _decorated(c: Cmd, source: Source, letters: set[str], state: list[int]) -> Gen:
    table = [_visible(byte, "T" in letters) for byte in range(256)] if letters & {"v", "T"} else None
    if table is not None and "v" not in letters:
        table = [bytes([byte]) for byte in range(256)]
        table[9] = b"^I"
    while line := (yield from source.line()):
        ended = line.endswith(b"\n")
        body = line[:-1] if ended else line
        blank = not body
        if "s" in letters:
            state[1] = state[1] + 1 if blank else 0
            if state[1] > 1:
                continue
        if ("n" in letters and "b" not in letters) or ("b" in letters and not blank):
            state[0] += 1
            yield from c.put(b"%6d\t" % state[0])
        if table is not None:
            body = b"".join([table[byte] for byte in body])
        if ended:
            if "E" in letters and body.endswith(b"\r"):
                body = body[:-1] + b"^M"
            body += b"$\n" if "E" in letters else b"\n"
        yield from c.put(body)
        yield from c.p.tick()


@command("tac", short="brs:", long={"before": "b", "regex": "r", "separator:": "s"})
def tac(c: Cmd) -> Run:
    """Lines in reverse order."""
    separator = encode(c.value("s") or "\n")
    for path in paths_or_stdin(c.args):
        try:
            data = yield from c.load(path)
        except SysError as problem:
            yield from c.fail(f"failed to open {c.quoted(path)} for reading: {problem.words}")
            continue
        pieces = data.split(separator)
        if c.has("b"):
            pieces[1:] = [separator + piece for piece in pieces[1:]]
        else:
            pieces[:-1] = [piece + separator for piece in pieces[:-1]]
        for piece in reversed(pieces):
            yield from c.put(piece)
            yield from c.p.tick()
    return c.status


@command("rev", short="V", package="util-linux", version="2.38.1")
def rev(c: Cmd) -> Run:
    """Characters of each line in reverse order."""
    for path in paths_or_stdin(c.args):
        try:
            source = Source(c, path)
        except SysError as problem:
            yield from c.fail(f"cannot open {path}: {problem.words}")
            continue
        while line := (yield from source.line()):
            ended = line.endswith(b"\n")
            body = decode(line[:-1] if ended else line)
            yield from c.put(encode(body[::-1]) + (b"\n" if ended else b""))
            yield from c.p.tick(1 + len(line) // 200)
        source.close()
    return c.status

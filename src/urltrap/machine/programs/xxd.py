"""xxd 2022: a hex dump, and back from one."""

from __future__ import annotations

import re

from urltrap.machine.api import Run, encode
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs._bytes import LIMIT, count
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs._getopt import getopt

_LETTERS = "abc:eg:hil:o:pPrs:uvCd"


@command("xxd", short=_LETTERS, bb="pri:g:c:l:o:s:", bad=1)
def xxd(c: Cmd) -> Run:
    """A hex dump, or back from one."""
    if any(word in ("-ps", "-plain", "-postscript") for word in c.p.argv):
        # Long names with one dash, which the letters' parser took for several options.
        words = ["-p" if word in ("-ps", "-plain", "-postscript") else word for word in c.p.argv[1:]]
        c.opts, c.args = getopt(words, _LETTERS)
    path = c.args[0] if c.args else "-"
    try:
        data = yield from c.load(path)
    except SysError as problem:
        yield from c.p.err(f"{c.name}: {path}: {problem.words}\n")
        return 2 if not c.bb else 1
    if c.has("r"):
        found = _reverse(data, c.has("p", "P"))
    else:
        seek = c.value("s") or "0"
        skip, limit = count(seek.lstrip("+-")) or 0, count(c.value("l"))
        if seek.startswith("-"):
            skip = max(0, len(data) - skip)
        data = data[skip:] if limit is None or limit < 0 else data[skip : skip + limit]
        yield from c.p.tick(1 + len(data) // 64)
        found = encode(_text(c, data, skip + (count(c.value("o")) or 0), path))
    if len(c.args) > 1:
        c.p.fs.put(c.args[1], BytesContent(found), mode=0o666 & ~c.p.umask)
    else:
        yield from c.put(found)
    return 0


def _text(c: Cmd, data: bytes, offset: int, path: str) -> str:
    plain, bits, listing = c.has("p", "P"), c.has("b"), c.has("i")
    width = count(c.value("c")) or (30 if plain else 6 if bits else 12 if listing else 16)
    width = max(1, min(width, 256))
    form = "02X" if c.has("u") else "02x"
    if plain:
        rows = [data[at : at + width] for at in range(0, len(data), width)]
        return "".join("".join(f"{byte:{form}}" for byte in row) + "\n" for row in rows)
    if listing:
        return _listing(data, width, form, path)
    group = count(c.value("g")) if c.has("g") else (1 if bits else 4 if c.has("e") else 2)
    group = group if group and group > 0 else width
    out: list[str] = []
    empty = 0
    for at in range(0, len(data), width):
        row = data[at : at + width]
        # Only rows of zeros are left out by -a, and the last one never is.
        empty = 0 if any(row) else empty + 1
        if c.has("a") and empty > 1 and at + width < len(data):
            if empty == 2:
                out.append("*\n")
            continue
        cells = [f"{byte:08b}" if bits else f"{byte:{form}}" for byte in row]
        groups = [cells[n : n + group] for n in range(0, len(cells), group)]
        if c.has("e"):
            short = [""] * (group - len(groups[-1])) if groups else []
            groups = [list(reversed(each)) for each in groups]
            groups[-1] = ["  " for _ in short] + groups[-1]
        text = " ".join("".join(each) for each in groups)
        room = width * (8 if bits else 2) + (width - 1) // group
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        out.append(f"{at + offset:08{'d' if c.has('d') else 'x'}}: {text:<{room}}  {shown}\n")
    return "".join(out)


def _listing(data: bytes, width: int, form: str, path: str) -> str:
    """An array for a C program."""
    rows = [
        ", ".join(f"0x{byte:{form}}" for byte in data[at : at + width]) for at in range(0, len(data), width)
    ]
    body = ",\n".join("  " + row for row in rows) + "\n"
    if path == "-":
        return body
    name = re.sub(r"\W", "_", path)
    return f"unsigned char {name}[] = {{\n{body}}};\nunsigned int {name}_len = {len(data)};\n"


def _reverse(data: bytes, plain: bool) -> bytes:
    if plain:
        pairs = re.findall(rb"[0-9a-fA-F]{2}", re.sub(rb"[ \t\r\n]", b"", data))
        return bytes.fromhex(b"".join(pairs).decode())
    out = bytearray()
    for line in data.split(b"\n"):
        match = re.match(rb"\s*([0-9a-fA-F]{1,8}):?\s?((?:[0-9a-fA-F]{2,32} ?)*)", line)
        if match is None:
            continue
        at = int(match[1], 16)
        digits = match[2].split(b"  ")[0].replace(b" ", b"")
        if at > LIMIT:
            continue
        piece = bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
        if at > len(out):
            out += bytes(at - len(out))
        out[at : at + len(piece)] = piece
    return bytes(out)

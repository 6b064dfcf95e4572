# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""od, xxd, hexdump, strings."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from urltrap.machine.api import Run, decode, encode
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command, paths_or_stdin
from urltrap.machine.programs._lines import Source

_CHARS = {0: "\\0", 7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}
_NAMES = ["nul", "soh", "stx", "etx", "eot", "enq", "ack", "bel", "bs", "ht", "nl", "vt", "ff", "cr", "so", "si", "dle", "dc1", "dc2", "dc3", "dc4", "nak", "syn", "etb", "can", "em", "sub", "esc", "fs", "gs", "rs", "us", "sp"]  # fmt: skip
_LIMIT = 16_000_000


def _count(text: str | None) -> int | None:
    """A number in decimal, hex or octal with b, k, m behind; -1 where it is none."""
    if text is None:
        return None
    match = re.fullmatch(r"(0[xX][0-9a-fA-F]{1,12}|[0-9]{1,15})([bkKmMG]?)B?", text)
    if match is None:
        return -1
    digits = match[1]
    base = (
        16
        if digits[:2].lower() == "0x"
        else 8
        if digits.startswith("0") and len(digits) > 1 and set(digits) <= set("01234567")
        else 10
    )
    return (
        int(digits, base)
        * {"": 1, "b": 512, "k": 1024, "K": 1024, "m": 1024**2, "M": 1024**2, "G": 1024**3}[match[2]]
    )


def _od_type(text: str) -> list[tuple[Callable[[bytes], str], int, int]] | None:
    """(formatter of one unit, its size in bytes, its width) for each type in `text`."""
    found: list[tuple[Callable[[bytes], str], int, int]] = []
    for match in re.finditer(r"([acdfoux])([0-9]+|[CSIL])?z?|(.)", text):
        if match[3]:
            return None
        kind = match[1]
        size = (
            {"C": 1, "S": 2, "I": 4, "L": 8}.get(match[2] or "", 0)
            or int((match[2] or "0")[:2])
            or (1 if kind in "ac" else 8 if kind == "f" else 4)
        )
        if size not in (1, 2, 4, 8):
            return None
        if kind == "c":
            found.append(
                (
                    lambda data: (
                        _CHARS.get(data[0]) or (chr(data[0]) if 32 <= data[0] < 127 else f"{data[0]:03o}")
                    ),
                    1,
                    3,
                )
            )
        elif kind == "a":
            found.append(
                (
                    lambda data: (
                        _NAMES[data[0] & 127]
                        if data[0] & 127 < 33
                        else "del"
                        if data[0] & 127 == 127
                        else chr(data[0] & 127)
                    ),
                    1,
                    3,
                )
            )
        elif kind == "f":
            form, width = ("<f", 15) if size == 4 else ("<d", 24)

            def real(data: bytes, form: str = form, size: int = size) -> str:
                return f"{struct.unpack(form, data.ljust(size, bytes(1)))[0]:.{8 if size == 4 else 17}g}"

            found.append((real, size, width))
        else:
            width = {
                "o": {1: 3, 2: 6, 4: 11, 8: 22},
                "x": {1: 2, 2: 4, 4: 8, 8: 16},
                "u": {1: 3, 2: 5, 4: 10, 8: 20},
                "d": {1: 4, 2: 6, 4: 11, 8: 20},
            }[kind][size]

            def one(data: bytes, kind: str = kind, width: int = width) -> str:
                value = int.from_bytes(data, "little", signed=kind == "d")
                return (
                    f"{value:0{width}o}"
                    if kind == "o"
                    else f"{value:0{width}x}"
                    if kind == "x"
                    else str(value)
                )

            found.append((one, size, width))
    return found


@command("od", short="A:j:N:S::t:vw::abBcdDeFfhHiIlLosxX", long={"address-radix:": "A", "skip-bytes:": "j", "read-bytes:": "N", "strings::": "S", "format:": "t",
                                      "output-duplicates": "v", "width::": "w", "endian:": "endian"})  # fmt: skip
def od(c: Cmd) -> Run:
    """Dump in octal and other forms."""
    old = {"a": "a", "b": "o1", "B": "o2", "c": "c", "d": "u2", "D": "u4", "f": "f4", "F": "f8", "h": "x2", "H": "x4", "i": "d4", "I": "d8", "l": "d8",
           "L": "d8", "o": "o2", "s": "d2", "x": "x2", "X": "x4"}  # fmt: skip
    types: list[tuple[Callable[[bytes], str], int, int]] = []
    for name, value in c.opts:
        text = value if name == "t" else old.get(name)
        if text is not None:
            each = _od_type(text)
            if each is None:
                yield from c.warn(f"invalid character '{text[0]}' in type string {c.lq(text)}")
                return 1
            types += each
    types = types or (_od_type("o2") or [])
    radix = (c.value("A") or "o")[:1]
    if radix not in "doxn":
        yield from c.warn(f"invalid output address radix '{radix}'; it must be one character from [doxn]")
        return 1
    skip, limit = _count(c.value("j")) or 0, _count(c.value("N"))
    if skip < 0 or limit == -1:
        yield from c.warn(
            f"invalid {'-j' if skip < 0 else '-N'} argument {c.lq(c.value('j' if skip < 0 else 'N') or '')}"
        )
        return 1
    width = _count(c.value("w") or "32") or 16 if c.has("w") else 16
    data = bytearray()
    need = None if limit is None else skip + limit
    for path in paths_or_stdin(c.args):
        try:
            source = Source(c, path)
            while len(data) < (_LIMIT if need is None else need):
                piece = yield from c.p.read(
                    source.fd, 65_536 if need is None else max(1, min(65_536, need - len(data)))
                )
                if not piece:
                    break
                data += piece
            source.close()
        except SysError as problem:
            yield from c.fail(
                f"{c.quote(path)}: {problem.words}"
                if problem.errno != 21
                else f"{c.quote(path)}: read error: {problem.words}"
            )
    whole = bytes(data[skip:] if limit is None else data[skip : skip + limit])
    if len(data) < skip:
        yield from c.warn("cannot skip past end of combined input")
        return 1
    if not (c.status and not whole):
        yield from _od_rows(c, whole, types, radix, skip, max(1, min(width, 4096)))
    return c.status


def _od_rows(
    c: Cmd,
    data: bytes,
    types: list[tuple[Callable[[bytes], str], int, int]],
    radix: str,
    skip: int,
    width: int,
) -> Run:
    def address(at: int) -> str:
        return {"o": f"{at:07o}", "d": f"{at:07d}", "x": f"{at:06x}", "n": ""}[radix]

    largest = max(each[1] for each in types)
    block = max(largest // each[1] * (each[2] + 1) for each in types)
    last, starred = b"", False
    for at in range(0, len(data), width):
        row = data[at : at + width]
        if row == last and len(row) == width and not c.has("v") and at + width <= len(data):
            if not starred:
                yield from c.say("*\n")
            starred = True
            continue
        last, starred = row, False
        for number, (form, size, _) in enumerate(types):
            text = "".join(
                form(row[n : n + size].ljust(size, b"\0")).rjust(block * size // largest)
                for n in range(0, len(row), size)
            )
            head = address(at + skip) if number == 0 else " " * len(address(at + skip))
            yield from c.say(f"{head}{text}\n")
        yield from c.p.tick(2)
    if radix != "n":
        yield from c.say(address(skip + len(data)) + "\n")
    return 0


@command("xxd", short="abc:eEg:hil:o:pPrs:uvCR:d", bb="pri:g:c:l:o:s:", bad=1)
def xxd(c: Cmd) -> Run:
    """A hex dump, or back from one."""
    path = c.args[0] if c.args else "-"
    try:
        data = yield from c.load(path)
    except SysError as problem:
        yield from c.p.err(f"{c.name}: {path}: {problem.words}\n")
        return 2 if not c.bb else 1
    if c.has("r"):
        found = _reverse(data, c.has("p", "P"))
    else:
        skip, limit = _count((c.value("s") or "0").lstrip("+-")) or 0, _count(c.value("l"))
        data = data[skip:] if limit is None or limit < 0 else data[skip : skip + limit]
        yield from c.p.tick(1 + len(data) // 64)
        found = encode(_xxd_text(c, data, skip, path))
    if len(c.args) > 1:
        c.p.fs.put(c.args[1], BytesContent(found), mode=0o666 & ~c.p.umask)
    else:
        yield from c.put(found)
    return 0


def _xxd_text(c: Cmd, data: bytes, skip: int, path: str) -> str:
    plain, bits, listing = c.has("p", "P"), c.has("b"), c.has("i")
    width = _count(c.value("c")) or (30 if plain else 6 if bits else 12 if listing else 16)
    width = max(1, min(width, 256))
    form = "02X" if c.has("u") else "02x"
    if plain:
        return "".join(
            "".join(f"{byte:{form}}" for byte in data[at : at + width]) + "\n"
            for at in range(0, len(data), width)
        )
    if listing:
        name = re.sub(r"\W", "_", path)
        rows = [
            ", ".join(f"0x{byte:{form}}" for byte in data[at : at + width])
            for at in range(0, len(data), width)
        ]
        body = ",\n".join("  " + row for row in rows)
        return (
            body + "\n"
            if path == "-"
            else f"unsigned char {name}[] = {{\n{body}\n}};\nunsigned int {name}_len = {len(data)};\n"
        )
    group = _count(c.value("g")) if c.has("g") else (1 if bits else 4 if c.has("e") else 2)
    group = group if group and group > 0 else width
    out = []
    for at in range(0, len(data), width):
        row = data[at : at + width]
        cells = [f"{byte:08b}" if bits else f"{byte:{form}}" for byte in row]
        groups = [cells[n : n + group] for n in range(0, len(cells), group)]
        if c.has("e"):
            groups = [list(reversed(each)) for each in groups]
        text = " ".join("".join(each) for each in groups)
        room = width * (8 if bits else 2) + (width - 1) // group
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        out.append(f"{at + skip:08x}: {text:<{room}}  {shown}\n")
    return "".join(out)


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
        if at > _LIMIT:
            continue
        piece = bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
        if at > len(out):
            out += bytes(at - len(out))
        out[at : at + len(piece)] = piece
    return bytes(out)


@command(
    "hexdump",
    "hd",
    short="bcCdoxve:f:n:s:L",
    bad=1,
    package="util-linux",
    version="2.38.1",
    bb="bcCdoxve:f:n:s:",
)
def hexdump(c: Cmd) -> Run:
    """A hex dump."""
    data = bytearray()
    opened = 0
    skip, limit = _count(c.value("s")) or 0, _count(c.value("n"))
    need = None if limit is None or limit < 0 else skip + limit
    for path in paths_or_stdin(c.args):
        try:
            source = Source(c, path)
        except SysError as problem:
            yield from c.fail(f"{path}: {problem.words}")
            continue
        opened += 1
        while len(data) < (_LIMIT if need is None else need):
            piece = yield from c.p.read(
                source.fd, 65_536 if need is None else max(1, min(65_536, need - len(data)))
            )
            if not piece:
                break
            data += piece
        source.close()
    if not opened:
        if not c.bb:
            yield from c.warn("all input file arguments failed")
        return 1
    whole = bytes(data[skip : need if need is not None else len(data)])
    template = c.value("e")
    if template is not None:
        yield from c.say(_template(template, whole))
        return c.status
    canonical = c.has("C") or c.name.endswith("hd")
    kind = c.last("bcdox") or "plain"
    last, starred = b"", False
    for at in range(0, len(whole), 16):
        row = whole[at : at + 16]
        if row == last and not c.has("v"):
            if not starred:
                yield from c.say("*\n")
            starred = True
            continue
        last, starred = row, False
        yield from c.say(_hex_row(row, at + skip, canonical, kind))
        yield from c.p.tick()
    if whole:
        yield from c.say(f"{len(whole) + skip:0{8 if canonical else 7}x}\n")
    return c.status


def _hex_row(row: bytes, at: int, canonical: bool, kind: str) -> str:
    if canonical:
        left = " ".join(f"{byte:02x}" for byte in row[:8])
        right = " ".join(f"{byte:02x}" for byte in row[8:])
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        return f"{at:08x}  {left:<23}  {right:<23}  |{shown}|\n"
    if kind == "b":
        return f"{at:07x}" + "".join(f" {byte:03o}" for byte in row).ljust(64) + "\n"
    if kind == "c":
        cells = [_CHARS.get(byte) or (chr(byte) if 32 <= byte < 127 else f"{byte:03o}") for byte in row]
        return f"{at:07x}" + "".join(cell.rjust(4) for cell in cells).ljust(64) + "\n"
    words = [int.from_bytes(row[n : n + 2], "little") for n in range(0, len(row), 2)]
    form = {"d": "   {:05d}", "o": "  {:06o}", "x": "    {:04x}", "plain": " {:04x}"}[kind]
    text = "".join(form.format(word) for word in words)
    return f"{at:07x}{text:<{len(form.format(0)) * 8}}\n"


def _template(template: str, data: bytes) -> str:
    """The forms of -e that are seen: ITERATIONS/SIZE "FORMAT" units."""
    units = re.findall(r"(\d*)(?:/(\d+))?\s*\"((?:[^\"\\]|\\.)*)\"", template)
    out: list[str] = []
    pos = 0
    while pos < len(data) and units:
        before = pos
        for times, size, form in units:
            form = form.replace("\\n", "\n").replace("\\t", "\t")
            if "%" not in form:
                out.append(form)
                continue
            for _ in range(min(int(times or 1), 4096)):
                width = int(size or (1 if re.search(r"%[^a-z]*(c|_)", form) else 4))
                piece = data[pos : pos + max(1, min(width, 8))]
                pos += len(piece)
                if not piece:
                    break
                value = int.from_bytes(piece, "little")

                def fill(match: re.Match[str], value: int = value, piece: bytes = piece) -> str:
                    return _directive(match, value, piece)

                out.append(re.sub(r"%([-#0 +]*\d{0,3}(?:\.\d{0,3})?)(_c|_p|_u|[a-zA-Z])", fill, form))
        if pos == before:
            break
    return "".join(out)


def _directive(match: re.Match[str], value: int, piece: bytes) -> str:
    flags, kind = match[1], match[2]
    if kind in ("_p", "_c", "c", "_u"):
        return chr(piece[0]) if 32 <= piece[0] < 127 else "."
    if kind == "s":
        return decode(piece)
    if kind in "diouxX":
        return ("%" + flags + ("d" if kind in "diu" else kind)) % value
    return match[0]


@command("strings", short="adfn:o0123456789wt:e:T:s:", bb="afon:t:", package="GNU Binutils for Debian", version="2.40", long={"all": "a", "data": "d", "print-file-name": "f",
         "bytes:": "n", "radix:": "t", "encoding:": "e", "include-all-whitespace": "w", "output-separator:": "s"})  # fmt: skip
def strings(c: Cmd) -> Run:
    """Printable runs in files."""
    digits = "".join(name for name, _ in c.opts if len(name) == 1 and name.isdigit())
    text = c.value("n") or digits or "4"
    if not text.isdecimal() or not int(text[:9]):
        yield from c.p.err(
            f"{c.name}: invalid integer argument {text}\n"
            if not text.isdecimal()
            else f"{c.name}: minimum string length is too small: {text}\n"
        )
        return 1
    least = min(int(text[:9]), 60_000)
    pattern = re.compile(rb"[\t\n\r -~]{%d,}" % least if c.has("w") else rb"[\t -~]{%d,}" % least)
    radix = c.value("t") or ("o" if c.has("o") else "")
    for path in paths_or_stdin(c.args):
        try:
            data = yield from c.load(path)
        except SysError as problem:
            if c.bb:
                yield from c.fail(f"{path}: {problem.words}")
            elif problem.errno == 2:
                yield from c.fail(f"'{path}': No such file")
            elif problem.errno == 21:
                yield from c.p.err(f"{c.name}: Warning: '{path}' is a directory\n")
                c.status = 1
            else:
                yield from c.fail(f"{path}: {problem.words}")
            continue
        yield from c.p.tick(1 + len(data) // 4096)
        for match in pattern.finditer(data):
            head = f"{path}: " if c.has("f") else ""
            if radix:
                head += {
                    "o": f"{match.start():7o} ",
                    "d": f"{match.start():7d} ",
                    "x": f"{match.start():7x} ",
                }.get(radix[:1], "")
            yield from c.put(encode(head) + match.group() + b"\n")
    return c.status

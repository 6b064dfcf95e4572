"""Decoders and filters of the recovery machine: base64, xxd, openssl, gzip and their kind, as far as texts use them.

They are lenient where the real programs refuse (a damaged byte should not cost the rest), and are used wherever the
machine itself has no program of that name.
"""

from __future__ import annotations

import base64
import bz2
import codecs
import lzma
import re
import zlib
from collections.abc import Callable, Generator
from typing import Any

from urltrap.machine.api import Process, Program, Run, encode
from urltrap.machine.errors import SysError

_MOST = 2_000_000
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_NOT_BASE32 = re.compile(rb"[^A-Z2-7]")
_NOT_HEX = re.compile(rb"[^0-9a-fA-F]")


def unbase64(data: bytes) -> bytes:
    """As much of base64 text as there is; characters that do not belong are left out."""
    data = _NOT_BASE64.sub(b"", data.partition(b"=")[0] if b"=" in data.rstrip(b"=\n ")[-4:] else data)
    data = data[: len(data) - 1] if len(data) % 4 == 1 else data
    return base64.b64decode(data + b"=" * (-len(data) % 4))


def unhex(data: bytes) -> bytes:
    """As much of a plain hexadecimal text as there is."""
    data = _NOT_HEX.sub(b"", data)
    return bytes.fromhex(data[: len(data) & ~1].decode())


def unxxd(data: bytes) -> bytes:
    """What ``xxd -r`` makes of a dump: ``00000000: 6874 7470  http``."""
    out = bytearray()
    for line in data.splitlines():
        place, colon, rest = line.partition(b":")
        if colon and not _NOT_HEX.search(place.strip()):
            out += unhex(rest.strip().partition(b"  ")[0])
    return bytes(out)


def inflate(data: bytes) -> bytes:
    """gzip, zlib or raw deflate data, up to the limit; what is whole of a damaged one."""
    for bits in (31, 15, -15):
        try:
            return zlib.decompressobj(bits).decompress(data, _MOST)
        except zlib.error:
            continue
    return b""


def _unxz(data: bytes) -> bytes:
    try:
        return lzma.LZMADecompressor(memlimit=64_000_000).decompress(data, _MOST)
    except (lzma.LZMAError, EOFError):
        return b""


def _unbz2(data: bytes) -> bytes:
    try:
        return bz2.BZ2Decompressor().decompress(data, _MOST)
    except (OSError, EOFError, ValueError):
        return b""


def _input(p: Process, with_value: str = "") -> Generator[Any, Any, tuple[str, list[str], bytes]]:
    """(letters of the options, operands, all of the input)."""
    letters, operands = "", []
    words = p.argv[1:]
    while words:
        word = words.pop(0)
        if word.startswith("-") and len(word) > 1:
            letters += word[2:] if word.startswith("--") else word[1:]
            if word[-1] in with_value and not word.startswith("--") and words:
                words.pop(0)
        else:
            operands.append(word)
    data = b""
    files = [word for word in operands if word != "-"]
    if files:
        for name in files[:20]:
            try:
                data += p.fs.read(name, _MOST)
            except SysError:
                continue
    else:
        data = yield from p.read_all(0, _MOST)
    return letters, operands, data


def filtering(change: Callable[[bytes], bytes]) -> Program:
    """A program that prints what `change` makes of its input."""

    def run(p: Process) -> Run:
        _, _, data = yield from _input(p)
        yield from p.tick(1 + len(data) // 256)
        yield from p.write(1, change(data))
        return 0

    return run


def coder(decoding: Callable[[bytes], bytes], encoding: Callable[[bytes], bytes]) -> Program:
    """A program that decodes with ``-d`` (``-D``, ``--decode``) and encodes without."""

    def run(p: Process) -> Run:
        letters, _, data = yield from _input(p, "w")
        wants = "d" in letters or "D" in letters
        yield from p.tick(1 + len(data) // 256)
        yield from p.write(1, decoding(data) if wants else encoding(data))
        return 0

    return run


def _unpacker(decode: Callable[[bytes], bytes], ending: str) -> Program:
    def run(p: Process) -> Run:
        letters, operands, data = yield from _input(p)
        plain = decode(data)
        files = [word for word in operands if word != "-"]
        if files and "c" not in letters and p.argv[0].rpartition("/")[2] not in ("zcat", "xzcat", "bzcat"):
            try:
                p.fs.write(files[0].removesuffix(ending), plain, mode=0o755)
            except SysError:
                return 1
        else:
            yield from p.write(1, plain or data)
        return 0

    return run


def xxd(p: Process) -> Run:
    """``xxd -r -p`` and ``xxd -r``; without -r a plain dump."""
    letters, _, data = yield from _input(p, "lscg")
    if "r" in letters:
        yield from p.write(1, unhex(data) if "p" in letters or b":" not in data else unxxd(data))
    else:
        yield from p.write(1, data.hex().encode() + b"\n")
    return 0


def openssl(p: Process) -> Run:
    """``openssl base64 -d``, ``openssl enc -base64 -d``; ciphers whose key is unknown give nothing."""
    words = p.argv[1:]
    text = b""
    for number, word in enumerate(words[:-1]):
        if word == "-in":
            try:
                text = p.fs.read(words[number + 1], _MOST)
            except SysError:
                text = b""
    text = text or (yield from p.read_all(0, _MOST))
    based = any(word in ("base64", "-base64", "-a") for word in words)
    if words[:1] == ["passwd"] or not based:
        return 0
    yield from p.write(1, unbase64(text) if "-d" in words else base64.b64encode(text) + b"\n")
    return 0


def rev(data: bytes) -> bytes:
    """Every line turned around."""
    return b"\n".join(line[::-1] for line in data.split(b"\n"))


def _rot13(data: bytes) -> bytes:
    return encode(codecs.encode(data.decode("utf-8", "surrogateescape"), "rot13"))


def _unbase32(data: bytes) -> bytes:
    data = _NOT_BASE32.sub(b"", data.upper())
    data = data[: len(data) - len(data) % 8 + {0: 0, 2: 2, 4: 4, 5: 5, 7: 7}.get(len(data) % 8, 0)]
    return base64.b32decode(data + b"=" * (-len(data) % 8))


TOOLS: dict[str, Program] = {
    "base64": coder(unbase64, lambda data: base64.b64encode(data) + b"\n"),
    "base32": coder(_unbase32, lambda data: base64.b32encode(data) + b"\n"),
    "xxd": xxd, "openssl": openssl, "rev": filtering(rev), "rot13": filtering(_rot13),
    **dict.fromkeys(("gzip", "gunzip", "zcat", "uncompress"), _unpacker(inflate, ".gz")),
    **dict.fromkeys(("xz", "unxz", "xzcat", "lzma"), _unpacker(_unxz, ".xz")),
    **dict.fromkeys(("bzip2", "bunzip2", "bzcat"), _unpacker(_unbz2, ".bz2")),
}  # fmt: skip
"""By name."""

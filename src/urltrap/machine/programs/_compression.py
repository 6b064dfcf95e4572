"""gzip, bzip2, xz and zip data: recognised by magic, unpacked within a limit."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib


class DecodeError(Exception):
    """The data is not compressed, or broken; `partial` is what could be unpacked."""

    def __init__(self, words: str, partial: bytes = b"") -> None:
        super().__init__(words)
        self.partial = partial


def kind_of(data: bytes) -> str:
    """ "gz", "bz2", "xz", "lzma" or ""."""
    if data[:2] == b"\x1f\x8b":
        return "gz"
    if data[:3] == b"BZh":
        return "bz2"
    if data[:6] == b"\xfd7zXZ\0":
        return "xz"
    return "lzma" if data[:3] == b"]\0\0" else ""


def decompress(data: bytes, limit: int) -> tuple[bytes, str]:
    """(content, kind); DecodeError where it is not compressed or breaks off. At most `limit` bytes come out."""
    kind = kind_of(data)
    if not kind:
        raise DecodeError("not in gzip format")
    out = bytearray()
    rest = data
    try:
        while rest and kind_of(rest) == kind and len(out) < limit:
            if kind == "gz":
                machine = zlib.decompressobj(31)
                out += machine.decompress(rest, limit - len(out))
                if not machine.eof:
                    if machine.unconsumed_tail:
                        break  # the limit
                    raise DecodeError("unexpected end of file", bytes(out))
                rest = machine.unused_data
            else:
                other = (
                    bz2.BZ2Decompressor() if kind == "bz2" else lzma.LZMADecompressor(memlimit=128_000_000)
                )
                out += other.decompress(rest, limit - len(out))
                if not other.eof:
                    if len(out) >= limit:
                        break
                    raise DecodeError("unexpected end of file", bytes(out))
                rest = other.unused_data
    except (zlib.error, OSError, lzma.LZMAError, ValueError, EOFError) as problem:
        raise DecodeError(
            "crc error" if "crc" in str(problem) else "invalid compressed data--format violated", bytes(out)
        ) from None
    return bytes(out), kind


def compress(data: bytes, kind: str, now: float, name: str = "") -> bytes:
    """Compressed data."""
    if kind == "gz":
        body = gzip.compress(data, 6, mtime=int(now) if name else 0)
        if name:
            label = name.encode("utf-8", "surrogateescape") + b"\0"
            body = body[:3] + b"\x08" + body[4:9] + b"\x03" + label + body[10:]
        return body
    if kind == "bz2":
        return bz2.compress(data)
    form = lzma.FORMAT_ALONE if kind == "lzma" else lzma.FORMAT_XZ
    return lzma.compress(data, form, preset=1)

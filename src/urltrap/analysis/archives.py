"""Files of an archive, within bounds that hold for the whole: depth, number, bytes, and how much out of how little."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_STEP = 1 << 16
_NAME = 300


@dataclass
class Budget:
    """What one payload's archives may cost in all; counted down as it is spent."""

    bytes: int = 64_000_000
    files: int = 300
    depth: int = 3
    ratio: int = 200

    def allows(self, packed: int, unpacked: int) -> bool:
        """Whether so much may come out of so little. Small files may be as dense as they like."""
        return unpacked <= self.bytes and (unpacked < 1_000_000 or unpacked <= max(packed, 1) * self.ratio)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """One file: its path in the archive, its content, or why there is none (`problem`). `size` as far as is known."""

    path: str
    data: bytes
    size: int
    problem: str = ""


class _TooLarge(Exception):
    """More comes out than the budget allows."""


def is_archive(head: bytes) -> bool:
    """Whether the first bytes are those of an archive that `unpack` reads."""
    return head.startswith((b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")) or head[257:262] == b"ustar"


def unpack(data: bytes, budget: Budget) -> Iterator[Unpacked]:
    """The files of a zip, tar, gzip, bzip2 or xz, one level deep. Never raises for any bytes; never writes."""
    if data.startswith(b"PK\x03\x04"):
        yield from _zip(data, budget)
    elif data[257:262] == b"ustar":
        yield from _tar(data, budget)
    elif is_archive(data):
        yield from _stream(data, budget)


def _spend(budget: Budget, size: int) -> None:
    budget.bytes -= size
    budget.files -= 1


def _zip(data: bytes, budget: Budget) -> Iterator[Unpacked]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError, UnicodeDecodeError) as error:
        yield Unpacked("", b"", 0, f"damaged: {type(error).__name__}")
        return
    with archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            if budget.files <= 0:
                yield Unpacked("…", b"", 0, "too-many")
                return
            yield _zipped(archive, info, budget)


def _zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Unpacked:
    name = info.filename[:_NAME]
    if info.flag_bits & 1:
        budget.files -= 1
        return Unpacked(name, b"", info.file_size, "encrypted")
    if not budget.allows(info.compress_size, info.file_size):
        budget.files -= 1
        return Unpacked(name, b"", info.file_size, "too-large")
    try:
        with archive.open(info) as stream:
            # The size that the header claims is a claim: reading stops by our own count.
            body = stream.read(min(info.file_size, budget.bytes) + 1)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError,
            NotImplementedError) as error:  # fmt: skip
        budget.files -= 1
        return Unpacked(name, b"", info.file_size, f"damaged: {type(error).__name__}")
    _spend(budget, len(body))
    if len(body) > info.file_size:
        return Unpacked(name, b"", len(body), "too-large")
    return Unpacked(name, body, len(body))


def _tar(data: bytes, budget: Budget) -> Iterator[Unpacked]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for info in archive:
                if not info.isfile():
                    continue
                if budget.files <= 0:
                    yield Unpacked("…", b"", 0, "too-many")
                    return
                stream = archive.extractfile(info) if not info.sparse else None
                # A plain tar is not compressed: what is not in the data cannot come out of it.
                if stream is None or info.size > min(len(data), budget.bytes):
                    budget.files -= 1
                    yield Unpacked(info.name[:_NAME], b"", info.size, "too-large")
                    continue
                body = stream.read(info.size)
                _spend(budget, len(body))
                yield Unpacked(info.name[:_NAME], body, len(body))
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError, RecursionError) as error:
        yield Unpacked("", b"", 0, f"damaged: {type(error).__name__}")


def _stream(data: bytes, budget: Budget) -> Iterator[Unpacked]:
    if budget.files <= 0:
        yield Unpacked("…", b"", 0, "too-many")
        return
    problem = ""
    out = bytearray()
    try:
        for chunk in _inflated(data):
            out += chunk
            if not budget.allows(len(data), len(out)):
                raise _TooLarge
    except _TooLarge:
        problem = "too-large"
    except (zlib.error, OSError, ValueError, lzma.LZMAError, EOFError) as error:
        problem = f"damaged: {type(error).__name__}"
    _spend(budget, len(out))
    yield Unpacked("", b"" if problem == "too-large" else bytes(out), len(out), problem)


def _inflated(data: bytes) -> Iterator[bytes]:
    if data.startswith(b"\x1f\x8b"):
        gzip = zlib.decompressobj(wbits=31)
        pending = data
        while pending and not gzip.eof:
            yield gzip.decompress(pending, _STEP)
            pending = gzip.unconsumed_tail
        return
    decoder: bz2.BZ2Decompressor | lzma.LZMADecompressor
    if data.startswith(b"BZh"):
        decoder = bz2.BZ2Decompressor()
    else:
        decoder = lzma.LZMADecompressor(memlimit=64_000_000)
    pending = data
    while not decoder.eof:
        chunk = decoder.decompress(pending, _STEP)
        pending = b""
        if not chunk and decoder.needs_input:
            return
        yield chunk

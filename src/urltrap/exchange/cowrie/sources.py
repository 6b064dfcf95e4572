"""Cowrie's log files: plain or compressed, rotated by day or by number, in the order in which they were written."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Protocol, cast

import zstandard

from urltrap.exchange.cowrie.fields import CowrieLineError, moment
from urltrap.exchange.cowrie.reading import LONGEST_LINE

_CHUNK = 1 << 20
_PEEKED = 20


class _Stream(Protocol):
    def read1(self, size: int = ..., /) -> bytes: ...


class LogFileError(Exception):
    """A path that cannot be read as a log; the message says what to do."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file and its size on disk in bytes."""

    path: Path
    size: int


def find_logs(paths: Sequence[Path]) -> list[LogFile]:
    """The files that `paths` name, oldest first: files as they are, of folders every `cowrie.json*` below them.

    LogFileError for a path that is not there or a folder without such a file.
    """
    found: dict[Path, LogFile] = {}
    for path in paths:
        try:
            if path.is_dir():
                below = sorted(entry for entry in path.rglob("cowrie.json*") if entry.is_file())
                if not below:
                    raise LogFileError(
                        f"{path} holds no file whose name begins with cowrie.json; name the files"
                    )
            else:
                below = [path]
            for entry in below:
                found.setdefault(entry.resolve(), LogFile(entry, entry.stat().st_size))
        except OSError as error:
            raise LogFileError(f"{path} cannot be read: {error.strerror}") from error
    return sorted(found.values(), key=lambda log: (_first_moment(log), str(log.path)))


def lines_of(log: LogFile) -> Iterator[tuple[bytes, int]]:
    """Each line with the number of bytes read from the disk so far, for a progress bar.

    A line longer than an event may be comes cut to one byte more than that. LogFileError where the file is not there,
    may not be read, or its compression is damaged: what comes before the damage was given.
    """
    try:
        with open(log.path, "rb") as file:
            stream = _unpacked(log.path, file)
            read = 0
            for count, line in enumerate(_lines(stream)):
                if not count & 1023:  # asking costs as much as half of what else is done with a line
                    read = file.tell()
                yield line, read
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise LogFileError(f"{log.path}: {reason}; what came before was read") from error


def _lines(stream: _Stream) -> Iterator[bytes]:
    """Lines without their ends, in bounded memory: what goes on beyond the longest line is dropped."""
    rest, dropping = b"", False
    # What one step unpacks, and no more: of a larger piece with damage in it nothing would come.
    while chunk := stream.read1(_CHUNK):
        *whole, rest_of = (rest + chunk).split(b"\n")
        for line in whole:
            if not dropping:
                yield line
            dropping = False
        rest = b"" if dropping else rest_of
        if len(rest) > LONGEST_LINE:
            yield rest[: LONGEST_LINE + 1]
            rest, dropping = b"", True
    if rest:
        yield rest


def _unpacked(path: Path, file: BufferedReader) -> _Stream:
    """The content of an open file, by what its first bytes say it is rather than by its name."""
    head = os.pread(file.fileno(), 6, 0)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)
        return BufferedReader(cast(RawIOBase, reader))
    if head.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if head.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(file)
    return file


def _first_moment(log: LogFile) -> float:
    """When the file begins: the time of its first event; what tells none comes last."""
    try:
        for tried, (line, _) in enumerate(lines_of(log)):
            try:
                found = json.loads(line)
                if isinstance(found, dict):
                    return moment(found).timestamp()
            except (ValueError, RecursionError, CowrieLineError):
                pass  # the reader counts and keeps bad lines; here only the order is wanted
            if tried >= _PEEKED:
                break
    except LogFileError:
        pass  # which whoever reads the file is told
    return float("inf")

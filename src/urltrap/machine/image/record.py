"""The compact record of a file tree: what was seen of a real installation, as one compressed blob.

Layout: ``URLTRAP-RECORD-1\\n``, then one zstd frame that holds an 8-byte length, a JSON table of rows and the kept
contents behind each other. A row is ``[path, kind, mode, uid, gid, mtime,
...]``; mtime 0 means "when it was installed".
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import zstandard

MAGIC = b"URLTRAP-RECORD-1\n"
MAX_UNPACKED = 64_000_000

EntryKind = Literal["d", "f", "l", "h", "c", "b"]
"""Directory, file, symbolic link, hard link (target: the first name), character and block device."""


class RecordError(ValueError):
    """A blob is no record, or a damaged one; the message says what to do."""


@dataclass(slots=True)
class Entry:
    """One name of the tree. `mode` without type bits; times are unix seconds.

    Files: `data` where the content was kept, else only `size` is known; `program` names what an executable runs;
    `elf` where it is a machine program rather than a script or plain data.
    """

    path: str
    kind: EntryKind
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0
    target: str = ""
    data: bytes | None = None
    program: str = ""
    elf: bool = False
    rdev: tuple[int, int] = field(default=(0, 0))


def dump_record(entries: Iterable[Entry], *, level: int = 19) -> bytes:
    """The entries as one blob, sorted by path so that equal trees give equal bytes."""
    rows: list[list[object]] = []
    kept = bytearray()
    for entry in sorted(entries, key=lambda each: each.path):
        row: list[object] = [entry.path, entry.kind, entry.mode, entry.uid, entry.gid, entry.mtime]
        if entry.kind in ("l", "h"):
            row.append(entry.target)
        elif entry.kind in ("c", "b"):
            row.append(entry.rdev)
        elif entry.kind == "f":
            row += [entry.size if entry.data is None else len(entry.data), entry.program, int(entry.elf)]
            row.append(int(entry.data is not None))
            kept += entry.data or b""
        rows.append(row)
    table = json.dumps(rows, separators=(",", ":")).encode()
    plain = len(table).to_bytes(8, "little") + table + bytes(kept)
    parameters = zstandard.ZstdCompressionParameters.from_level(level, window_log=25, enable_ldm=True)
    return MAGIC + zstandard.ZstdCompressor(compression_params=parameters).compress(plain)


def load_record(blob: bytes) -> list[Entry]:
    """The entries of a blob that `dump_record` made; RecordError where it is not one."""
    if not blob.startswith(MAGIC):
        raise RecordError("this is not a recorded file tree of this version: run `urltrap image build` again")
    try:
        frame = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(blob[len(MAGIC) :])
        plain = frame.read(MAX_UNPACKED + 1)
        if len(plain) > MAX_UNPACKED:
            raise ValueError(f"it unpacks to more than {MAX_UNPACKED} bytes")
        length = int.from_bytes(plain[:8], "little")
        rows = json.loads(plain[8 : 8 + length])
        return _entries(rows, plain, 8 + length)
    except (zstandard.ZstdError, ValueError, TypeError, IndexError) as problem:
        raise RecordError(f"the recorded file tree is damaged ({problem}): build it again") from problem


def _entries(rows: list[list[object]], plain: bytes, offset: int) -> list[Entry]:
    entries = []
    for path, kind, mode, uid, gid, mtime, *rest in rows:
        entry = Entry(path, kind, mode, uid, gid, mtime)  # type: ignore[arg-type]
        if kind in ("l", "h"):
            entry.target = str(rest[0])
        elif kind in ("c", "b"):
            pair = rest[0]
            entry.rdev = (int(pair[0]), int(pair[1]))  # type: ignore[index]
        elif kind == "f":
            size, program, elf, kept = rest
            entry.size, entry.program, entry.elf = size, str(program), bool(elf)  # type: ignore[assignment]
            if kept:
                entry.data = plain[offset : offset + entry.size]
                if len(entry.data) != entry.size:
                    raise IndexError("contents are missing")
                offset += entry.size
        entries.append(entry)
    return entries

"""The journal's continuous copy: what was appended since the last look, as one small object per writer.

A piece holds the bytes of one segment from one offset to another. Together with the newest backup, the pieces give the
journal as it was seconds before the machine was lost.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import zstandard

from urltrap.journal.folder import list_segments, list_writers, segment_path, writer_folder
from urltrap.journal.source import open_source
from urltrap.ops.backup.errors import DamagedError
from urltrap.ops.backup.manifest import Manifest
from urltrap.ops.backup.sealing import Recipient, seal, unseal
from urltrap.ops.backup.target import Target

_FOLDER = "journal"
_LARGEST = 16_000_000
log = structlog.get_logger("urltrap.backup")
_NAME = re.compile(r"journal/([a-z][a-z0-9_-]{0,63})/(\d{8,})-(\d+)-(\d+)(\.age)?")


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """Bytes of one segment, `start` to `end`."""

    writer: str
    segment: int
    start: int
    end: int
    name: str


def list_pieces(target: Target) -> list[Piece]:
    """All pieces, in the order of the journal."""
    found = []
    for name in target.names(_FOLDER):
        if match := _NAME.fullmatch(name):
            found.append(Piece(match[1], int(match[2]), int(match[3]), int(match[4]), name))
    return sorted(found)


class JournalCopy:
    """Copies what is new in the journal to one target. Belongs to one thread."""

    def __init__(self, journal: Path, target: Target, recipient: Recipient | None) -> None:
        self._journal, self.target, self._recipient = journal, target, recipient
        self._positions: dict[str, tuple[int, int]] | None = None

    def start_from(self, manifest: Manifest) -> None:
        """Begin behind a backup, or behind what was copied before where that is further."""
        positions = dict(manifest.journal)
        for piece in list_pieces(self.target):
            positions[piece.writer] = max(positions.get(piece.writer, (0, 0)), (piece.segment, piece.end))
        self._positions = positions

    @property
    def started(self) -> bool:
        """Whether there is a backup that pieces add to."""
        return self._positions is not None

    def step(self) -> int:
        """Copy what is new; bytes copied. TargetError where the target is away: the next step begins there again."""
        if self._positions is None:
            return 0
        copied = 0
        for writer in list_writers(self._journal):
            segment_number, offset = self._positions.get(writer, (0, 0))
            for segment in list_segments(writer_folder(self._journal, writer)):
                if segment.number < segment_number or (
                    segment.number == segment_number and segment.archived and not offset
                ):
                    continue
                start = offset if segment.number == segment_number else 0
                try:
                    source = open_source(segment.path, segment.archived)
                except FileNotFoundError:
                    break  # archived since it was listed: the next step finds it
                try:
                    while part := source.read(start, _LARGEST):
                        self._put(writer, segment.number, start, part)
                        start += len(part)
                        copied += len(part)
                        self._positions[writer] = (segment.number, start)
                except zstandard.ZstdError:
                    pass  # a damaged archive; taking the next backup says so, and what lies behind it is still copied
                finally:
                    source.close()
                self._positions[writer] = max(self._positions.get(writer, (0, 0)), (segment.number, start))
        return copied

    def _put(self, writer: str, segment: int, start: int, part: bytes) -> None:
        ending = ".age" if self._recipient else ""
        _write(
            self.target,
            f"{_FOLDER}/{writer}/{segment:08d}-{start}-{start + len(part)}{ending}",
            part,
            self._recipient,
        )


def _write(target: Target, name: str, part: bytes, recipient: Recipient | None) -> None:
    with tempfile.TemporaryDirectory(prefix="urltrap-piece-") as folder:
        packed = Path(folder) / "piece"
        seal(io.BytesIO(part), packed, recipient)
        target.put(packed, name)


def copy_again(target: Target, journal: Path, recipient: Recipient | None) -> list[str]:
    """Make every piece anew from the journal, whose records were changed in place; names of those that cannot be.

    A piece whose segment is not on this machine any more stays as it is, and so does one that was encrypted while no
    recipient is set now. Needs no secret key.
    """
    left = []
    for piece in list_pieces(target):
        part = _bytes_of(journal, piece)
        if part is None or piece.name.endswith(".age") != (recipient is not None):
            left.append(piece.name)
        else:
            _write(target, piece.name, part, recipient)
    return left


def _bytes_of(journal: Path, piece: Piece) -> bytes | None:
    for segment in list_segments(writer_folder(journal, piece.writer)):
        if segment.number == piece.segment:
            source = open_source(segment.path, segment.archived)
            try:
                part = source.read(piece.start, piece.end - piece.start)
            finally:
                source.close()
            return part if len(part) == piece.end - piece.start else None
    return None


def drop_covered(target: Target, manifest: Manifest) -> int:
    """Remove the pieces that this backup has whole; how many."""
    covered = [
        piece.name
        for piece in list_pieces(target)
        if (piece.segment, piece.end) <= manifest.journal.get(piece.writer, (-1, 0))
        or piece.segment < manifest.journal.get(piece.writer, (-1, 0))[0]
    ]
    target.remove(covered)
    return len(covered)


def apply(target: Target, manifest: Manifest, journal: Path, identities: Sequence[Any]) -> int:
    """Add what the pieces have beyond a backup to the restored journal; bytes added. DamagedError, KeyNeededError.

    Where a piece is missing, everything before it is added and the rest of that segment is left out, which the log
    says: a reader meets a clean end there.
    """
    added = 0
    gaps: set[tuple[str, int]] = set()
    for piece in list_pieces(target):
        folder = journal / piece.writer
        path = segment_path(folder, piece.segment)
        if path.with_name(path.name + ".zst").exists() or (piece.writer, piece.segment) in gaps:
            continue
        have = path.stat().st_size if path.exists() else 0
        if piece.end <= have:
            continue
        if piece.start > have:
            gaps.add((piece.writer, piece.segment))
            log.warning(
                "backup.gap", writer=piece.writer, segment=piece.segment, missing_bytes=piece.start - have,
                consequence="newer events of this segment are left out; another target may have what is missing",
            )  # fmt: skip
            continue
        content = io.BytesIO()
        with tempfile.TemporaryDirectory(prefix="urltrap-piece-") as name:
            packed = Path(name) / "piece"
            target.get(piece.name, packed)
            unseal(packed, content, piece.name.endswith(".age"), identities)
        data = content.getvalue()
        if len(data) != piece.end - piece.start:
            raise DamagedError(
                f"{piece.name} has {len(data)} bytes; restore without it: --at {manifest.made.isoformat()}"
            )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(path, "ab") as segment:
            segment.write(data[have - piece.start :])
        path.chmod(0o600)
        added += piece.end - have
    return added

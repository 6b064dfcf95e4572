"""Errors of the journal: typed, and saying what is safe and what to do next."""

from __future__ import annotations

from pathlib import Path

from urltrap.journal.position import Position


class JournalError(Exception):
    """The journal could not do what was asked."""


class WriterNameError(JournalError, ValueError):
    """What was given as a writer's name could not be a folder of the journal."""

    def __init__(self, name: object) -> None:
        super().__init__(
            f"not a name for a journal writer: {str(name)[:60]!r}; "
            "take 1 to 64 lower-case letters, digits, '-' or '_', beginning with a letter"
        )


class JournalLockedError(JournalError):
    """Another process writes this folder."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(
            f"{folder} is being written by process {holder or 'unknown'}; "
            "stop it, or give this process another writer name"
        )


class JournalRecordError(JournalError, ValueError):
    """The event cannot be one record: it is too long. Put what is long into the quarantine and name it by its hash."""


class JournalFullError(JournalError):
    """No room: the record was not taken, everything taken before is safe. Appending works again once there is room."""


class JournalBusyError(JournalError):
    """The disk is far behind: too much waits for it already, the record was not taken. Try again later."""


class JournalFailedError(JournalError):
    """The disk refused to make records durable. Nothing unacknowledged is claimed; the writer keeps trying."""


class JournalClosedError(JournalError):
    """The writer was closed; open a new one."""


class JournalTimeoutError(JournalError, TimeoutError):
    """The record did not become durable within the time given; it may still do so."""


class JournalFormatError(JournalError):
    """A file in the journal is not a segment that this version reads."""


class JournalCorruptError(JournalError):
    """A record of a closed segment is damaged: everything before `position` is safe and was read."""

    def __init__(self, writer: str, position: Position, reason: str, path: Path) -> None:
        super().__init__(
            f"journal {writer}, segment {position.segment}, offset {position.offset}: {reason}. "
            f"Every record before this place is safe. Restore {path} from a backup, "
            "or continue behind the damage with JournalReader.skip, which counts what is left out"
        )
        self.writer = writer
        self.position = position
        self.reason = reason
        self.path = path


class JournalUndecodableError(JournalError):
    """A whole, undamaged record is not an event of this version's schema; `position` before and `behind` it."""

    def __init__(self, writer: str, position: Position, behind: Position, schema: int, reason: str) -> None:
        super().__init__(
            f"journal {writer}, segment {position.segment}, offset {position.offset}: the record is undamaged, but "
            f"not an event that this version knows (segment written with schema {schema}): {reason}. "
            "Run the version that wrote it or a newer one, or continue behind it with JournalReader.skip"
        )
        self.writer = writer
        self.position = position
        self.behind = behind
        self.schema = schema

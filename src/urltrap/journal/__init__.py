"""The durable, append-only record of events; everything else can be rebuilt from it."""

from urltrap.journal.archiving import archive, expire
from urltrap.journal.errors import (
    JournalBusyError,
    JournalClosedError,
    JournalCorruptError,
    JournalError,
    JournalFailedError,
    JournalFormatError,
    JournalFullError,
    JournalLockedError,
    JournalRecordError,
    JournalTimeoutError,
    JournalUndecodableError,
    WriterNameError,
)
from urltrap.journal.position import BEGINNING, Position
from urltrap.journal.reader import JournalReader
from urltrap.journal.recovery import Repair
from urltrap.journal.rewriting import Rewritten, rewrite
from urltrap.journal.writer import JournalWriter

__all__ = [
    "BEGINNING",
    "JournalBusyError",
    "JournalClosedError",
    "JournalCorruptError",
    "JournalError",
    "JournalFailedError",
    "JournalFormatError",
    "JournalFullError",
    "JournalLockedError",
    "JournalReader",
    "JournalRecordError",
    "JournalTimeoutError",
    "JournalUndecodableError",
    "JournalWriter",
    "Position",
    "Repair",
    "Rewritten",
    "WriterNameError",
    "archive",
    "expire",
    "rewrite",
]

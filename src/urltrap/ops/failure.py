"""Why a process ended, in one sentence for the operator: what a process tells the supervisor as it ends."""

from __future__ import annotations

import errno
import json
import traceback
from dataclasses import asdict, dataclass, fields

_HINTS = {
    errno.ENOSPC: "free some room on that disk",
    errno.EDQUOT: "free some room or raise the quota",
    errno.EROFS: "its file system is mounted read-only; remount it, or use another data folder",
    errno.EACCES: "give it to the user that urltrap runs as (as root, `urltrap up` does so itself)",
    errno.EPERM: "give it to the user that urltrap runs as (as root, `urltrap up` does so itself)",
    errno.EIO: "the disk reports errors; look at its health before anything else",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENOMEM: "free some memory, or run fewer trap processes (sensors.workers)",
}
_HOPELESS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
_HOPELESS_TYPES = frozenset({"StoreCorrupt", "StoreNewer", "StoreTaken", "JournalFormatError", "NoAccount"})
_DATABASE_TYPES = frozenset({"StoreUnavailable", "StoreLocked"})


@dataclass(frozen=True, slots=True)
class Failure:
    """`reason` says what is wrong and what to do. `hopeless`: trying again cannot help. `database`: it cannot be
    reached, which says nothing against us where it is a server's. `trace`: of an error that nobody expected."""

    reason: str
    hopeless: bool = False
    database: bool = False
    trace: str = ""

    def to_json(self) -> str:
        """One line."""
        return json.dumps({"failed": asdict(self)})

    @classmethod
    def of_message(cls, message: object) -> Failure | None:
        """The inverse of `to_json` for a parsed line; None where it is another message."""
        told = message.get("failed") if isinstance(message, dict) else None
        if not isinstance(told, dict):
            return None
        return cls(**told) if set(told) == {field.name for field in fields(cls)} else None


def explain(error: BaseException) -> Failure:
    """What `error` means for the operator. Our own typed errors say so themselves."""
    if isinstance(error, BaseExceptionGroup):
        return explain(error.exceptions[0])
    if isinstance(error, OSError) and error.strerror and type(error).__module__ == "builtins":
        return explain_os(error)
    if type(error).__module__.partition(".")[0] == "urltrap" and str(error):
        cause = error.__cause__
        hopeless = isinstance(cause, OSError) and cause.errno in _HOPELESS
        kind = type(error).__name__
        return Failure(_one_line(str(error)), hopeless or kind in _HOPELESS_TYPES, kind in _DATABASE_TYPES)
    text = _one_line(f"{type(error).__name__}: {error}")
    return Failure(
        f"an error that nobody expected ({text}); please report it with the lines above",
        trace="".join(traceback.format_exception(error))[-20_000:],
    )


def explain_os(error: OSError) -> Failure:
    """What the system refused, at which file, and what helps."""
    where = f"{error.filename}: " if error.filename else ""
    hint = _HINTS.get(error.errno or 0)
    reason = f"{where}{error.strerror}" + (f"; {hint}" if hint else "")
    return Failure(_one_line(reason), error.errno in _HOPELESS)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:1000]

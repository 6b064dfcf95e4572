"""The client's identification line, read exactly as sshd reads it.

Source: OpenSSH kex.c, kex_exchange_identification() (one byte at a time, nothing but the identification is accepted
from a client), and a recording of Debian 12's server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_LINE = 8192
"""sshd gives up on a longer line (SSH_MAX_BANNER_LEN)."""

INVALID = b"Invalid SSH identification string."
DIFFER = b"Protocol major versions differ."

_PATTERN = re.compile(rb"SSH-[ \t\v\f\r]*([+-]?\d+)\.[ \t\v\f\r]*([+-]?\d+)-(.+)", re.DOTALL)
_SCANNERS = (re.compile(rb"Probe-"), re.compile(rb".*SSH_Version_Mapper", re.DOTALL))


@dataclass(frozen=True, slots=True)
class Waiting:
    """No complete line yet."""


@dataclass(frozen=True, slots=True)
class Identified:
    """A line that sshd accepts: `line` without its end, `rest` what follows it."""

    line: bytes
    rest: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """sshd says `answer` (may be empty) and closes; with `reset` because bytes were left unread."""

    answer: bytes
    reset: bool
    why: str


Identification = Waiting | Identified | Refused
_TERSE_LINE = 255


def read_identification(buffer: bytes, *, whole_refusals: bool = False) -> Identification:
    """What sshd does with the bytes that the client has sent until now. Looks at `MAX_LINE` bytes at most.

    `whole_refusals`: as OpenSSH 10 does it, which writes a refusal and its line end at once.
    """
    result = _read(buffer)
    if isinstance(result, Refused) and whole_refusals and result.answer and not result.answer.endswith(b"\n"):
        return Refused(result.answer + b"\r\n", result.reset, result.why)
    return result


def read_terse(buffer: bytes) -> Identification:
    """What Dropbear does (read_session_identification in its common-session.c): it reads one line of 255 bytes, looks
    only at how it begins, and says nothing where it ends."""
    end = buffer.find(b"\n", 0, _TERSE_LINE)
    if end < 0:
        if len(buffer) < _TERSE_LINE:
            return Waiting()
        return Refused(b"", len(buffer) > _TERSE_LINE, "not an identification line")
    line = buffer[:end].rstrip(b"\r")
    if not line.startswith((b"SSH-2.", b"SSH-1.99-")):
        return Refused(b"", len(buffer) > end + 1, "not an identification line")
    return Identified(line, buffer[end + 1 :])


def _read(buffer: bytes) -> Identification:
    end, bad = _scan(buffer)
    if bad is not None:
        return _refused(INVALID, len(buffer) > bad + 1, "not an identification line")
    if end is None:
        return Waiting()
    line = buffer[:end].rstrip(b"\r")
    unread = len(buffer) > end + 1
    match = _PATTERN.fullmatch(line)
    if match is None:
        return _refused(INVALID, unread, "not an identification line")
    major, minor = int(match[1][:12]), int(match[2][:12])
    if not (major == 2 or (major == 1 and minor == 99)):
        return _refused(DIFFER, unread, f"protocol version {major}.{minor}")
    if any(scanner.match(match[3]) for scanner in _SCANNERS):
        return Refused(b"", unread, "a scanner that sshd knows by name")
    return Identified(line, buffer[end + 1 :])


def _scan(buffer: bytes) -> tuple[int | None, int | None]:
    """(index of the line feed, index of the byte that makes the line invalid), each None where there is none."""
    end = buffer.find(b"\n", 0, 2 * MAX_LINE)
    line = buffer[: end if end >= 0 else 2 * MAX_LINE]
    candidates = [index for index in (line.find(b"\0"),) if index >= 0]
    # A carriage return may only be followed by more of them and the line feed.
    stray = re.search(rb"\r[^\r]", line)
    if stray is not None:
        candidates.append(stray.end() - 1)
    if len(line) - line.count(b"\r") > MAX_LINE:
        candidates.append(MAX_LINE)
    if candidates:
        return None, min(candidates)
    return (end if end >= 0 else None), None


def _refused(text: bytes, reset: bool, why: str) -> Refused:
    # Where unread bytes turn the close into a reset, the line end (a second write of sshd) does not reach the client.
    return Refused(text if reset else text + b"\r\n", reset, why)

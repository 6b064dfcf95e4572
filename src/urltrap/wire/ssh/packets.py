"""Binary packets in the clear: which are accepted, and what sshd answers to the others.

Source: OpenSSH packet.c (ssh_packet_read_poll2, ssh_packet_read_poll_seqnr), kex.c, dispatch.c; recorded answers of
Debian 12's server.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

MAX_PACKET = 256 * 1024
BLOCK = 8

DISCONNECT, IGNORE, UNIMPLEMENTED, DEBUG, SERVICE_REQUEST, SERVICE_ACCEPT = 1, 2, 3, 4, 5, 6
KEXINIT, NEWKEYS = 20, 21
KEX_FIRST, KEX_LAST = 30, 49
LAST_TYPE = 191

DISCONNECT_PROTOCOL_ERROR = 2
TOO_MANY_FAILURES = "Too many authentication failures"
BAD_MAC = "Corrupted MAC on input."


class Verdict(Enum):
    """What is to be done with the first packet in the buffer."""

    MORE = auto()
    ACCEPT = auto()
    CLOSE = auto()
    DISCONNECT = auto()


@dataclass(frozen=True, slots=True)
class Header:
    """The first packet of a buffer: its total length on the wire, its message type and the judgement of both."""

    verdict: Verdict
    length: int = 0
    type: int = 0
    text: str = ""


def read_header(buffer: bytes) -> Header:
    """Judge the unencrypted packet at the start of `buffer`; sshd judges the type when the whole packet is there."""
    if len(buffer) < BLOCK:
        return Header(Verdict.MORE)
    length = int.from_bytes(buffer[:4], "big")
    if length < 5 or length > MAX_PACKET or (length + 4) % BLOCK:
        return Header(Verdict.CLOSE, text=f"packet length {length}")
    total = length + 4
    if len(buffer) < total:
        return Header(Verdict.MORE, total)
    padding = buffer[4]
    if padding < 4:
        return Header(Verdict.DISCONNECT, total, text=f"Corrupted padlen {padding} on input.")
    if padding + 1 >= length:
        return Header(Verdict.CLOSE, total, text=f"padding {padding} in a packet of {length}")
    kind = buffer[5]
    if not 1 <= kind <= LAST_TYPE:
        return Header(Verdict.DISCONNECT, total, kind, f"Invalid ssh2 packet type: {kind}")
    return Header(Verdict.ACCEPT, total, kind)


class Reaction(Enum):
    """What sshd does with a well-formed message that arrives before the first keys are in use."""

    HANDLE = auto()
    UNIMPLEMENTED = auto()
    CLOSE = auto()
    VIOLATION = auto()


def react_before_keys(
    kind: int, *, expected: frozenset[int] | None, keys_ready: bool, strict: bool
) -> Reaction:
    """The reaction to message `kind` in the clear.

    `expected`: the messages that the key exchange under way waits for, None before the client's KEXINIT;
    `keys_ready`: only its NEWKEYS is missing; `strict`: both sides agreed on strict key exchange, where anything
    unexpected ends the connection.
    """
    if kind == DISCONNECT:
        return Reaction.HANDLE
    if kind > KEX_LAST:
        return Reaction.CLOSE
    if expected is not None and kind in expected:
        return Reaction.HANDLE
    if keys_ready and kind == NEWKEYS:
        return Reaction.HANDLE
    if expected is None and not keys_ready and kind == KEXINIT:
        return Reaction.HANDLE
    if strict:
        return Reaction.VIOLATION
    if kind in (IGNORE, UNIMPLEMENTED, DEBUG):
        return Reaction.HANDLE
    return Reaction.UNIMPLEMENTED


def violation_text(kind: int, sequence: int) -> str:
    """What sshd says when strict key exchange is violated."""
    return f"strict KEX violation: unexpected packet type {kind} (seqnr {sequence})"


NOT_FIRST = "strict KEX violation: KEXINIT was not the first packet"


def username_changed(old: tuple[str, str], new: tuple[str, str]) -> str:
    """What sshd says when a client changes user or service between two tries."""
    pairs = (*old, *new)
    return "Change of username or service not allowed: ({:.100},{:.100}) -> ({:.100},{:.100})".format(*pairs)

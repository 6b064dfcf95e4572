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
USERAUTH_REQUEST = 50
OPEN_CONFIRMATION, OPEN_FAILURE = 91, 92
UNASKED = frozenset({81, 82, 99, 100})
"""Answers to requests; sshd asks for none and takes no notice of them."""
CHANNEL_MESSAGES = frozenset(range(OPEN_CONFIRMATION, 101))
KEX_FIRST, KEX_LAST = 30, 49
LAST_TYPE, LAST_LOCAL_TYPE = 191, 254
PING, PONG = 192, 193
EXT_INFO = 7

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


def read_header(buffer: bytes, last: int = LAST_TYPE) -> Header:
    """Judge the unencrypted packet at the start of `buffer`; sshd judges the type when the whole packet is there.
    `last`: the highest type that it knows of."""
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
    if not 1 <= kind <= last:
        return Header(Verdict.DISCONNECT, total, kind, invalid_type_text(kind))
    return Header(Verdict.ACCEPT, total, kind)


def invalid_type_text(kind: int) -> str:
    """What sshd says to a message type that cannot be."""
    return f"Invalid ssh2 packet type: {kind}"


class Reaction(Enum):
    """What sshd does with a well-formed message that arrives before the first keys are in use."""

    HANDLE = auto()
    IGNORE = auto()
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
    if kind in (PING, PONG):
        return Reaction.IGNORE
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


_TRANSPORT = frozenset({DISCONNECT, IGNORE, UNIMPLEMENTED, DEBUG})
_CONNECTION = frozenset({KEXINIT, 80, 81, 82, *range(90, 101)})


def react_with_keys(
    kind: int,
    *,
    logged_in: bool,
    log_in_began: bool,
    expected: frozenset[int] | None,
    last: int = LAST_TYPE,
    takes_ext_info: bool = False,
) -> Reaction:
    """The reaction to message `kind` once keys are in use; UNIMPLEMENTED for all that has no handler at that stage.

    `log_in_began`: ssh-userauth was asked for; `expected`: what a new key exchange under way waits for. sshd does not
    take a new KEXINIT before log-in is over. Source: OpenSSH auth2.c (do_authentication2), serverloop.c
    (server_init_dispatch).
    """
    if not 1 <= kind <= last:
        return Reaction.CLOSE
    if kind in (PING, PONG) and last > LAST_TYPE:
        return Reaction.HANDLE
    if kind == EXT_INFO and takes_ext_info and not logged_in:
        return Reaction.HANDLE
    if kind in _TRANSPORT or (expected is not None and kind in expected):
        return Reaction.HANDLE
    if logged_in:
        known = kind in _CONNECTION and not (kind == KEXINIT and expected is not None)
    else:
        known = kind == SERVICE_REQUEST or (kind == USERAUTH_REQUEST and log_in_began)
    return Reaction.HANDLE if known else Reaction.UNIMPLEMENTED


def terser(reaction: Reaction, kind: int, *, with_keys: bool, logged_in: bool = False) -> Reaction:
    """What Dropbear does where OpenSSH would react so (its process-packet.c, and recordings of 2022.83): until keys
    are in use it wants no service, and until somebody is logged in no message above 60."""
    if not with_keys:
        asks_service = kind in (SERVICE_REQUEST, SERVICE_REQUEST + 1)
        return Reaction.CLOSE if reaction is Reaction.UNIMPLEMENTED and asks_service else reaction
    if reaction is Reaction.CLOSE and kind == 0:
        return Reaction.UNIMPLEMENTED
    if reaction is Reaction.UNIMPLEMENTED and not logged_in and kind > 60:
        return Reaction.CLOSE
    return reaction


_CHANNEL_WORDS = {
    91: "open confirmation",
    92: "open failure",
    94: "data",
    95: "extended data",
    96: "ieof",
    97: "oclose",
}


def stray_channel_text(kind: int, channel: int) -> str:
    """What sshd says to a message for a channel that it does not have, before it ends; empty where it ignores it."""
    if kind == 98:
        return f"server_input_channel_req: unknown channel {channel}"
    words = _CHANNEL_WORDS.get(kind)
    return f"{words} packet referred to nonexistent channel {channel}" if words else ""


def not_opening_text(kind: int, channel: int) -> str:
    """What sshd says to an answer to an opening that it never asked for."""
    return f"Received {_CHANNEL_WORDS[kind]} for non-opening channel {channel}."


def with_room(opening: bytes) -> bytes:
    """A CHANNEL_OPEN of a client that takes packets of no size, as one without window that takes packets of one byte;
    sshd goes on with such a channel, libraries end there."""
    at = 5 + int.from_bytes(opening[1:5], "big") + 4
    if opening[at + 4 : at + 8] == bytes(4):
        return opening[:at] + bytes(4) + (1).to_bytes(4, "big") + opening[at + 8 :]
    return opening


def violation_text(kind: int, sequence: int) -> str:
    """What sshd says when strict key exchange is violated."""
    return f"strict KEX violation: unexpected packet type {kind} (seqnr {sequence})"


NOT_FIRST = "strict KEX violation: KEXINIT was not the first packet"


def username_changed(old: tuple[str, str], new: tuple[str, str]) -> str:
    """What sshd says when a client changes user or service between two tries."""
    pairs = (*old, *new)
    return "Change of username or service not allowed: ({:.100},{:.100}) -> ({:.100},{:.100})".format(*pairs)

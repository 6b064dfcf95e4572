"""Messages of an SSH server as words, without what differs from one connection to the next."""

from __future__ import annotations

import struct

_SIMPLE = {21: "NEWKEYS", 52: "USERAUTH_SUCCESS", 82: "REQUEST_FAILURE"}
_CHANNEL = {96: "EOF", 97: "CLOSE", 99: "CHANNEL_SUCCESS", 100: "CHANNEL_FAILURE"}


class _Reader:
    def __init__(self, payload: bytes) -> None:
        self._rest = payload

    def number(self) -> int:
        value, self._rest = int.from_bytes(self._rest[:4], "big"), self._rest[4:]
        return value

    def string(self) -> bytes:
        size = self.number()
        value, self._rest = self._rest[:size], self._rest[size:]
        return value

    def text(self) -> str:
        return self.string().decode("utf-8", "backslashreplace")

    def boolean(self) -> bool:
        value, self._rest = self._rest[:1], self._rest[1:]
        return value != b"\0"

    @property
    def rest(self) -> bytes:
        return self._rest


def shown(payload: bytes, *, hide_data: bool = False) -> str:
    """One message; an unknown one by its number and length."""
    if not payload:
        return "EMPTY"
    kind, body = payload[0], _Reader(payload[1:])
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if kind in _CHANNEL:
        return f"{_CHANNEL[kind]}({body.number()})"
    if kind in (94, 95):
        return _data(kind, body, hide_data)
    show = _SHOW.get(kind)
    return show(body) if show else f"TYPE_{kind}({len(payload)} bytes)"


def _data(kind: int, body: _Reader, hidden: bool) -> str:
    channel = body.number()
    code = f", {body.number()}" if kind == 95 else ""
    return "" if hidden else f"DATA({channel}{code}, {body.string()!r})"


def _kexinit(body: _Reader) -> str:
    return "KEXINIT"


def _disconnect(body: _Reader) -> str:
    return f"DISCONNECT({body.number()}, {body.text()!r}, {body.rest.hex() or 'no language'})"


def _ext_info(body: _Reader) -> str:
    count = body.number()
    return f"EXT_INFO({'; '.join(f'{body.text()}={body.text()}' for _ in range(min(count, 20)))})"


def _global_request(body: _Reader) -> str:
    name, reply = body.text(), body.boolean()
    if name == "hostkeys-00@openssh.com":
        keys = []
        while body.rest:
            blob = body.string()
            keys.append(blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode("ascii", "replace"))
        return f"GLOBAL_REQUEST({name}, {reply}, {','.join(keys)})"
    return f"GLOBAL_REQUEST({name}, {reply}, {body.rest.hex()})"


def _kex_reply(body: _Reader) -> str:
    host_key = body.string()
    kind = host_key[4 : 4 + int.from_bytes(host_key[:4], "big")].decode("ascii", "replace")
    if not kind.startswith(("ssh-", "ecdsa-", "rsa-")):  # a group: which one of its size is chance
        return f"KEX_GROUP({int.from_bytes(host_key, 'big').bit_length()} bits)"
    value = len(body.string())
    signature = body.string()
    name = signature[4 : 4 + int.from_bytes(signature[:4], "big")].decode("ascii", "replace")
    # The value of a Diffie-Hellman exchange has a leading zero or not, by chance.
    return f"KEX_REPLY({kind}, about {(value + 2) // 8 * 8} bytes, {name})"


def _confirmation(body: _Reader) -> str:
    ours, theirs, window, largest = (body.number() for _ in range(4))
    return f"CONFIRM({ours}<-{theirs}, window {window}, packets {largest})"


def _request(body: _Reader) -> str:
    channel, name, reply = body.number(), body.text(), body.boolean()
    return f"REQUEST({channel}, {name}, {reply}, {body.rest.hex()})"


def _open_failure(body: _Reader) -> str:
    return f"OPEN_FAILURE({body.number()}, {body.number()}, {body.text()!r}, {body.rest.hex()})"


_SHOW = {
    1: _disconnect,
    2: lambda body: f"IGNORE({body.rest.hex()})",
    3: lambda body: f"UNIMPLEMENTED({body.number()})",
    4: lambda body: f"DEBUG({body.boolean()}, {body.text()!r})",
    6: lambda body: f"SERVICE_ACCEPT({body.text()})",
    7: _ext_info,
    20: _kexinit,
    31: _kex_reply,
    33: _kex_reply,
    51: lambda body: f"USERAUTH_FAILURE({body.text()}, {body.boolean()})",
    53: lambda body: f"USERAUTH_BANNER({body.text()!r})",
    60: lambda body: f"TYPE_60({body.text()!r})",
    80: _global_request,
    81: lambda body: f"REQUEST_SUCCESS({body.rest.hex()})",
    91: _confirmation,
    92: _open_failure,
    93: lambda body: f"ADJUST({body.number()}, +{body.number()})",
    98: _request,
}


def shown_clear(stream: bytes) -> tuple[list[str], bytes]:
    """The messages of a stream of packets in the clear, and what is left that is none; a padding that is not zeros is
    named."""
    found = []
    while len(stream) >= 6:
        length, padding = struct.unpack(">IB", stream[:5])
        if length > 1 << 18 or length + 4 > len(stream) or padding + 1 > length:
            break
        payload, filling = stream[5 : 4 + length - padding], stream[4 + length - padding : 4 + length]
        stream = stream[4 + length :]
        found.append(shown(payload) + (" (random padding)" if any(filling) else ""))
        if payload[:1] == b"\x15":
            break
    return found, stream


_ENDINGS = tuple(f"REQUEST({channel}, {name}" for channel in range(12) for name in ("exit-", "eow@"))


def merged(messages: list[str]) -> tuple[str, ...]:
    """Data of one channel that came in several messages as one: how it is cut is chance."""
    result: list[str] = []
    for message in messages:
        if not message:
            continue
        if message.startswith("EOF("):
            # sshd sends the end of output before or after how the command ended, by chance: told in one order.
            at = len(result)
            while at and result[at - 1].startswith(_ENDINGS):
                at -= 1
            result.insert(at, message)
            continue
        if message.startswith("DATA(") and result and result[-1].startswith("DATA("):
            before, after = result[-1], message
            head, tail = before.partition(", b")[0], after.partition(", b")[0]
            if head == tail and before[len(head) + 3] == after[len(tail) + 3]:
                result[-1] = before[:-2] + after[len(tail) + 4 :]
                continue
        result.append(message)
    return tuple(result)

"""Messages of an SSH client as values, well-formed and not (RFC 4250-4254, OpenSSH PROTOCOL)."""

from __future__ import annotations

import struct

VERSION = b"SSH-2.0-OpenSSH_9.6\r\n"
STRICT = "kex-strict-c-v00@openssh.com"
SESSION_WINDOW, SESSION_PACKET = 2_097_152, 32_768


def u32(*numbers: int) -> bytes:
    """Numbers of four bytes."""
    return struct.pack(f">{len(numbers)}I", *numbers)


def string(data: bytes | str) -> bytes:
    """A string with its length."""
    data = data.encode() if isinstance(data, str) else data
    return u32(len(data)) + data


def mpint(number: int) -> bytes:
    """A number of any size, positive."""
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big") if number else b"")


def packet(payload: bytes) -> bytes:
    """A packet in the clear, padded with zeros as OpenSSH does."""
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


def raw_packet(length: int, padding: int, kind: int, filling: int) -> bytes:
    """A packet whose header says anything."""
    return struct.pack(">IBB", length, padding, kind) + bytes(filling)


def kexinit(
    kex: str = "curve25519-sha256",
    host_key: str = "ssh-ed25519",
    cipher: str = "aes128-ctr",
    mac: str = "hmac-sha2-256",
    compression: str = "none",
    *,
    follows: int = 0,
    languages: str = "",
    reserved: int = 0,
) -> bytes:
    """A KEXINIT that offers these; its cookie is no secret here."""
    lists = string(kex) + string(host_key) + string(cipher) * 2 + string(mac) * 2 + string(compression) * 2
    return b"\x14" + bytes(range(16)) + lists + string(languages) * 2 + bytes([follows]) + u32(reserved)


def service(name: str = "ssh-userauth") -> bytes:
    """SERVICE_REQUEST."""
    return b"\x05" + string(name)


def userauth(user: str, method: str, rest: bytes = b"", *, service_name: str = "ssh-connection") -> bytes:
    """USERAUTH_REQUEST."""
    return b"\x32" + string(user) + string(service_name) + string(method) + rest


def password(user: str, word: str) -> bytes:
    """A try with a password."""
    return userauth(user, "password", b"\0" + string(word))


def global_request(name: str, rest: bytes = b"", *, reply: bool = True) -> bytes:
    """GLOBAL_REQUEST."""
    return b"\x50" + string(name) + bytes([reply]) + rest


def channel_open(
    kind: str = "session",
    rest: bytes = b"",
    *,
    number: int = 0,
    window: int = SESSION_WINDOW,
    largest: int = SESSION_PACKET,
) -> bytes:
    """CHANNEL_OPEN."""
    return b"\x5a" + string(kind) + u32(number, window, largest) + rest


def request(name: str, rest: bytes = b"", *, channel: int = 0, reply: bool = True) -> bytes:
    """CHANNEL_REQUEST."""
    return b"\x62" + u32(channel) + string(name) + bytes([reply]) + rest


def execute(command: str, *, channel: int = 0, reply: bool = True) -> bytes:
    """A request for a command."""
    return request("exec", string(command), channel=channel, reply=reply)


def pty(
    term: str = "xterm", columns: int = 80, rows: int = 24, modes: bytes = b"\0", channel: int = 0
) -> bytes:
    """A request for a pseudo-terminal."""
    return request("pty-req", string(term) + u32(columns, rows, 0, 0) + string(modes), channel=channel)


def environment(name: str, value: str, channel: int = 0) -> bytes:
    """A request for an environment variable."""
    return request("env", string(name) + string(value), channel=channel)


def data(content: bytes, channel: int = 0) -> bytes:
    """CHANNEL_DATA."""
    return b"\x5e" + u32(channel) + string(content)


def eof(channel: int = 0) -> bytes:
    """CHANNEL_EOF."""
    return b"\x60" + u32(channel)


def close(channel: int = 0) -> bytes:
    """CHANNEL_CLOSE."""
    return b"\x61" + u32(channel)


def adjust(size: int, channel: int = 0) -> bytes:
    """CHANNEL_WINDOW_ADJUST."""
    return b"\x5d" + u32(channel, size)

"""What an SSH scanner may send before it has logged in, each with the recorded answer of Debian 12's own server.

The gate for an upgrade of asyncssh: the sensor touches its private names.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass

import pytest

from urltrap.model.event import Disconnected

from .conftest import Trap

BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"
VERSION = b"SSH-2.0-OpenSSH_9.6\r\n"
INVALID = "Invalid SSH identification string."
DIFFER = "Protocol major versions differ.\r\n"
KEXINIT = "KEXINIT(1132, padding 11 zeros)"


def names(*each: str) -> bytes:
    text = ",".join(each).encode()
    return struct.pack(">I", len(text)) + text


def kexinit(
    kex: str = "curve25519-sha256",
    host_key: str = "ssh-ed25519",
    cipher: str = "aes128-ctr",
    mac: str = "hmac-sha2-256",
    compression: str = "none",
    follows: int = 0,
) -> bytes:
    lists = names(kex) + names(host_key) + names(cipher) * 2 + names(mac) * 2 + names(compression) * 2
    return b"\x14" + bytes(range(16)) + lists + names("") * 2 + bytes([follows]) + bytes(4)


def packet(payload: bytes) -> bytes:
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


def raw(length: int, padding: int, kind: int, filling: int) -> bytes:
    return struct.pack(">IBB", length, padding, kind) + bytes(filling)


GEX = packet(kexinit(kex="diffie-hellman-group-exchange-sha256"))
DH14 = packet(kexinit(kex="diffie-hellman-group14-sha256"))
STRICT = packet(kexinit(kex="curve25519-sha256,kex-strict-c-v00@openssh.com"))


def gex(*sizes: int) -> bytes:
    return GEX + packet(b"\x22" + struct.pack(">III", *sizes))


def farewell(text: str) -> str:
    return f"{KEXINIT} DISCONNECT(2, {text!r}, language '')"


# (name, what the client sends, what the server sends behind its identification, how it ends)
PROBES: list[tuple[str, bytes, str, str]] = [
    ("a web request", b"GET / HTTP/1.0\r\n\r\n", INVALID, "reset"),
    ("empty lines", b"\r\n\r\n", INVALID, "reset"),
    ("protocol 1.5", b"SSH-1.5-x\r\n", DIFFER, "closed"),
    ("protocol 1.99", b"SSH-1.99-x\r\n", KEXINIT, "open"),
    ("protocol 1337", b"SSH-1337-OpenSSH_9.0\r\n", INVALID + "\r\n", "closed"),
    ("eight returns", b"\r" * 8, "", "open"),
    ("eight line feeds", b"\n" * 8, INVALID, "reset"),
    ("protocol 2.1", b"SSH-2.1-x\r\n", KEXINIT, "open"),
    ("protocol 3.0", b"SSH-3.0-x\r\n", DIFFER, "closed"),
    ("no software", b"SSH-2.0-\r\n", INVALID + "\r\n", "closed"),
    ("lower case", b"ssh-2.0-x\r\n", INVALID + "\r\n", "closed"),
    ("no dash", b"SSH-2.0\r\n", INVALID + "\r\n", "closed"),
    ("software that is not ASCII", b"SSH-2.0-\xff\xfe\r\n", KEXINIT, "open"),
    ("a zero byte", b"SSH-2.0-a\0b\r\n", INVALID, "reset"),
    ("260 characters", b"SSH-2.0-" + b"a" * 260 + b"\r\n", KEXINIT, "open"),
    ("9000 bytes without line end", b"a" * 9000, INVALID, "reset"),
    ("a line feed only", b"SSH-2.0-x\n", KEXINIT, "open"),
    ("a line before the version", b"hello\r\n" + VERSION, INVALID, "reset"),
    ("length ffffffff", VERSION + b"\xff" * 16, KEXINIT, "closed"),
    ("length 0", VERSION + bytes(16), KEXINIT, "closed"),
    ("length 40000", VERSION + raw(40_000, 0, 0, 10), KEXINIT, "closed"),
    ("length 65532", VERSION + raw(65_532, 4, 0, 10), KEXINIT, "open"),
    ("length 262148", VERSION + raw(262_148, 4, 0, 10), KEXINIT, "closed"),
    ("length 13", VERSION + raw(13, 4, 20, 20), KEXINIT, "closed"),
    ("padding longer than the packet", VERSION + raw(12, 200, 20, 10), KEXINIT, "closed"),
    ("padding 0", VERSION + raw(12, 0, 2, 10), farewell("Corrupted padlen 0 on input."), "closed"),
    ("no common key exchange", VERSION + packet(kexinit(kex="foo")), KEXINIT, "closed"),
    ("no common host key", VERSION + packet(kexinit(host_key="ssh-dss")), KEXINIT, "closed"),
    ("no common cipher", VERSION + packet(kexinit(cipher="3des-cbc")), KEXINIT, "closed"),
    ("no common MAC", VERSION + packet(kexinit(mac="hmac-md5")), KEXINIT, "closed"),
    ("no common compression", VERSION + packet(kexinit(compression="zlib")), KEXINIT, "closed"),
    ("an empty KEXINIT", VERSION + packet(b"\x14"), KEXINIT, "closed"),
    ("a cut KEXINIT", VERSION + packet(kexinit()[:40]), KEXINIT, "closed"),
    ("a wrong guess announced", VERSION + packet(kexinit(follows=1)), KEXINIT, "open"),
    ("IGNORE first", VERSION + packet(b"\x02" + bytes(4)), KEXINIT, "open"),
    ("DEBUG first", VERSION + packet(b"\x04\0" + bytes(8)), KEXINIT, "open"),
    ("UNIMPLEMENTED first", VERSION + packet(b"\x03" + bytes(4)), KEXINIT, "open"),
    ("DISCONNECT first", VERSION + packet(b"\x01\0\0\0\x0b\0\0\0\3bye" + bytes(4)), KEXINIT, "closed"),
    ("SERVICE_REQUEST first", VERSION + packet(b"\x05" + names("ssh-userauth")),
     f"{KEXINIT} UNIMPLEMENTED(0)", "open"),
    ("NEWKEYS first", VERSION + packet(b"\x15"), f"{KEXINIT} UNIMPLEMENTED(0)", "open"),
    ("a log-in try first", VERSION + packet(b"\x32" + names("root") + names("ssh-connection") + names("none")),
     KEXINIT, "closed"),
    ("a channel first", VERSION + packet(b"\x5a" + names("session") + bytes(12)), KEXINIT, "closed"),
    ("type 200", VERSION + packet(b"\xc8aaa"), farewell("Invalid ssh2 packet type: 200"), "closed"),
    ("type 0", VERSION + packet(b"\0aaa"), farewell("Invalid ssh2 packet type: 0"), "closed"),
    ("a point of 31 bytes", VERSION + packet(kexinit()) + packet(b"\x1e\0\0\0\x1f" + b"a" * 31), KEXINIT, "closed"),
    ("a point of zeros", VERSION + packet(kexinit()) + packet(b"\x1e\0\0\0\x20" + bytes(32)), KEXINIT, "closed"),
    ("KEXINIT twice", VERSION + packet(kexinit()) * 2, f"{KEXINIT} UNIMPLEMENTED(1)", "open"),
    ("group exchange upside down", VERSION + gex(8192, 4096, 2048), KEXINIT, "closed"),
    ("group exchange of 1024 bits", VERSION + gex(1024, 1024, 1024), KEXINIT, "closed"),
    ("e = 0", VERSION + DH14 + packet(b"\x1e\0\0\0\0"), KEXINIT, "closed"),
    ("e = 1", VERSION + DH14 + packet(b"\x1e\0\0\0\1\1"), KEXINIT, "closed"),
    ("IGNORE within a strict exchange", VERSION + STRICT + packet(b"\x02" + bytes(4)),
     farewell("strict KEX violation: unexpected packet type 2 (seqnr 1)"), "closed"),
    ("a strict KEXINIT that is not first", VERSION + packet(b"\x02" + bytes(4)) + STRICT,
     farewell("strict KEX violation: KEXINIT was not the first packet"), "closed"),
]  # fmt: skip


@dataclass
class Answer:
    data: bytes
    end: str


async def ask(port: int, data: bytes, *, pause: float = 0.25) -> Answer:
    """Send after the identification; what comes until the end, or until nothing more comes for a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        assert await reader.readline() == BANNER
        writer.write(data)
        got, end = b"", "open"
        while True:
            try:
                async with asyncio.timeout(pause):
                    chunk = await reader.read(65_536)
            except TimeoutError:
                break
            except ConnectionResetError:
                end = "reset"
                break
            if not chunk:
                end = "closed"
                break
            got += chunk
        return Answer(got, end)
    finally:
        writer.close()


def shown(data: bytes) -> str:
    parts = []
    while len(data) >= 6 and (length := int.from_bytes(data[:4], "big")) <= len(data) - 4 < 1 << 20:
        padding = data[4]
        payload, filling = data[5 : 4 + length - padding], data[4 + length - padding : 4 + length]
        data = data[4 + length :]
        if payload[0] == 20:
            parts.append(f"KEXINIT({length}, padding {padding} {'zeros' if not any(filling) else 'random'})")
        elif payload[0] == 1:
            size = int.from_bytes(payload[5:9], "big")
            text, language = payload[9 : 9 + size].decode(), payload[13 + size :].decode()
            parts.append(
                f"DISCONNECT({int.from_bytes(payload[1:5], 'big')}, {text!r}, language {language!r})"
            )
        elif payload[0] == 3:
            parts.append(f"UNIMPLEMENTED({int.from_bytes(payload[1:5], 'big')})")
        else:
            parts.append(f"type {payload[0]}")
    if data:
        parts.append(data.decode("latin-1"))
    return " ".join(parts)


@pytest.mark.parametrize(
    ("data", "expected", "end"), [pytest.param(*probe[1:], id=probe[0]) for probe in PROBES]
)
async def test_the_answer_is_the_recorded_one(trap: Trap, data: bytes, expected: str, end: str) -> None:
    answer = await ask(trap.port, data)
    # Where the connection is reset, the real server's answer reaches its client or not; ours is the common case.
    assert (shown(answer.data), answer.end) == (expected, end)
    await trap.journal.wait_for(Disconnected)


async def test_what_the_server_offers_is_in_the_recorded_order(trap: Trap) -> None:
    answer = await ask(trap.port, VERSION)
    payload, lists = answer.data[5:][17:], []
    for _ in range(10):
        size = int.from_bytes(payload[:4], "big")
        lists.append(payload[4 : 4 + size].decode())
        payload = payload[4 + size :]
    profile = trap.sensor.profile
    both = [",".join(profile.ciphers)] * 2 + [",".join(profile.macs)] * 2
    assert lists == [
        ",".join(profile.kex) + ",kex-strict-s-v00@openssh.com",
        "rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519",
        *both, "none,zlib@openssh.com", "none,zlib@openssh.com", "", "",
    ]  # fmt: skip
    assert payload[:5] == bytes(5)


async def test_a_group_exchange_is_answered_with_a_prime_of_the_distribution(trap: Trap) -> None:
    answer = await ask(trap.port, VERSION + gex(2048, 3072, 8192), pause=0.5)
    data = answer.data[4 + int.from_bytes(answer.data[:4], "big") :]
    assert data[5] == 31
    size = int.from_bytes(data[6:10], "big")
    assert int.from_bytes(data[10 : 10 + size], "big") in {group.prime for group in trap.sensor.groups}


async def test_malformed_input_is_recorded_with_its_beginning(trap: Trap) -> None:
    await ask(trap.port, b"GET / HTTP/1.0\r\n\r\n")
    (closed,) = await trap.journal.wait_for(Disconnected)
    assert closed.reason == "protocol-error"
    (malformed,) = [event for event in trap.journal.events if event.kind == "client.malformed"]
    assert malformed.data == b"GET / HTTP/1.0\r\n\r\n"

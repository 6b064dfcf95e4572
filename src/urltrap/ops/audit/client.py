"""A client that says exactly what it is told to: one algorithm of each kind, and no opinion on what it hears.

Key exchange as in RFC 8731, packets as in RFC 4253 section 6. It does not check host keys: it asks, it trusts nobody.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from types import TracebackType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from urltrap.ops.audit import messages

_BLOCK, _MAC = 16, 32
_MAX_PACKET = 1 << 18


class ServerEnded(Exception):
    """The server has closed or reset the connection; `how` is "closed" or "reset"."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


class NotSsh(Exception):
    """The server does not go on as an SSH server would; the message says where it stopped."""


class _Keys:
    """One direction: cipher and MAC."""

    def __init__(self, derive: Any, letters: str, *, sending: bool) -> None:
        cipher = Cipher(algorithms.AES(derive(letters[1])[:16]), modes.CTR(derive(letters[0])[:16]))
        self.crypt = (cipher.encryptor() if sending else cipher.decryptor()).update
        self.mac = derive(letters[2])[:32]

    def sign(self, number: int, data: bytes) -> bytes:
        return hmac.digest(self.mac, messages.u32(number) + data, "sha256")


class ProbeClient:
    """One connection. `banner` is the server's first line as it came."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._sent = self._received = 0
        self._out: _Keys | None = None
        self._in: _Keys | None = None
        self._session = b""
        self._waiting = bytearray()
        self.banner = b""
        self.strict = False

    @classmethod
    async def connect(cls, host: str, port: int, timeout: float = 20.0) -> ProbeClient:
        """Connect and read the server's identification. OSError, TimeoutError or ServerEnded where there is none."""
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
            client = cls(reader, writer)
            try:
                client.banner = await reader.readline()
            except OSError as error:
                raise ServerEnded("reset") from error
            return client

    async def __aenter__(self) -> ProbeClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.transport.abort()

    @property
    def session_id(self) -> bytes:
        """The hash of the first key exchange."""
        return self._session

    def send_raw(self, data: bytes) -> None:
        """Bytes as they are."""
        self._writer.write(data)

    def end(self) -> None:
        """Send no more."""
        self.flush()
        if self._writer.can_write_eof():
            self._writer.write_eof()

    async def read_raw(self) -> bytes:
        """What comes next. ServerEnded at the end."""
        try:
            data = await self._reader.read(65_536)
        except OSError as error:
            raise ServerEnded("reset") from error
        if not data:
            raise ServerEnded("closed")
        return data

    def flush(self) -> None:
        """Send what waits in one piece: a server that reads it at once treats it as one."""
        if self._waiting:
            self._writer.write(bytes(self._waiting))
            self._waiting.clear()

    def send(self, payload: bytes) -> None:
        """One packet, with the next `flush` or `receive`."""
        if self._out is None:
            self._waiting += messages.packet(payload)
        else:
            padding = _BLOCK - (len(payload) + 5) % _BLOCK
            padding += _BLOCK if padding < 4 else 0
            clear = messages.u32(len(payload) + padding + 1) + bytes([padding]) + payload + bytes(padding)
            self._waiting += self._out.crypt(clear) + self._out.sign(self._sent, clear)
        self._sent += 1

    async def receive(self) -> bytes:
        """The payload of the next packet. ServerEnded where there is none any more."""
        self.flush()
        try:
            return await self._receive()
        except asyncio.IncompleteReadError as error:
            raise ServerEnded("closed") from error
        except OSError as error:
            raise ServerEnded("reset") from error

    async def _receive(self) -> bytes:
        block = _BLOCK if self._in else 8
        start = await self._reader.readexactly(block)
        if self._in:
            start = self._in.crypt(start)
        length = int.from_bytes(start[:4], "big")
        if not 5 <= length <= _MAX_PACKET:
            raise NotSsh(f"a packet of {length} bytes")
        rest = await self._reader.readexactly(length + 4 - block)
        clear = start + (self._in.crypt(rest) if self._in else rest)
        if self._in:
            mac = await self._reader.readexactly(_MAC)
            if not hmac.compare_digest(mac, self._in.sign(self._received, clear)):
                raise NotSsh("a packet whose MAC is wrong")
        self._received += 1
        return clear[5 : 4 + length - clear[4]]

    async def exchange_keys(self, *, strict: bool = False, heard: list[bytes] | None = None) -> None:
        """A whole key exchange; what the server says in between that is no part of it goes to `heard`.

        Before the first one the client's own identification must have been sent.
        """
        first = not self._session
        names = "curve25519-sha256" + (
            ",ext-info-c," + messages.STRICT if strict and first else ",ext-info-c"
        )
        if not first:
            names = "curve25519-sha256"
        init = messages.kexinit(kex=names, host_key=_HOST_KEYS)
        self.send(init)
        heard = [] if heard is None else heard
        server_init = await self._expect(20, heard)
        if first:
            self.strict = strict and b"kex-strict-s-v00@openssh.com" in server_init
        private = X25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        self.send(b"\x1e" + messages.string(public))
        reply = await self._expect(31, heard)
        host_key, rest = _take(reply[1:])
        theirs, _ = _take(rest)
        secret = private.exchange(X25519PublicKey.from_public_bytes(theirs))
        shared = messages.mpint(int.from_bytes(secret, "big"))
        parts = (
            messages.VERSION.strip(), self.banner.rstrip(b"\r\n"), init, server_init, host_key, public, theirs,
        )  # fmt: skip
        digest = hashlib.sha256(b"".join(map(messages.string, parts)) + shared).digest()
        self._session = self._session or digest

        def derive(letter: str) -> bytes:
            return hashlib.sha256(shared + digest + letter.encode() + self._session).digest()

        self.send(b"\x15")
        self._out = _Keys(derive, "ACE", sending=True)
        if self.strict:
            self._sent = 0
        await self._expect(21, heard)
        self._in = _Keys(derive, "BDF", sending=False)
        if self.strict:
            self._received = 0

    async def _expect(self, kind: int, heard: list[bytes]) -> bytes:
        while True:
            payload = await self.receive()
            if payload[:1] == bytes([kind]):
                return payload
            if payload[:1] == b"\x01":
                raise NotSsh("a DISCONNECT within the key exchange")
            heard.append(payload)

    async def log_in(self, user: str, secret: str | None, key: Any = None) -> None:
        """Ask for the service and come in with a password, or with a private key of asyncssh. NotSsh where refused."""
        self.send(messages.service())
        heard: list[bytes] = []
        await self._expect(6, heard)
        if key is None:
            self.send(messages.password(user, secret or ""))
        else:
            self.send(self._signed(user, key))
        while True:
            payload = await self.receive()
            if payload[:1] == b"\x34":
                return
            if payload[:1] in (b"\x33", b"\x01"):
                raise NotSsh(f"the log-in of {user} was refused")

    def _signed(self, user: str, key: Any) -> bytes:
        head = messages.userauth(
            user, "publickey", b"\x01" + messages.string(key.algorithm) + messages.string(key.public_data)
        )
        return head + messages.string(key.sign(messages.string(self._session) + head))


_HOST_KEYS = "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256,ssh-rsa"


def _take(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:4], "big")
    return data[4 : 4 + size], data[4 + size :]

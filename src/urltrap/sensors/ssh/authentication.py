"""Log-in as sshd does it: order, counts, texts and time of the answers; who gets in is decided elsewhere."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import time
from collections.abc import Coroutine
from typing import Any

import asyncssh
from asyncssh.misc import ProtocolError
from asyncssh.packet import Boolean, NameList, SSHPacket, String, UInt32

from urltrap.model.event import LoginTried
from urltrap.sensors.session import Session
from urltrap.sensors.ssh.transport import ServerTransport
from urltrap.wire.ssh import packets
from urltrap.wire.ssh.timing import answer_seconds, refusal_seconds

SERVICE_REQUEST, SERVICE_ACCEPT = 5, 6
USERAUTH_REQUEST, USERAUTH_FAILURE, USERAUTH_SUCCESS, USERAUTH_PK_OK = 50, 51, 52, 60

_SERVICE = b"ssh-userauth"
_PUBLIC_KEY_METHODS = (b"publickey", b"publickey-hostbound-v00@openssh.com")
_LONGEST_PASSWORD = 1024
"""sshd refuses longer ones, empty ones and changes of password by itself, at once (auth-passwd.c)."""
_MAX_KEPT = 4096
"""Bytes of a user name or password that are kept."""


class AuthenticatingConnection(ServerTransport):
    """The log-in part of a connection. The methods at the top are the decisions that it asks for."""

    session: Session
    max_auth_tries: int = 6
    timing_secret: bytes = b""
    username: bytes = b""

    _packet_handlers = dict(ServerTransport._packet_handlers)
    _attempts = 0
    _failures = 0
    _asks_pam = False
    _service_name: bytes = b""

    def password_opens(self, user: bytes, password: bytes) -> bool:
        """Whether this password lets this user in."""
        raise NotImplementedError

    def key_opens(self, user: bytes, key: bytes) -> bool:
        """Whether this public key (SSH wire form) is among the user's authorized ones."""
        raise NotImplementedError

    def logged_in(self) -> None:
        """The client is in."""

    def _process_service_request(self, _kind: int, _number: int, packet: SSHPacket) -> None:
        service = packet.get_string()
        packet.check_end()
        if service != _SERVICE or self._auth_complete:
            self.was_malformed("bad service request", service)
            self.say_goodbye(f"bad service request {_text(service)}")
            return
        # Again and again: paramiko asks once for every try.
        self.send_packet(SERVICE_ACCEPT, String(service))
        self._auth_in_progress = True
        self._can_recv_ext_info = False
        self._send_deferred_packets()

    _packet_handlers[SERVICE_REQUEST] = _process_service_request

    def _process_userauth_request(
        self, _kind: int, number: int, packet: SSHPacket
    ) -> Coroutine[Any, Any, None] | None:
        if self._auth_complete:
            return None
        if not self._auth_in_progress:
            self.send_packet(packets.UNIMPLEMENTED, UInt32(number))
            return None
        user, service, method = (c_string(packet) for _ in range(3))
        self._attempts += 1
        if self._attempts == 1:
            self.username, self._service_name = user, service
        elif (user, service) != (self.username, self._service_name):
            old, new = (self.username, self._service_name), (user, service)
            self.was_malformed("another user in the same connection", user)
            self.say_goodbye(
                packets.username_changed((_text(old[0]), _text(old[1])), (_text(new[0]), _text(new[1])))
            )
            return None
        return self._try(method, packet)

    _packet_handlers[USERAUTH_REQUEST] = _process_userauth_request

    async def _try(self, method: bytes, packet: SSHPacket) -> None:
        started = time.monotonic()
        if method == b"none":
            packet.check_end()
            self._note("none", accepted=False)
            if self._attempts > 1:
                self._failures += 1
            self._answer_failure()
            return
        accepted = pending = False
        spent = 0.0
        if method == b"password" and "password" in self.profile.auth_methods:
            accepted = self._try_password(packet)
            spent = self.profile.password_check_ms / 1000
            if not accepted and self._asks_pam:
                chances = (random.random(), random.random(), random.random())
                spent += refusal_seconds(self.profile.password_refusal_ms / 1000, chances)
        elif method in _PUBLIC_KEY_METHODS and "publickey" in self.profile.auth_methods:
            accepted, pending = self._try_key(method, packet)
        elif method == b"keyboard-interactive":
            self._note("keyboard-interactive", accepted=False)
        await asyncio.sleep(
            answer_seconds(self.timing_secret, self.username, spent) - (time.monotonic() - started)
        )
        if not self._transport or pending:
            return
        if accepted:
            self._succeed()
            return
        self._failures += 1
        self._answer_failure()

    def _answer_failure(self) -> None:
        if self._failures >= self.max_auth_tries:
            self.say_goodbye(packets.TOO_MANY_FAILURES)
            return
        methods = [name.encode() for name in self.profile.auth_methods]
        self.send_packet(USERAUTH_FAILURE, NameList(methods), Boolean(False))

    def _try_password(self, packet: SSHPacket) -> bool:
        change = packet.get_boolean()
        password = packet.get_string()
        self._asks_pam = not change and 0 < len(password) <= _LONGEST_PASSWORD
        if change:
            packet.get_string()
        packet.check_end()
        accepted = not change and self.password_opens(self.username, password)
        self._note("password", password=password[:_MAX_KEPT], accepted=accepted)
        return accepted

    def _try_key(self, method: bytes, packet: SSHPacket) -> tuple[bool, bool]:
        """(accepted, the client was told that the key would do)."""
        signed = packet.get_boolean()
        algorithm, key = packet.get_string(), packet.get_string()
        host_key = packet.get_string() if method != b"publickey" else None
        message = packet.get_consumed_payload()
        signature = packet.get_string() if signed else b""
        packet.check_end()
        if host_key is not None and host_key != self.host_key_blob:
            raise ProtocolError("a try that is bound to another server's key")
        opens = self.key_opens(self.username, key)
        accepted = opens and signed and self._verifies(key, message, signature)
        self._note(
            "publickey",
            public_key=_key_line(key),
            key_fingerprint=_fingerprint(key),
            accepted=accepted,
        )
        if opens and not signed:
            self.send_packet(USERAUTH_PK_OK, String(algorithm), String(key))
            return False, True
        return accepted, False

    def _verifies(self, key: bytes, message: bytes, signature: bytes) -> bool:
        try:
            return bool(
                asyncssh.public_key.decode_ssh_public_key(key).verify(
                    String(self._session_id) + message, signature
                )
            )
        except (asyncssh.KeyImportError, ValueError):
            return False

    def _note(self, method: str, **fields: Any) -> None:
        self.session.record(LoginTried, method=method, username=self.username[:_MAX_KEPT], **fields)

    def _succeed(self) -> None:
        self.send_packet(USERAUTH_SUCCESS)
        self._auth = None
        self._auth_in_progress = False
        self._auth_complete = True
        self._username = _text(self.username)
        self._send_deferred_packets()
        self._cancel_login_timer()
        self.send_server_host_keys()
        if self._kex is None and not self._kexinit_sent:
            self._client_kexinit = self._server_kexinit = b""  # agreed on: a new exchange has its own
        self.logged_in()


def c_string(packet: SSHPacket) -> bytes:
    """A string that sshd reads as one of C: a zero byte ends the connection."""
    value = packet.get_string()
    if b"\0" in value:
        raise ProtocolError("a zero byte in a name")
    return value


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _key_line(key: bytes) -> str:
    length = int.from_bytes(key[:4], "big")
    name = key[4 : 4 + length][:64].decode("ascii", "replace")
    return f"{name} {base64.b64encode(key[:16_384]).decode()}"


def _fingerprint(key: bytes) -> str:
    """As ``ssh-keygen -l`` shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")

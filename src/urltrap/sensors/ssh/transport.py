"""The transport layer of the profile's server on top of asyncssh's: what is said before log-in, and how it ends.

asyncssh's private names are used on purpose (its version is pinned); `tests/sensors/test_ssh_probes.py` is the gate for
an upgrade.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Any, cast

from asyncssh.connection import SSHServerConnectionOptions
from asyncssh.misc import CompressionError, MACError, ProtocolError
from asyncssh.packet import Boolean, PacketDecodeError, SSHPacket, String, UInt32

from urltrap.sensors.gathering import GatheringTransport
from urltrap.sensors.ssh.kex import as_the_server_does, expected_messages
from urltrap.sensors.ssh.negotiation import NegotiatingConnection
from urltrap.wire.ssh import packets
from urltrap.wire.ssh.fingerprint import KexInit, parse_kexinit
from urltrap.wire.ssh.groups import Group
from urltrap.wire.ssh.identification import Identified, Refused
from urltrap.wire.ssh.packets import Reaction, Verdict
from urltrap.wire.ssh.profile import Profile

_EMPTY_IGNORE = (b"\0\0\0\0",)
_MAX_BUFFERED_INPUT = 1 << 20
_MAX_BUFFERED_OUTPUT = 4 << 20
_FLUSH_SECONDS = 5
_LINGER_RESET = struct.pack("ii", 1, 0)


def _wait() -> bool:
    return False


def _reset_at_close(transport: Any) -> None:
    with contextlib.suppress(OSError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)


class ServerTransport(NegotiatingConnection):
    """A connection that looks like the profile's server up to the end of log-in."""

    _packet_handlers = dict(NegotiatingConnection._packet_handlers)

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: SSHServerConnectionOptions,
        profile: Profile,
        groups: Sequence[Group],
    ) -> None:
        super().__init__(loop, options)
        self.profile = profile
        self._groups = groups
        self._server_host_key_algs = [name.encode() for name in profile.host_keys]
        self._banner_sent = self._ended_early = self._told_extensions = False
        self._write_paused = False
        self._read_paused = False
        self._last_words = False

    # ---- for the connection built on this one ----

    def identified(self, line: bytes, offered: KexInit | None) -> None:
        """The client has said who it is (once with its line, once more with what it offers)."""

    def was_malformed(self, what: str, data: bytes) -> None:
        """Input that the protocol does not allow; the connection is about to end."""

    def counted(self, received: int, sent: int) -> None:
        """Bytes went over the wire."""

    def writable_again(self) -> None:
        """The client takes data again."""

    @property
    def client_software(self) -> bytes:
        """The client's identification behind its protocol version."""
        return self._client_version.split(b"-", 2)[-1]

    @property
    def write_paused(self) -> bool:
        """True while the client does not take what it was sent."""
        return self._write_paused

    def say_goodbye(self, text: str) -> None:
        """End as sshd does where it says why: DISCONNECT 2 with `text` and an empty language."""
        if self._transport:
            if not self.profile.mute:
                super()._send_disconnect(packets.DISCONNECT_PROTOCOL_ERROR, text, "")
            self._force_close(None)

    def say_aside(self, text: str) -> None:
        """Tell the client's log something (DEBUG, not to be shown)."""
        self.send_packet(packets.DEBUG, Boolean(False), String(text), String(""))

    # ---- start ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over a new connection."""
        super().connection_made(GatheringTransport(cast(asyncio.Transport, transport), self._loop))  # type: ignore[arg-type]

    def _send_version(self) -> None:
        delay = self.profile.banner_delay_ms / 1000
        if delay:
            self._loop.call_later(delay, self._send_banner)
        else:
            self._send_banner()

    def _send_banner(self) -> None:
        if self._transport:
            super()._send_version()
            self._banner_sent = True
            if self.profile.speaks_first:
                self._offer()
            if self._inpbuf:
                self._recv_data()
            if self._ended_early:
                super().eof_received()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more. What it sent before it heard our banner is still to be looked at."""
        if self._transport is not None and not self._banner_sent:
            self._ended_early = True
            return True
        super().eof_received()
        return False

    def _recv_version(self) -> bool:
        if not self._banner_sent:
            return False
        result = self.profile.identify(self._inpbuf)
        if isinstance(result, Refused):
            self.was_malformed(result.why, self._inpbuf)
            self._refuse(result)
            return False
        if not isinstance(result, Identified):
            return False
        self._inpbuf = result.rest
        self._client_version = result.line
        self.set_extra_info(client_version=result.line.decode("latin-1"))
        self.identified(result.line, None)
        if not self.profile.speaks_first:
            self._offer()
        self._recv_handler = self._recv_pkthdr
        return True

    def _offer(self) -> None:
        self._send_kexinit()
        self._kexinit_sent = True

    def _refuse(self, refused: Refused) -> None:
        transport = self._transport
        if transport is None:
            return
        if refused.answer and not self.profile.mute:
            self._send(refused.answer)
        self._inpbuf = b""
        if refused.reset:
            _reset_at_close(transport)
        self._last_words = True
        self._force_close(None)

    # ---- packets ----

    def _recv_pkthdr(self) -> bool:
        if self._recv_encryption:
            return super()._recv_pkthdr()
        header = packets.read_header(self._inpbuf, 255 if self.profile.answers_pings else packets.LAST_TYPE)
        if header.verdict is Verdict.MORE:
            return False
        if header.verdict is not Verdict.ACCEPT:
            self.was_malformed(header.text, self._inpbuf[: header.length or None])
            self._inpbuf = self._inpbuf[header.length :]  # read, so that closing does not reset for it
            if header.verdict is Verdict.DISCONNECT:
                self.say_goodbye(header.text)
            else:
                self._force_close(None)
            return False
        return self._react(header)

    def _react(self, header: packets.Header) -> bool:
        if self._ignore_first_kex:
            return super()._recv_pkthdr()
        reaction = packets.react_before_keys(
            header.type,
            expected=expected_messages(self._kex) if self._kex is not None else None,
            keys_ready=self._next_recv_encryption is not None,
            strict=self._strict_kex,
        )
        reaction = packets.terser(reaction, header.type, with_keys=False) if self.profile.mute else reaction
        if reaction is Reaction.HANDLE and header.type != packets.IGNORE:
            return super()._recv_pkthdr()
        packet, self._inpbuf = self._inpbuf[: header.length], self._inpbuf[header.length :]
        if reaction in (
            Reaction.UNIMPLEMENTED,
            Reaction.HANDLE,
            Reaction.IGNORE,
        ):  # nobody looks into an IGNORE
            if reaction is Reaction.UNIMPLEMENTED:
                self.send_packet(packets.UNIMPLEMENTED, UInt32(self._recv_seq))
            self._recv_seq += 1
            return True
        self.was_malformed(f"message {header.type} before the keys", packet)
        if reaction is Reaction.VIOLATION:
            self.say_goodbye(packets.violation_text(header.type, self._recv_seq))
        else:
            self._force_close(None)
        return False

    def _recv_packet(self) -> bool:
        if not self._recv_encryption:
            return super()._recv_packet()
        payload = self._decrypted()
        if payload is None:
            return False
        kind, number = (payload[0] if payload else 0), self._recv_seq
        reaction = packets.react_with_keys(
            kind,
            logged_in=self._auth_complete,
            log_in_began=self._auth_in_progress,
            expected=self._expected_with_keys(),
            last=packets.LAST_LOCAL_TYPE if self.profile.answers_pings else packets.LAST_TYPE,
            takes_ext_info=self.profile.takes_ext_info and not self._told_extensions,
        )
        if self.profile.mute:
            reaction = packets.terser(reaction, kind, with_keys=True, logged_in=self._auth_complete)
        if reaction is Reaction.CLOSE:
            self.was_malformed(f"message {kind}", payload)
            if kind and self.profile.answers_pings:
                self._force_close(None)
            else:
                self.say_goodbye(packets.invalid_type_text(kind))
            return False
        if reaction is Reaction.UNIMPLEMENTED:
            self.send_packet(packets.UNIMPLEMENTED, UInt32(number))
        elif kind != packets.IGNORE and not self._handled(kind, number, payload):
            return False
        if self._transport is None:
            return False
        self._finish_recv_packet(kind, number)
        return True

    def _decrypted(self) -> bytes | None:
        """The payload of the next packet; None where it is not complete yet."""
        size = 4 + self._pktlen + self._recv_macsize - self._recv_blocksize
        if len(self._inpbuf) < size:
            return None
        rest, mac = self._inpbuf[: size - self._recv_macsize], self._inpbuf[size - self._recv_macsize : size]
        assert self._recv_encryption is not None
        clear = self._recv_encryption.decrypt_packet(self._recv_seq, self._packet, rest, 4, mac)
        if not clear:
            raise MACError("MAC verification failed")
        self._inpbuf, self._packet = self._inpbuf[size:], b""
        payload = clear[1 : -clear[0]]
        if self._decompressor and (self._auth_complete or not self._decompress_after_auth):
            inflated = self._decompressor.decompress(payload)
            if inflated is None:
                raise CompressionError("Decompression failed")
            payload = inflated
        return bytes(payload)

    def _expected_with_keys(self) -> frozenset[int] | None:
        if self._kex is not None:
            return expected_messages(self._kex)
        return frozenset({packets.NEWKEYS}) if self._next_recv_encryption is not None else None

    def _handled(self, kind: int, number: int, payload: bytes) -> bool:
        """Hand a message to who is in charge; False where what comes next has to wait, or nothing comes any more."""
        packet = SSHPacket(payload)
        packet.get_byte()
        handler: Any = (
            self._kex if self._kex is not None and packets.KEX_FIRST <= kind <= packets.KEX_LAST else self
        )
        if kind in packets.UNASKED or kind in (packets.PING, packets.PONG):
            if kind == packets.PING and self._auth_complete:
                self.send_packet(packets.PONG, payload[1:])
            return True
        self._told_extensions = self._told_extensions or kind == packets.EXT_INFO
        try:
            if kind in packets.CHANNEL_MESSAGES:
                handler = self._channel_of(kind, packet)
                if handler is None:
                    return self._transport is not None
            result = handler.process_packet(kind, number, packet)
        except PacketDecodeError as error:
            raise ProtocolError(str(error)) from None
        if inspect.isawaitable(result):
            self._recv_handler = _wait
            task = self.create_task(result)
            task.add_done_callback(functools.partial(self._finish_recv_packet, kind, number, is_async=True))
            return False
        return True

    def _channel_of(self, kind: int, packet: SSHPacket) -> Any:
        number = packet.get_uint32()
        opening = kind in (packets.OPEN_CONFIRMATION, packets.OPEN_FAILURE)
        channel = self._channels.get(number)
        if channel is not None and not opening:
            return channel
        text = packets.stray_channel_text(kind, number)
        if channel is not None:
            text = packets.not_opening_text(kind, number)
        if text:
            self.was_malformed(text, b"")
            self.say_goodbye(text)
        return None

    async def _process_kexinit(self, kind: int, number: int, packet: SSHPacket) -> None:
        payload = packet.get_full_payload()
        offered = parse_kexinit(payload)
        first = not self._session_id
        if offered is None:
            raise ProtocolError("a KEXINIT that is cut short")
        if first and offered is not None:
            self.identified(self._client_version, offered)
            if b"kex-strict-c-v00@openssh.com" in offered.kex.split(b",") and self._recv_seq != 0:
                self.was_malformed("key exchange did not come first", payload)
                self.say_goodbye(packets.NOT_FIRST)
                return
        try:
            await super()._process_kexinit(kind, number, packet)
        except PacketDecodeError as error:
            raise ProtocolError(str(error)) from None
        self._kex = as_the_server_does(self._kex, self._groups)
        if offered is not None and payload[-5]:
            # A guess counts as right only where the first names of both lists agree (RFC 4253 section 7).
            ours = (self.profile.kex[0].encode(), self.profile.host_keys[0].encode())
            theirs = (offered.kex.split(b",")[0], offered.host_keys.split(b",")[0])
            self._ignore_first_kex = ours != theirs

    _packet_handlers[packets.KEXINIT] = _process_kexinit

    def _get_extra_kex_algs(self) -> list[bytes]:
        return [name.encode() for name in self.profile.kex_markers]

    def _send_ext_info(self) -> None:
        self._extensions_to_send.clear()
        self._extensions_to_send.update(self.profile.extension_info())
        if self._extensions_to_send:
            super()._send_ext_info()

    def send_packet(self, pkttype: int, *args: bytes, handler: Any = None) -> None:
        """Send a packet, but not the empty IGNORE that asyncssh puts before encrypted ones: sshd sends none."""
        if pkttype != packets.IGNORE or args != _EMPTY_IGNORE:
            super().send_packet(pkttype, *args, handler=handler)

    def _send(self, data: bytes) -> None:
        if not self._send_encryption and self._server_kexinit and not self.profile.random_padding:
            padding = data[4]
            data = data[:-padding] + bytes(padding)
        self.counted(0, len(data))
        super()._send(data)

    def log_sent_packet(self, *_args: Any, **_kwargs: Any) -> None:
        """Packets are not logged: it costs, and attackers' bytes do not belong there."""

    log_received_packet = log_sent_packet

    # ---- flow ----

    def data_received(self, data: bytes, datatype: Any = None) -> None:
        """Take bytes from the client, no more than can be worked off."""
        self.counted(len(data), 0)
        if self._transport is None:
            return  # what was on its way when we ended
        super().data_received(data, datatype)
        transport = self._transport
        if transport is None or self._read_paused:
            return
        if (
            len(self._inpbuf) > _MAX_BUFFERED_INPUT
            or transport.get_write_buffer_size() > _MAX_BUFFERED_OUTPUT
        ):
            self._read_paused = True
            transport.pause_reading()

    def _resume_reading(self) -> None:
        if (
            self._read_paused
            and self._transport is not None
            and len(self._inpbuf) <= _MAX_BUFFERED_INPUT
            and not self._write_paused
        ):
            self._read_paused = False
            self._transport.resume_reading()

    def _finish_recv_packet(self, pkttype: int, seq: int, _task: Any = None, is_async: bool = False) -> None:
        super()._finish_recv_packet(pkttype, seq, _task, is_async)
        if self._read_paused:
            self._resume_reading()

    def pause_writing(self) -> None:
        """The client does not take what it is sent: everything that produces output waits."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """It takes data again."""
        self._write_paused = False
        self._resume_reading()
        self.writable_again()

    # ---- end ----

    def _send_disconnect(self, code: int, reason: str, lang: str) -> None:
        # asyncssh explains itself to the client; sshd closes without a word in all but a few cases.
        if code == MACError("").code and not self.profile.mute:
            self._last_words = True
            super()._send_disconnect(packets.DISCONNECT_PROTOCOL_ERROR, packets.BAD_MAC, "")
        elif self._auth_complete and self._transport is not None:
            # sshd ends before it has sent what it answered to the messages read together with this one.
            gathering: Any = self._transport
            gathering.forget()
        self.was_malformed(reason, self._packet or self._inpbuf[:64])

    def _force_close(self, exc: Exception | None) -> None:
        transport = self._transport
        if transport is None:
            return
        self._transport = None
        if isinstance(transport, GatheringTransport):
            transport.flush()
        if self.profile.mute and self._inpbuf:
            _reset_at_close(transport)  # it closes with bytes unread, which the kernel answers so
        if (transport.get_write_buffer_size() and not self._write_paused) or self._last_words:
            transport.close()
            self._loop.call_later(_FLUSH_SECONDS, transport.abort)
        else:
            self._loop.call_soon(transport.abort)
        self._loop.call_soon(self._cleanup, exc)

    def internal_error(self, exc_info: Any = None, error_logger: Any = None) -> None:
        """An error of asyncssh or ours while working on this client's input: it ends this connection only."""
        error = (exc_info or sys.exc_info())[1]
        if isinstance(error, ProtocolError):
            self.was_malformed(str(error), b"")
        else:
            self.broke(error)
        self._force_close(error if isinstance(error, Exception) else None)

    def broke(self, error: BaseException | None) -> None:
        """An exception that nobody expected ended this connection."""

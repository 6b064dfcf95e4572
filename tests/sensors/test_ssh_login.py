"""Log-in as sshd does it: order of methods, counts, farewells; and what the record holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncssh
import pytest
from asyncssh.packet import Boolean, String

from urltrap.model.event import ClientIdentified, Disconnected, LoginTried, Malformed
from urltrap.model.settings import SshSettings

from .conftest import PASSWORD, Trap, TrapBuilder


class Guesser(asyncssh.SSHClient):
    """Tries one password after the other on one connection."""

    def __init__(self, words: list[str]) -> None:
        self.words = iter(words)
        self.farewell: Exception | None = None

    def password_auth_requested(self) -> str | None:
        return next(self.words, None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.farewell = exc


async def test_the_offered_methods_are_debians_in_order(trap: Trap) -> None:
    methods = await asyncssh.get_server_auth_methods("127.0.0.1", trap.port, username="root", config=None)
    assert list(methods) == ["publickey", "password"]


async def test_the_sixth_failure_ends_the_connection_in_sshds_words(trap: Trap) -> None:
    guesser = Guesser([f"wrong{number}" for number in range(9)])
    with pytest.raises(asyncssh.ProtocolError, match="Too many authentication failures") as caught:
        await trap.connect(client_factory=lambda: guesser, password=None)
    assert (caught.value.code, caught.value.lang) == (2, "")
    await trap.journal.wait_for(Disconnected)
    tries = [event.password for event in trap.journal.of(LoginTried) if event.method == "password"]
    assert tries == [f"wrong{number}".encode() for number in range(6)]


async def test_a_password_after_wrong_ones_still_opens(trap: Trap) -> None:
    async with trap.connect(client_factory=lambda: Guesser(["a", "b", PASSWORD]), password=None) as client:
        assert (await client.run("id")).exit_status == 0
    assert [event.accepted for event in trap.journal.of(LoginTried)] == [False, False, False, True]


async def test_what_arrives_behind_malformed_input_is_not_told_again(trap: Trap) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", trap.port)
    await reader.readline()
    (server,) = trap.sensor.connections
    for data in (b"SSH-2.0-x\r\n", b"\xff" * 1000, b"\xff" * 1000, b"\0" * 1000):
        server.data_received(data)
    writer.close()
    (closed,) = await trap.journal.wait_for(Disconnected)
    (told,) = trap.journal.of(Malformed)
    assert (closed.reason, closed.detail) == ("protocol-error", told.what)


async def test_garbage_whose_sender_does_not_wait_for_the_banner_is_told(trap_builder: TrapBuilder) -> None:
    trap = await trap_builder(profile_changes={"banner_delay_ms": 20.0})
    reader, writer = await asyncio.open_connection("127.0.0.1", trap.port)
    writer.write(b"\0" * 1000)
    writer.write_eof()
    assert await reader.readline() == b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"
    writer.close()
    (closed,) = await trap.journal.wait_for(Disconnected)
    (told,) = trap.journal.of(Malformed)
    assert (closed.reason, closed.detail) == ("protocol-error", told.what)


async def test_a_client_that_only_looks_whether_the_port_is_open_is_no_error(
    trap_builder: TrapBuilder,
) -> None:
    trap = await trap_builder(profile_changes={"banner_delay_ms": 20.0})
    _, writer = await asyncio.open_connection("127.0.0.1", trap.port)
    writer.write_eof()
    writer.close()
    (closed,) = await trap.journal.wait_for(Disconnected)
    assert closed.reason == "client" and not trap.journal.of(Malformed)


async def test_a_password_of_a_megabyte_is_told_once_and_ends_the_connection(trap: Trap) -> None:
    with pytest.raises((asyncssh.Error, OSError)):
        await trap.connect(password="x" * 1_000_000)
    (closed,) = await trap.journal.wait_for(Disconnected)
    (told,) = trap.journal.of(Malformed)
    assert (closed.reason, closed.detail) == ("protocol-error", told.what)


async def test_keys_are_recorded_with_their_fingerprints(trap: Trap) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    async with trap.connect(client_keys=[key]) as client:
        await client.run("id")
    (tried,) = [event for event in trap.journal.of(LoginTried) if event.method == "publickey"]
    assert tried.key_fingerprint == key.get_fingerprint()
    assert tried.public_key == key.export_public_key().decode().strip()
    assert not tried.accepted


async def test_a_client_that_never_logs_in_is_closed_after_the_grace_time(trap_builder: TrapBuilder) -> None:
    trap = await trap_builder(settings=SshSettings(login_grace_seconds=0.1))
    reader, writer = await asyncio.open_connection("127.0.0.1", trap.port)
    writer.write(b"SSH-2.0-Go\r\n")
    assert (await reader.read())[:8] == b"SSH-2.0-"
    writer.close()
    (closed,) = await trap.journal.wait_for(Disconnected)
    assert closed.reason == "timeout"
    assert [event.version for event in trap.journal.of(ClientIdentified)] == [b"SSH-2.0-Go"]


async def test_an_idle_session_is_ended(trap_builder: TrapBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urltrap.sensors.ssh.connection._WATCH_SECONDS", 0.05)
    trap = await trap_builder(settings=SshSettings(idle_seconds=0.2))
    async with trap.connect() as client:
        await client.create_process("wait")
        (closed,) = await trap.journal.wait_for(Disconnected)
    assert (closed.reason, closed.detail) == ("timeout", "idle")


async def test_connections_beyond_the_limit_get_sshds_refusal_and_are_counted(
    trap_builder: TrapBuilder,
) -> None:
    trap = await trap_builder(per_address=2)
    held = [await asyncio.open_connection("127.0.0.1", trap.port) for _ in range(2)]
    for reader, _ in held:
        await reader.readline()
    reader, writer = await asyncio.open_connection("127.0.0.1", trap.port)
    assert await reader.read() == b"Exceeded MaxStartups\r\n"
    for each in (writer, *(writer for _, writer in held)):
        each.close()
    await trap.journal.wait_for(Disconnected, 2)
    trap.sensor.admission.flush()
    (counted,) = [event for event in trap.journal.events if event.kind == "flood.counted"]
    assert (counted.src_ip, counted.count) == ("127.0.0.1", 1)
    async with trap.connect() as client:
        assert (await client.run("id")).exit_status == 0


class RawClient(asyncssh.SSHClient):
    """Gets at the connection before log-in."""

    def __init__(self) -> None:
        self.ready = asyncio.get_running_loop().create_future()
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, conn: Any) -> None:
        self.connection = conn

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


async def raw(trap: Trap, act: Callable[[Any], None], count: int = 1) -> tuple[list[tuple[int, bytes]], Any]:
    """Log in to the point where the server has accepted the service, then `act`; the packets that come back."""
    seen: list[tuple[int, bytes]] = []
    enough = asyncio.Event()

    class Conn(asyncssh.SSHClientConnection):
        def try_next_auth(self, *, next_method: bool = False) -> None:
            act(self)

        def process_packet(self, pkttype: int, pktid: int, packet: Any) -> Any:
            if pkttype in (6, 51, 52, 3, 1) and self._recv_encryption:
                seen.append((pkttype, packet.get_full_payload()[1:]))
                if len(seen) >= count + 1:
                    enough.set()
                if pkttype == 51:
                    return True  # the test asked, not the client's own log-in
            return super().process_packet(pkttype, pktid, packet)

    options = await asyncssh.SSHClientConnectionOptions.construct(
        username="root",
        password="x",
        known_hosts=None,
        client_keys=None,
        config=None,
        client_factory=RawClient,
    )
    loop = asyncio.get_running_loop()
    _, conn = await loop.create_connection(lambda: Conn(loop, options), "127.0.0.1", trap.port)
    async with asyncio.timeout(10):
        await enough.wait()
    conn.abort()
    return seen, conn


async def test_the_service_may_be_asked_for_again_and_again(trap: Trap) -> None:
    def ask(conn: Any) -> None:
        if not hasattr(conn, "asked"):
            conn.asked = True
            for _ in range(3):
                conn._next_service = b"ssh-userauth"
                conn.send_packet(5, String(b"ssh-userauth"))

    seen, _ = await raw(trap, ask, count=2)
    assert [kind for kind, _ in seen][:3] == [6, 6, 6]


async def test_another_user_in_the_same_connection_is_refused_in_sshds_words(trap: Trap) -> None:
    def ask(conn: Any) -> None:
        for user in (b"root", b"admin"):
            conn.send_packet(
                50, String(user), String(b"ssh-connection"), String(b"password"), Boolean(False), String(b"x")
            )

    seen, _ = await raw(trap, ask, count=2)
    assert [kind for kind, _ in seen] == [6, 51, 1]
    assert (
        b"Change of username or service not allowed: (root,ssh-connection) -> (admin,ssh-connection)"
        in seen[2][1]
    )


async def test_names_and_passwords_that_are_not_utf8_are_recorded(trap: Trap) -> None:
    def ask(conn: Any) -> None:
        conn.send_packet(
            50,
            String(b"\xff\x01"),
            String(b"ssh-connection"),
            String(b"password"),
            Boolean(False),
            String(b"\xfe"),
        )

    await raw(trap, ask)
    (tried,) = trap.journal.of(LoginTried)
    assert (tried.username, tried.password) == (b"\xff\x01", b"\xfe")

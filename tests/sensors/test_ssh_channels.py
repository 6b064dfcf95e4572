"""The order of messages on a channel, forwards, and limits, as sshd has them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import asyncssh
import pytest

from urltrap.model.event import BudgetSpent, Disconnected, ForwardAsked, TerminalFrames
from urltrap.model.settings import SessionLimits

from .conftest import Trap, TrapBuilder

CONFIRMATION, ADJUST, DATA, EOF, CLOSE, REQUEST, SUCCESS = 91, 93, 94, 96, 97, 98, 99


@contextlib.asynccontextmanager
async def watched(trap: Trap, monkeypatch: pytest.MonkeyPatch) -> Any:
    seen: list[tuple[int, bytes]] = []
    for kind in (asyncssh.connection.SSHConnection, asyncssh.channel.SSHChannel):
        monkeypatch.setattr(
            kind,
            "log_received_packet",
            lambda self, pkttype, pktid, packet, note="": (
                seen.append((pkttype, packet.get_full_payload())) if self_is_client(self) else None
            ),
        )
    async with trap.connect() as client:
        yield client, seen


def self_is_client(one: Any) -> bool:
    connection = one if isinstance(one, asyncssh.connection.SSHConnection) else one.get_connection()
    return connection.is_client()


async def test_a_command_is_confirmed_before_its_output_and_ended_in_sshds_order(
    trap: Trap, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(trap, monkeypatch) as (client, seen):
        await client.run("id")
        kinds = [kind for kind, _ in seen if kind >= CONFIRMATION]
    assert kinds[:7] == [CONFIRMATION, ADJUST, SUCCESS, DATA, EOF, REQUEST, CLOSE]
    confirmation, adjust = seen_of(seen, CONFIRMATION), seen_of(seen, ADJUST)
    assert int.from_bytes(confirmation[9:13], "big") == 0
    assert int.from_bytes(confirmation[13:17], "big") == 32_768
    assert int.from_bytes(adjust[5:9], "big") == 2_097_152
    assert b"hostkeys-00@openssh.com" in seen_of(seen, 80)


def seen_of(seen: list[tuple[int, bytes]], kind: int) -> bytes:
    return next(payload for found, payload in seen if found == kind)


@pytest.mark.parametrize("size", [1, 70_000, 3_000_000])
async def test_all_output_arrives_before_the_status_however_long_it_is(trap: Trap, size: int) -> None:
    text = "x" * size
    async with trap.connect() as client:
        result = await client.run("cat", input=text)
    assert result.stdout == text and result.exit_status == 0


async def test_an_unknown_channel_type_is_refused_in_sshds_words(trap: Trap) -> None:
    async with trap.connect() as client:
        channel = client.create_tcp_channel(encoding=None)
        with pytest.raises(asyncssh.ChannelOpenError) as caught:
            await channel._open(b"x11-or-so")
    assert (caught.value.code, caught.value.reason, caught.value.lang) == (2, "open failed", "")


async def test_a_forward_to_another_host_is_listened_to_and_never_connected(trap: Trap) -> None:
    async with trap.connect() as client:
        reader, writer = await client.open_connection("198.51.100.7", 25)
        writer.write(b"EHLO spam\r\n")
        assert await reader.read() == b""
    (event,) = trap.journal.of(ForwardAsked)
    assert (event.direction, event.host, event.port) == ("direct", b"198.51.100.7", 25)
    assert event.first_bytes == b"EHLO spam\r\n"


async def test_a_forward_to_the_machine_itself_is_refused(trap: Trap) -> None:
    async with trap.connect() as client:
        for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0"):
            with pytest.raises(asyncssh.ChannelOpenError, match="Connection refused"):
                await client.open_connection(host, 3306)
        with pytest.raises(asyncssh.ChannelOpenError):
            await client.open_unix_connection("/var/run/docker.sock")
    assert [event.direction for event in trap.journal.of(ForwardAsked)] == ["direct"] * 4 + ["direct-unix"]


async def test_a_reverse_forward_is_granted_and_nothing_listens(trap: Trap) -> None:
    async with trap.connect() as client:
        listener = await client.forward_remote_port("", 0, "127.0.0.1", 1)
        port = listener.get_port()
        assert port > 1024
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)
        listener.close()
    (event,) = trap.journal.of(ForwardAsked)
    assert (event.direction, event.port) == ("reverse", 0)


async def test_a_keep_alive_is_answered_as_sshd_answers_it(trap: Trap) -> None:
    async with trap.connect() as client:
        kind, _ = await client._make_global_request(b"keepalive@openssh.com")
    assert kind == 82  # sshd fails what it does not know


async def test_the_client_may_change_keys_at_any_time(trap: Trap) -> None:
    async with trap.connect(rekey_bytes=20_000) as client:
        text = "y" * 300_000
        assert (await client.run("cat", input=text)).stdout == text


@pytest.mark.parametrize(
    "kex",
    [
        "sntrup761x25519-sha512@openssh.com", "curve25519-sha256", "ecdh-sha2-nistp521",
        "diffie-hellman-group14-sha256", "diffie-hellman-group16-sha512",
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
async def test_every_kind_of_key_exchange_works(trap: Trap, kex: str) -> None:
    async with trap.connect(kex_algs=[kex]) as client:
        assert (await client.run("id")).stdout == "id\n"


@pytest.mark.parametrize(
    ("cipher", "mac"),
    [("chacha20-poly1305@openssh.com", "hmac-sha1"), ("aes256-gcm@openssh.com", "hmac-sha1"),
     ("aes128-ctr", "umac-64-etm@openssh.com"), ("aes192-ctr", "hmac-sha2-512")],
)  # fmt: skip
async def test_ciphers_and_macs_of_the_profile_work(trap: Trap, cipher: str, mac: str) -> None:
    async with trap.connect(encryption_algs=[cipher], mac_algs=[mac]) as client:
        assert (await client.run("id")).stdout == "id\n"


async def test_compression_after_log_in_works(trap: Trap) -> None:
    async with trap.connect(compression_algs=["zlib@openssh.com"]) as client:
        assert (await client.run("cat", input="z" * 100_000)).stdout == "z" * 100_000


async def test_endless_output_is_bounded_and_told_once(trap_builder: TrapBuilder) -> None:
    trap = await trap_builder(limits=SessionLimits(output_bytes=300_000))
    received = 0
    async with trap.connect(encoding=None) as client:
        process = await client.create_process("yes", encoding=None)
        with contextlib.suppress(asyncssh.Error, ConnectionError):
            while chunk := await process.stdout.read(65_536):
                received += len(chunk)
    (closed,) = await trap.journal.wait_for(Disconnected)
    assert 0 < received <= 300_000
    assert (closed.reason, closed.detail) == ("budget", "output_bytes")
    assert [event.what for event in trap.journal.of(BudgetSpent)] == ["output_bytes"]


async def test_a_client_that_does_not_read_stops_its_command(trap: Trap) -> None:
    async with trap.connect(encoding=None) as client:
        process = await client.create_process("yes", encoding=None, window=65_536)
        await process.stdout.read(1)
        process.channel.pause_reading()
        # Others are served meanwhile, and the endless command has stopped for want of room.
        for _ in range(5):
            assert (await client.run("id")).exit_status == 0
        connection = next(iter(trap.sensor.connections))
        assert connection.session.bytes_out < 2_000_000
        client.abort()
    await trap.sensor.stop()


async def test_too_much_input_ends_the_session(trap_builder: TrapBuilder) -> None:
    trap = await trap_builder(limits=SessionLimits(input_bytes=100_000))
    async with trap.connect(encoding=None) as client:
        with contextlib.suppress(asyncssh.Error, ConnectionError):
            await client.run("wait", input=b"x" * 200_000, encoding=None)
    (closed,) = await trap.journal.wait_for(Disconnected)
    assert (closed.reason, closed.detail) == ("budget", "input_bytes")


async def test_the_terminal_stream_is_kept_for_replay(trap: Trap) -> None:
    async with trap.connect() as client:
        process = await client.create_process(term_type="xterm")
        await process.stdout.readuntil("$ ")
        process.stdin.write("exit\r")
        await process.wait()
    frames = [frame for event in trap.journal.of(TerminalFrames) for frame in event.frames]
    assert b"".join(data for _, way, data in frames if way == "o") == b"$ logout\r\n"
    assert b"".join(data for _, way, data in frames if way == "i") == b"exit\r"
    assert [at for at, _, _ in frames] == sorted(at for at, _, _ in frames)


async def test_another_client_is_served_while_endless_commands_run(trap: Trap) -> None:
    async with trap.connect(encoding=None) as busy, trap.connect() as client:
        endless = [await busy.create_process("yes", encoding=None) for _ in range(5)]
        process = await client.create_process(term_type="xterm")
        await process.stdout.readuntil("$ ")
        for _ in range(20):
            process.stdin.write("a\r")
            await process.stdout.readuntil("ran a\r\n$ ")
        assert all(each.exit_status is None for each in endless)


@pytest.mark.parametrize(
    "garbage", [b"\0" * 300_000, bytes(range(256)) * 2000, b"SSH-2.0-x\r\n" + b"\xff" * 500_000]
)
async def test_garbage_leaves_one_closed_record_and_others_served(trap: Trap, garbage: bytes) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", trap.port)
    writer.write(garbage)
    writer.close()
    await trap.journal.wait_for(Disconnected)
    assert len([event for event in trap.journal.events if event.kind == "client.malformed"]) == 1
    async with trap.connect() as client:
        assert (await client.run("id")).exit_status == 0


async def test_a_command_of_a_megabyte_is_cut_and_says_so(trap_builder: TrapBuilder) -> None:
    trap = await trap_builder(limits=SessionLimits(line_bytes=1000))
    async with trap.connect() as client:
        assert len((await client.run("x" * 200_000)).stdout) == 1001
    (command,) = [event for event in trap.journal.events if event.kind == "command.entered"]
    assert (len(command.text), command.truncated_from) == (1000, 200_000)

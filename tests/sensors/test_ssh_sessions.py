"""What an SSH client sees, and what the journal holds of it."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncssh
import pytest

from urltrap.model.event import (
    ClientIdentified,
    CommandEntered,
    Connected,
    Disconnected,
    EnvironmentSet,
    FileWritten,
    LoginTried,
    TerminalRequested,
)
from urltrap.sensors.ssh.connection import SshConnection

from .conftest import PASSWORD, Trap, TrapBuilder


async def run(trap: Trap, command: str, **options: Any) -> asyncssh.SSHCompletedProcess:
    async with trap.connect() as client:
        return await client.run(command, **options)


async def test_a_command_is_answered_with_its_output_and_status(trap: Trap) -> None:
    result = await run(trap, "uname -a")
    assert result.stdout == "uname -a\n"
    assert result.exit_status == 0


async def test_standard_error_comes_apart_from_standard_output(trap: Trap) -> None:
    result = await run(trap, "both")
    assert (result.stdout, result.stderr) == ("out\n", "err\n")


async def test_the_exit_status_of_the_command_is_told(trap: Trap) -> None:
    assert (await run(trap, "exit 42")).exit_status == 42


async def test_standard_input_reaches_the_command(trap: Trap) -> None:
    text = "line\n" * 50_000
    assert (await run(trap, "cat", input=text)).stdout == text


async def test_the_record_of_a_session_is_complete_and_in_order(trap: Trap) -> None:
    await run(trap, "id")
    (closed,) = await trap.journal.wait_for(Disconnected)
    events = trap.journal.events
    assert [event.seq for event in events] == list(range(len(events)))
    assert {event.session for event in events} == {closed.session}
    assert isinstance(events[0], Connected) and events[0].src_ip == "127.0.0.1"
    assert events[-1] == closed and closed.reason == "client" and closed.bytes_in > 0 < closed.bytes_out
    (client,) = trap.journal.of(ClientIdentified)
    assert client.version.startswith(b"SSH-2.0-AsyncSSH") and len(client.hassh) == 32
    assert client.hassh_algorithms.count(";") == 3
    (login,) = [event for event in trap.journal.of(LoginTried) if event.method == "password"]
    assert (login.username, login.password, login.accepted) == (b"root", PASSWORD.encode(), True)
    (command,) = trap.journal.of(CommandEntered)
    assert (command.mode, command.text) == ("exec", b"id")


async def test_a_command_that_is_not_utf8_is_run_and_recorded_as_it_came(trap: Trap) -> None:
    async with trap.connect(encoding=None) as client:
        result = await client.run(b"echo \xff\xfe")
    assert result.stdout == b"echo \xff\xfe\n"
    assert trap.journal.of(CommandEntered)[0].text == b"echo \xff\xfe"


async def test_a_shell_on_a_terminal_talks_and_tells_its_size(trap: Trap) -> None:
    async with trap.connect() as client:
        process = await client.create_process(term_type="xterm", term_size=(100, 40))
        assert await process.stdout.readuntil("$ ") == "$ "
        process.stdin.write("ls\r")
        assert "ran ls" in await process.stdout.readuntil("$ ")
        process.change_terminal_size(120, 50)
        assert "ran resized" in await process.stdout.readuntil("$ ")
        process.stdin.write("exit\r")
        assert await process.stdout.read() == "logout\r\n"
        await process.wait()
        assert process.exit_status == 3
    first, second = trap.journal.of(TerminalRequested)
    assert (first.term, first.columns, first.rows) == (b"xterm", 100, 40)
    assert (second.columns, second.rows) == (120, 50)
    assert [event.text for event in trap.journal.of(CommandEntered)] == [b"ls", b"resized"]


async def test_an_idle_shell_keeps_no_large_dictionaries_of_the_protocol_and_nothing_of_the_key_exchange(
    trap: Trap,
) -> None:
    async with trap.connect() as client:
        process = await client.create_process(term_type="xterm", term_size=(100, 40))
        await process.stdout.readuntil("$ ")
        (connection,) = trap.sensor.connections
        channels = list(connection._channels.values())
        assert len(channels) == 1
        assert len(connection.__dict__) < 12 and len(channels[0].__dict__) < 6
        assert not connection._server_kexinit and not connection._client_kexinit


async def test_only_the_environment_that_debians_sshd_accepts_is_passed_on(trap: Trap) -> None:
    result = await run(trap, "env", env={"LANG": "C", "LC_TIME": "de", "LD_PRELOAD": "x"})
    assert result.stdout == "LANG=C\nLC_TIME=de\n"
    assert len(trap.journal.of(EnvironmentSet)) == 3


async def test_several_sessions_of_a_connection_share_one_machine(trap: Trap) -> None:
    async with trap.connect() as client:
        results = await asyncio.gather(*(client.run(f"echo {number}") for number in range(8)))
    assert [result.stdout for result in results] == [f"echo {number}\n" for number in range(8)]
    assert len(trap.maker.made) == len(trap.machine.logins) == 1


async def test_an_eleventh_session_is_refused(trap: Trap) -> None:
    async with trap.connect() as client:
        waiting = [await client.create_process("wait") for _ in range(10)]
        with pytest.raises(asyncssh.ChannelOpenError, match="open failed"):
            await client.run("id")
        waiting[0].channel.abort()
        await waiting[0].wait_closed()
        assert (await client.run("id")).exit_status == 0


async def test_a_signal_reaches_the_command_of_any_user_but_root(
    trap: Trap, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trap.connect() as client:
        process = await client.create_process("wait")
        process.send_signal("TERM")
        client.abort()
    await trap.journal.wait_for(Disconnected)
    assert trap.machine.jobs.pop().signals == []
    monkeypatch.setattr(SshConnection, "is_root", False)
    async with trap.connect() as client:
        process = await client.create_process("wait")
        process.send_signal("TERM")
        await process.wait()
        assert process.exit_status == 143
    assert trap.machine.jobs[0].signals == ["TERM"]


async def test_a_sleeping_command_wakes_by_itself(trap: Trap) -> None:
    assert (await run(trap, "sleep 0.05")).stdout == "slept\n"


async def test_what_a_command_downloads_is_asked_of_the_fetcher_for_this_session(trap: Trap) -> None:
    assert (await run(trap, "wget http://192.0.2.1/x")).stdout == "payload\n"
    (request,) = trap.fetcher.asked
    assert request.url == b"http://192.0.2.1/x"
    assert request.for_session == trap.journal.events[0].session


async def test_without_a_fetcher_the_command_sees_a_dead_host_and_the_session_goes_on(trap: Trap) -> None:
    trap.fetcher.broken = True
    assert (await run(trap, "wget http://192.0.2.1/x")).stdout == "nothing"


async def test_a_file_that_a_command_writes_becomes_an_artifact(trap: Trap) -> None:
    await run(trap, "keep /tmp/x", input="#!/bin/sh\n")
    (event,) = await trap.journal.wait_for(FileWritten)
    assert (event.path, event.size) == (b"/tmp/x", 10)
    assert trap.sensor.services.artifacts.content(event.sha256).read(0, 100) == b"#!/bin/sh\n"


async def test_a_defect_of_the_machine_ends_the_command_and_is_told_in_the_record(trap: Trap) -> None:
    assert (await run(trap, "crash")).exit_status == 1
    (closed,) = await trap.journal.wait_for(Disconnected)
    assert (closed.reason, closed.detail) == ("error", "RuntimeError in a job")


async def test_a_command_goes_on_when_its_client_leaves_at_once(trap: Trap) -> None:
    async with trap.connect() as client:
        process = await client.create_process("keep /tmp/late")
        process.stdin.write("dropped")
        await trap.journal.wait_for(CommandEntered)
        client.abort()
    await trap.journal.wait_for(Disconnected)
    assert trap.journal.of(FileWritten)[0].path == b"/tmp/late"


async def test_what_a_command_left_in_the_background_goes_on_after_its_end(trap: Trap) -> None:
    result = await run(trap, "background")
    assert (result.stdout, result.exit_status) == ("started\n", 0)
    await trap.journal.wait_for(Disconnected)
    assert trap.journal.of(FileWritten)[0].path == b"/tmp/later"


async def test_endless_output_ends_when_nobody_is_there_to_see_it(trap: Trap) -> None:
    async with trap.connect() as client:
        await client.create_process("yes")
        await trap.journal.wait_for(CommandEntered)
        client.abort()
    (closed,) = await trap.journal.wait_for(Disconnected)
    assert closed.reason in ("client", "reset") and trap.machine.jobs[0].hung_up


async def test_a_client_whose_input_nobody_reads_has_to_wait(trap: Trap) -> None:
    async with trap.connect(encoding=None) as client:
        process = await client.create_process("wait", encoding=None)
        process.stdin.write(b"x" * 8_000_000)
        (job,) = trap.machine.jobs
        assert (await client.run("id")).exit_status == 0
        assert len(job.inbox) <= 3 << 20
        client.abort()


async def test_a_shell_on_a_terminal_is_hung_up_when_its_client_leaves(trap: Trap) -> None:
    async with trap.connect() as client:
        process = await client.create_process(term_type="xterm")
        await process.stdout.readuntil("$ ")
        client.abort()
    await trap.journal.wait_for(Disconnected)
    assert trap.machine.jobs[0].hung_up


async def test_shutdown_closes_the_records_of_open_sessions(trap_builder: TrapBuilder) -> None:
    trap = await trap_builder()
    async with trap.connect() as client:
        await client.create_process("wait")
        await trap.sensor.stop()
    assert [event.reason for event in trap.journal.of(Disconnected)] == ["shutdown"]


async def test_shutdown_does_not_wait_for_commands_whose_clients_have_left(trap_builder: TrapBuilder) -> None:
    trap = await trap_builder()
    trap.sensor.linger_seconds = 3600.0
    async with trap.connect() as client:
        await client.create_process("wait")
        client.abort()
    while not trap.sensor.finishing:  # noqa: ASYNC110
        await asyncio.sleep(0)
    await trap.sensor.stop()
    assert trap.journal.of(Disconnected)[0].reason in ("client", "reset")
    assert trap.machine.jobs[0].hung_up


async def test_a_defect_of_a_program_is_a_crash_to_the_attacker_and_a_line_to_the_operator(
    trap: Trap, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (await run(trap, "segfault")).exit_status == 139
    assert "Traceback: here" in capsys.readouterr().out

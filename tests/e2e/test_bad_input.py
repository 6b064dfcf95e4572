from __future__ import annotations

import contextlib
import random
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.running import RunningTrap, eventually

pytestmark = pytest.mark.e2e

MEMORY_BOUND_KB = 400_000
LIMITS = {"STEPS_PER_COMMAND": "600_000", "OUTPUT_BYTES": "5_000_000"}
"""Budgets that are met sooner than the usual ones, in the same way."""


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTrap]:
    if shutil.which("ssh") is None:
        pytest.skip("no ssh client: apt-get install openssh-client")
    limits = {f"URLTRAP_MACHINE__LIMITS__{name}": value for name, value in LIMITS.items()}
    running = RunningTrap(tmp_path_factory.mktemp("e2e") / "data", limits)
    yield running
    running.stop()


def resident_kb(trap: RunningTrap, process: str) -> int:
    pid = trap.status()["processes"][process]["pid"]
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def others_are_unharmed(trap: RunningTrap) -> None:
    assert trap.ssh("echo fine", timeout=30).stdout == b"fine\n"
    assert resident_kb(trap, "trap-0") < MEMORY_BOUND_KB


def budgets_spent(trap: RunningTrap) -> dict[str, list[int]]:
    """By command line: how many budgets each session that gave it spent."""
    found: dict[str, list[int]] = {}
    with contextlib.closing(sqlite3.connect(f"file:{trap.folder}/urltrap.db?mode=ro", uri=True)) as store:
        rows = store.execute(
            "select text, (select count(*) from events"
            " where events.session = commands.session and kind = 'budget.spent') from commands"
        )
        for text, count in rows:
            found.setdefault(bytes(text).decode(), []).append(count)
    return found


def malformed(trap: RunningTrap) -> list[int]:
    """How many events of malformed input each ended session without a command has, oldest first."""
    with contextlib.closing(sqlite3.connect(f"file:{trap.folder}/urltrap.db?mode=ro", uri=True)) as store:
        rows = store.execute(
            "select sum(kind = 'client.malformed') from events group by session"
            " having sum(kind = 'session.close') and not sum(kind = 'command.entered') order by session"
        )
        return [count for (count,) in rows]


GARBAGE = {
    "random": (lambda: random.Random(5).randbytes(200_000), 1, 1),  # Telnet: an option that does not end
    "zeros": (lambda: b"\x00" * 100_000, 1, 1),
    "iac": (lambda: b"\xff" * 100_000, 1, 1),
    "one-megabyte-line": (lambda: b"A" * 1_000_000, 1, 1),
    "http": (lambda: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1, 0),
}
"""What is sent, and how many events of malformed input that is on the SSH and on the Telnet port."""


@pytest.mark.parametrize("port", ["ssh_port", "telnet_port"])
@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_on_a_port_is_told_once_and_ends_that_connection_only(
    trap: RunningTrap, port: str, name: str
) -> None:
    make, on_ssh, on_telnet = GARBAGE[name]
    before = malformed(trap)
    with socket.create_connection(("127.0.0.1", getattr(trap, port)), timeout=20) as connection:
        try:
            connection.sendall(make())
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            pass  # being cut off is a fine answer to garbage, before or after we say that we are done
    expected = on_ssh if port == "ssh_port" else on_telnet
    eventually(lambda: malformed(trap)[len(before) :] == [expected], f"{expected} events")
    others_are_unharmed(trap)


def test_half_open_connections_do_not_keep_others_out(trap: RunningTrap) -> None:
    held = [
        socket.create_connection(("127.0.0.1", port), timeout=10)
        for port in [trap.ssh_port, trap.telnet_port] * 20
    ]
    try:
        others_are_unharmed(trap)
    finally:
        for connection in held:
            connection.close()


HOSTILE = {
    "yes-gigabyte": "yes | head -c 1G",
    "zero": "cat /dev/zero",
    "fork-bomb": ":(){ :|:& };:",
    "endless-loop": "while :; do :; done",
    "doubling": "a=aaaaaaaa; while :; do a=$a$a; done",
    "braces": "echo {1..10000000}",
    "big-file": "dd if=/dev/zero of=/tmp/big bs=1M count=10000",
    "zero-file": "cat /dev/zero > /tmp/zero; rm /tmp/zero",
    "yes-file": "yes > /tmp/yes; rm /tmp/yes",
    "programs": "while true; do /bin/true; done",
    "recursion": "f() { f; f; }; f",
}


class Attack:
    """All hostile commands at once, each in a session of its own."""

    def __init__(self, trap: RunningTrap, folder: Path) -> None:
        options = [*trap.ssh_options(), "-p", str(trap.ssh_port), "root@127.0.0.1"]
        self.trap = trap
        self.outputs = {name: folder / name for name in HOSTILE}
        self.clients = {}
        for name, command in HOSTILE.items():
            with self.outputs[name].open("wb") as output:
                self.clients[name] = subprocess.Popen(
                    ["ssh", *options, command],
                    env=trap.env,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )

    def ended(self, name: str) -> int:
        """Wait for the end of a session; how many bytes it got."""
        try:
            self.clients[name].wait(45)
        except subprocess.TimeoutExpired:
            pytest.fail("the session was not ended by a budget")
        return self.outputs[name].stat().st_size


@pytest.fixture(scope="module")
def attack(trap: RunningTrap, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attack]:
    running = Attack(trap, tmp_path_factory.mktemp("outputs"))
    yield running
    for client in running.clients.values():
        client.kill()
        client.wait()


def test_newcomers_are_served_while_all_hostile_commands_run(trap: RunningTrap, attack: Attack) -> None:
    assert attack.clients["endless-loop"].poll() is None
    others_are_unharmed(trap)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_command_is_bounded_and_harms_nobody(attack: Attack, name: str) -> None:
    assert attack.ended(name) <= 6_000_000
    others_are_unharmed(attack.trap)


def test_a_spent_budget_is_told_once_per_session(attack: Attack) -> None:
    for name in HOSTILE:
        attack.ended(name)

    def told() -> dict[str, list[int]]:
        spent = budgets_spent(attack.trap)
        return {name: spent.get(command, []) for name, command in HOSTILE.items()}

    with contextlib.suppress(AssertionError):  # the comparison below says which one is missing
        eventually(lambda: all(map(sum, told().values())), "an event of each", 40)
    assert told() == {name: [1] for name in HOSTILE}


def test_ten_thousand_arguments_and_a_megabyte_line_are_taken(trap: RunningTrap) -> None:
    done = trap.ssh("cat > /tmp/l; sh /tmp/l | tail -c 8", stdin=b"echo " + b"x " * 10_000 + b"end-10k\n")
    assert done.stdout == b"end-10k\n", done
    done = trap.ssh("sh | tail -c 8", stdin=b"echo " + b"y" * 1_000_000 + b" end-1M\n")
    assert done.stdout == b" end-1M\n", done


def test_invalid_utf8_comes_through_equal(trap: RunningTrap) -> None:
    done = subprocess.run(
        [
            b"ssh",
            *(part.encode() for part in trap.ssh_options()),
            b"-p",
            str(trap.ssh_port).encode(),
            b"root@127.0.0.1",
            b"echo \xff\xfe\x80 ok",
        ],
        env=trap.env,
        capture_output=True,
        timeout=30,
    )
    assert done.stdout == b"\xff\xfe\x80 ok\n"
    others_are_unharmed(trap)


def test_no_traceback_was_logged(trap: RunningTrap) -> None:
    assert "Traceback" not in trap.log_text()

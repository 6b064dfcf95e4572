from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator

import pytest
from tests.support.running import Dropper, RunningTrap, eventually

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTrap]:
    running = RunningTrap(tmp_path_factory.mktemp("survival") / "data")
    yield running
    running.stop()


def commands(trap: RunningTrap) -> set[str]:
    return {row["text"] for row in trap.json("commands", "--limit", "10000")}


@pytest.mark.parametrize("victim", ["fetcher", "pipeline", "site", "trap-0"])
def test_a_killed_process_comes_back_and_nothing_acknowledged_is_lost(trap: RunningTrap, victim: str) -> None:
    answered: list[str] = []
    stop = threading.Event()

    def attack() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            text = f"echo {victim}-{number}"
            try:
                done = trap.ssh(text, timeout=30)
            except (AssertionError, subprocess.TimeoutExpired):
                continue  # the trap is between two lives
            if done.stdout.decode().strip() == f"{victim}-{number}":
                answered.append(text)

    attacker = threading.Thread(target=attack)
    attacker.start()
    try:
        eventually(lambda: len(answered) >= 3, "attacks are answered")
        trap.kill(victim)
        before = len(answered)
        eventually(lambda: len(answered) >= before + 3, "attacks are answered again", 60)
    finally:
        stop.set()
        attacker.join()
    eventually(
        lambda: set(answered) <= commands(trap), f"all {len(answered)} answered commands are in the store", 40
    )
    assert trap.status()["processes"][victim]["restarts"] >= 1


def test_a_url_asked_for_while_the_fetcher_is_dead_is_captured_afterwards(
    trap: RunningTrap, dropper: Dropper
) -> None:
    os.kill(trap.status()["processes"]["fetcher"]["pid"], 9)
    url = f"{dropper.base}/while-dead"
    trap.ssh(f"wget {url}", timeout=90)
    eventually(
        lambda: any(row["url"] == url and row["captured_at"] for row in trap.json("urls")), "captured", 60
    )


def test_the_kill_switch_works_at_once(trap: RunningTrap, dropper: Dropper) -> None:
    trap.cli("egress", "off")
    try:
        url = f"{dropper.base}/switched-off"
        trap.ssh(f"curl -s {url}")
        row = eventually(
            lambda: next(
                (row for row in trap.json("urls") if row["url"] == url and row["captured_at"]), None
            ),
            "recorded",
        )
        assert row["outcome"] == "recorded"
        assert dropper.requests == []
    finally:
        trap.cli("egress", "on")


def test_the_death_of_the_supervisor_leaves_no_process_behind(trap: RunningTrap) -> None:
    pids = [state["pid"] for state in trap.status()["processes"].values()]
    assert all(pids)
    trap.process.kill()
    trap.process.wait()

    def alive(pid: int) -> bool:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
        except FileNotFoundError:
            return False

    eventually(lambda: not any(alive(pid) for pid in pids), "all processes ended", 30)
    trap.start()
    done = trap.ssh("echo again")
    assert done.stdout == b"again\n", done

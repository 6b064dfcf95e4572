"""A fleet as it runs: a collector, and a thin sensor that is attacked with a real client."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.support.running import Dropper, RunningTrap, eventually
from tests.support.waiting import free_port

from urltrap.store import open_store
from urltrap.store.schema import commands, sessions

pytestmark = pytest.mark.e2e


class Fleet:
    """A collector of two processes and one sensor, each with its own data folder."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.collector = RunningTrap(
            folder / "collector",
            {
                "URLTRAP_FLEET__LISTEN": f'"127.0.0.1:{port}"',
                "URLTRAP_FLEET__ADDRESS": f'"https://127.0.0.1:{port}"',
                "URLTRAP_FLEET__PROCESSES": "2",
                "URLTRAP_SENSORS__SSH__ENABLED": "false",
                "URLTRAP_SENSORS__TELNET__ENABLED": "false",
                "URLTRAP_BACKUP__ENABLED": "false",
            },
        )
        given = self.collector.json("fleet", "add", "campus-1")["journal"]
        self.sensor = RunningTrap(
            folder / "sensor",
            {f"URLTRAP_JOURNAL__{key.upper()}": json.dumps(value) for key, value in given.items()},
        )

    def attack(self, command: str) -> None:
        done = self.sensor.ssh(command)
        assert done.returncode == 0, done.stderr

    def sensors_of(self, command: str) -> list[str]:
        """The sensors of the sessions in which a command was entered, as the collector's store has them."""
        store = open_store(str(self.collector.folder / "urltrap.db"), migrate=False)
        try:
            with store.connect() as connection:
                query = select(sessions.c.sensor).join(commands, commands.c.session == sessions.c.id)
                return list(connection.execute(query.where(commands.c.text == command.encode())).scalars())
        finally:
            store.close()

    def row(self) -> Any:
        return self.collector.json("fleet")["sensors"][0]

    def stop(self) -> None:
        self.sensor.stop()
        self.collector.stop()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    running = Fleet(tmp_path_factory.mktemp("fleet"))
    yield running
    running.stop()


def test_a_thin_sensor_runs_no_store_and_its_attacker_is_on_the_collectors_list(fleet: Fleet) -> None:
    fleet.attack("echo hello")
    assert eventually(lambda: fleet.sensors_of("echo hello"), "it is at the collector") == ["campus-1/ssh"]
    assert not list(fleet.sensor.folder.glob("urltrap.db*"))
    assert {"pipeline", "site", "backup"}.isdisjoint(fleet.sensor.status()["processes"])
    assert "on the collector: urltrap urls" in fleet.sensor.log_text()
    row = eventually(
        lambda: (found := fleet.row())["last_event"] and found, "it is told when the last event was"
    )
    assert row["name"] == "campus-1" and row["state"] == "up" and row["version"]
    assert row["clock_off_seconds"] == row["dropped_segments"] == 0


def test_a_payload_that_a_sensor_fetched_comes_along(fleet: Fleet, dropper: Dropper) -> None:
    fleet.attack(f"wget -q {dropper.base}/x -O /tmp/x")
    names = [path.name for path in fleet.sensor.folder.glob("quarantine/??/??/*")]
    assert names
    for name in names:
        kept = fleet.collector.folder / "quarantine" / name[:2] / name[2:4] / name
        eventually(kept.exists, "the payload came along")


def test_a_killed_shipper_and_a_killed_collector_neither_lose_nor_double(fleet: Fleet) -> None:
    for owner, name in ((fleet.sensor, "shipper"), (fleet.collector, "collector-0")):
        os.kill(owner.status()["processes"][name]["pid"], signal.SIGKILL)
        fleet.attack(f"echo killed {name}")
    for name in ("shipper", "collector-0"):
        found = eventually(lambda name=name: fleet.sensors_of(f"echo killed {name}"), "it came", 60)
        assert len(found) == 1


def test_a_removed_sensor_is_refused_and_keeps_what_it_has(fleet: Fleet) -> None:
    fleet.collector.cli("fleet", "remove", "campus-1")
    fleet.attack("echo too late")
    eventually(lambda: "this credential is not known here" in fleet.sensor.log_text(), "it says why it waits")
    assert fleet.sensors_of("echo too late") == []
    kept = b"".join(path.read_bytes() for path in fleet.sensor.folder.glob("journal/trap-0/*.seg"))
    assert b"echo too late" in kept

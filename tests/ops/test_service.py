"""What systemd is told, and what it is given to run."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from urltrap.ops.service import ServiceManager

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "urltrap.service"


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[socket.socket, str]:
    name = f"@urltrap-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind("\0" + name[1:] if name[0] == "@" else name)
    sock.settimeout(20)
    request.addfinalizer(sock.close)
    return sock, name


async def test_it_is_ready_once_everything_is_up_and_alive_until_it_stops(
    manager: tuple[socket.socket, str],
) -> None:
    sock, name = manager
    told = ServiceManager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": str(os.getpid())})
    assert told.period == 0.01
    stop, up = asyncio.Event(), [False]
    task = asyncio.ensure_future(told.keep_told(stop, lambda: up[0], lambda: "starting trap-0"))

    def heard() -> list[str]:
        return sock.recv(4096).decode().splitlines()

    assert await asyncio.to_thread(heard) == ["WATCHDOG=1", "STATUS=starting trap-0"]
    up[0] = True
    while "READY=1" not in await asyncio.to_thread(heard):
        pass
    assert (await asyncio.to_thread(heard))[0] == "WATCHDOG=1"
    stop.set()
    await task
    lines: list[str] = []
    while lines != ["STOPPING=1"]:
        lines = await asyncio.to_thread(heard)
        assert "READY=1" not in lines


def test_nobody_is_told_where_it_is_no_service_and_a_deaf_manager_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ServiceManager({}).tell("READY=1")
    deaf = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    deaf.tell("READY=1")
    deaf.tell("WATCHDOG=1")
    assert capsys.readouterr().out.count("systemd cannot be told") == 1


def test_a_watchdog_that_is_meant_for_another_process_is_not_ours() -> None:
    assert ServiceManager({"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}).period == 10.0


def test_the_unit_is_one_that_systemd_understands(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    unit = tmp_path / "urltrap.service"
    unit.write_text(UNIT.read_text("utf-8").replace("/opt/urltrap/bin/urltrap", "/bin/true"), "utf-8")
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60
    )
    complaints = [
        line
        for line in checked.stderr.splitlines()
        if "urltrap.service" in line and "RestartSteps" not in line and "RestartMaxDelaySec" not in line
    ]
    assert complaints == []  # RestartSteps and RestartMaxDelaySec are of systemd 254

"""A machine's clock is one: in whatever zone it stands, every program and every log tells that zone's time."""

from __future__ import annotations

import re

import pytest
from tests.machine.programs.support import CONNECTION, NOW, Box

from urltrap.machine.image.logs import zone_of
from urltrap.machine.image.tree import Tree
from urltrap.machine.machine import Machine
from urltrap.machine.persona import Kind, generate
from urltrap.sensors.emulated import load_base_image

SHOWN = "2026-09-21 16:13"
LINES = [
    ("date '+%F %H:%M %Z'", f"{SHOWN} CEST"), ("printf '%(%F %H:%M %Z %z)T' $(date +%s)", f"{SHOWN} CEST +0200"),
    ("ls --full-time /tmp/a", SHOWN), ("stat /tmp/a", SHOWN), ("find /tmp/a -printf %TH:%TM", "16:13"),
    ("cd /tmp; tar tvf a.tar", SHOWN), ("cd /tmp; busybox tar tvf a.tar", SHOWN),
    ("date -r /tmp/a '+%F %H:%M'", SHOWN), ("who", SHOWN), ("w", " 16:13:"), ("timedatectl", f"{SHOWN}:20 CEST"),
    ("journalctl -n 3 -u ssh", "Sep 21 16:13:20"), ("wget http://192.0.2.1/", f"--{SHOWN}"),
    ("TZ=UTC date '+%F %H:%M'", "2026-09-21 14:13"), ("TZ=Asia/Tokyo; printf '%(%H:%M)T' -1", "23:13"),
]  # fmt: skip


@pytest.fixture(scope="module")
def amsterdam() -> Box:
    box = Box("debian-12")
    assert box.machine.kernel.persona.timezone == "Europe/Amsterdam"
    assert box.run("cd /tmp; touch a; tar cf a.tar a").status == 0
    return box


@pytest.mark.parametrize(("line", "words"), LINES, ids=[line[:40] for line, _ in LINES])
def test_every_program_tells_local_time(amsterdam: Box, line: str, words: str) -> None:
    amsterdam.now = NOW
    result = amsterdam.run(line, terminal=line in ("who", "w"))
    assert words in (result.out + result.err).decode(), line


@pytest.mark.parametrize("kind", ["debian-12", "debian-13"])
def test_logs_of_the_installation_are_in_its_zone_and_tell_of_what_is_there(kind: Kind) -> None:
    persona = next(made for seed in range(1, 40) if (made := generate(bytes([seed]) * 32, kind, NOW)).timezone
                   == "America/New_York")  # fmt: skip
    machine = Machine(load_base_image(persona, {}), persona, entropy=lambda below: 3 % below)
    view = machine.view(0)
    first = view.read("/var/log/dpkg.log").decode().splitlines()[0]
    hour = zone_of_file(view.read("/etc/localtime")).at(persona.installed).clock
    assert first.startswith(f"{hour:%Y-%m-%d %H:%M:%S}")
    history = view.read("/var/log/apt/history.log").decode()
    status = view.read("/var/lib/dpkg/status").decode()
    installed = re.findall(r"^Install: (\S+):amd64 \((.+)\)$", history, re.MULTILINE)
    assert len(installed) == 3
    for name, version in installed:
        assert re.search(rf"^Package: {name}\n(?:.+\n)*?Version: {re.escape(version)}$", status, re.MULTILINE)


def zone_of_file(data: bytes):  # type: ignore[no-untyped-def]
    tree = Tree()
    tree.put("/usr/share/zoneinfo/X", data)
    return zone_of(tree, "X")


def test_the_last_login_is_told_in_local_time() -> None:
    box = Box("debian-12")
    expected = box.run("lastlog -u root").out.decode()
    login = box.machine.login("root", CONNECTION, NOW)
    text = b"".join(getattr(each, "data", b"") for each in login.shell("xterm", 80, 24).step(NOW)).decode()
    shown = re.search(r"Last login: (\w+ \w+ [ \d]\d [\d:]{8} \d{4}) from ([\d.]+)", text)
    assert shown is not None and shown[2] in expected and shown[1].rpartition(" ")[0] in expected, text

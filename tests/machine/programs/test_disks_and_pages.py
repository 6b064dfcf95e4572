"""Tables of disks, locks, and the huge pages that miners ask for: all from the same facts."""

from __future__ import annotations

import pytest
from tests.machine.programs.support import Box

KINDS = ("debian-12", "debian-13", "cloud-small")


@pytest.mark.parametrize("kind", KINDS)
def test_fdisk_talks_of_the_disk_and_changes_nothing(kind: str) -> None:
    box = Box(kind)  # type: ignore[arg-type]
    disk = f"/dev/{box.machine.persona.disks[0].name}"
    listed = box.run(f"fdisk -l {disk}").out.decode()
    talk = box.run(f"printf 'p\\nz\\nm\\nq\\n' | fdisk {disk}")
    said = talk.out.decode()
    assert talk.status == 0
    assert said.startswith("\nWelcome to fdisk (util-linux 2.")
    assert said.count("Command (m for help): ") >= 1
    assert listed in said
    assert "z: unknown command\n" in said
    assert "   q   quit without saving changes\n" in said
    assert box.run("fdisk /dev/sdq").err == b"fdisk: cannot open /dev/sdq: No such file or directory\n"


@pytest.mark.parametrize("kind", KINDS)
def test_sfdisk_dumps_the_table_that_fdisk_lists(kind: str) -> None:
    box = Box(kind)  # type: ignore[arg-type]
    disk = f"/dev/{box.machine.persona.disks[0].name}"
    starts = (
        box.run(f"fdisk -l {disk} | awk '/^.dev/ {{ sub(/\\*/, \"\"); print $1, $2, $4 }}'")
        .out.decode()
        .splitlines()
    )
    dump = box.run(f"sfdisk -d {disk}").out.decode().splitlines()
    rows = [row.replace(",", " ").replace("=", " ").split() for row in dump if row.startswith("/dev/")]
    assert [f"{row[0]} {row[3]} {row[5]}" for row in rows] == starts
    assert dump[2] == f"device: {disk}"


def test_locks_are_those_of_who_is_alive() -> None:
    box = Box()
    head, row = box.run("lslocks").out.decode().splitlines()
    assert head.split() == ["COMMAND", "PID", "TYPE", "SIZE", "MODE", "M", "START", "END", "PATH"]
    assert row.split()[:3] == ["cron", box.read("/run/crond.pid").decode().strip(), "FLOCK"]
    assert box.run("kill $(cat /run/crond.pid); lslocks | wc -l").out == b"1\n"


def test_huge_pages_are_counted_and_taken_from_what_is_free() -> None:
    box = Box()
    free = int(box.run("awk '/^MemFree/ { print $2 }' /proc/meminfo").out)
    shown = box.run(
        "sysctl -w vm.nr_hugepages=128; awk '/^HugePages_(Total|Free)|^Hugetlb/ { print $2 }' /proc/meminfo; "
        "awk '/^MemFree/ { print $2 }' /proc/meminfo; sysctl -n vm.nr_hugepages"
    )
    lines = shown.out.decode().splitlines()
    assert lines[:4] == ["vm.nr_hugepages = 128", "128", "128", "262144"]
    assert abs(free - int(lines[4]) - 262_144) < 30_000
    assert lines[5] == "128"
    assert (
        int(box.run("sysctl -qw vm.nr_hugepages=9999999; awk '/^MemFree/ { print $2 }' /proc/meminfo").out)
        > 0
    )

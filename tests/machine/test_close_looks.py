"""What a person looks at who doubts the machine: the views of a fact against each other, real programs' words."""

from __future__ import annotations

import re

import pytest
from tests.machine.loaders.dialogue import Talk, Visit
from tests.machine.programs.support import Box

from urltrap.machine.persona import Kind

SERVERS: list[Kind] = ["debian-12", "debian-13", "cloud-small"]


@pytest.fixture(scope="module")
def box() -> Box:
    return Box()


def said(box: Box, line: str) -> str:
    return box.run(line).out.decode()


@pytest.mark.parametrize("name", ["nosuch1 | cat", "(nosuch1)", "x=$(nosuch1)", "{ nosuch1; } | cat"])
def test_what_is_typed_at_a_prompt_is_complained_of_without_a_line_number(name: str) -> None:
    assert "-bash: nosuch1: command not found" in Visit("debian-12").terminal().ask(name, "not found")


def test_a_shell_on_a_terminal_keeps_a_descriptor_of_its_own() -> None:
    terminal = Visit("debian-12").terminal()
    assert "255 -> /dev/pts/0" in terminal.ask("ls -l /proc/$$/fd", "255 ->")
    assert "@2\r\n" in terminal.ask("ls /proc/self/fd | tail -n 1 | sed s/3/2/ | sed s/^/@/", "@2")


def test_an_archive_of_a_large_tree_can_be_read_again(box: Box) -> None:
    packed = box.run(
        "tar czf /tmp/doc.tgz /usr/share/doc; gzip -t /tmp/doc.tgz && tar tzf /tmp/doc.tgz | wc -l"
    )
    assert packed.out == box.run("find /usr/share/doc | wc -l").out
    box.run("rm /tmp/doc.tgz")


def test_a_loop_is_timed_as_work_of_the_processor(box: Box) -> None:
    line = "time (i=0; while :; do i=$((i+1)); case $i in 6000) break;; esac; done)"
    told = box.run(line).err.decode()
    real, user = (float(part) for part in re.findall(r"(?:real|user)\t0m([\d.]+)s", told))
    assert real * 0.8 < user <= real
    assert "user\t0m0.00" in box.run("time sleep 3").err.decode()


def test_the_scheduler_and_the_namespaces_are_those_of_a_whole_machine(box: Box) -> None:
    assert said(box, "head -n 1 /proc/1/sched") == "systemd (1, #threads: 1)\n"
    assert said(box, "cat /proc/self/uid_map") == "         0          0 4294967295\n"
    assert said(box, "readlink /proc/1/ns/pid /proc/self/ns/pid").split() == ["pid:[4026531836]"] * 2
    assert said(box, "stat -c %A /sys /proc/self/fd") == "dr-xr-xr-x\ndr-x------\n"


def test_interrupts_are_counted_alike_in_both_files(box: Box) -> None:
    totals = said(box, "grep ^intr /proc/stat").split()[2:]
    rows = re.findall(r"^ +(\d+):((?: +\d+)+) ", said(box, "cat /proc/interrupts"), re.M)
    assert len(rows) > 8
    for number, counts in rows:
        assert (
            abs(int(totals[int(number)]) - sum(map(int, counts.split())))
            <= 1 + int(totals[int(number)]) // 1000
        )


@pytest.mark.parametrize("kind", [*SERVERS, "busybox-mips", "busybox-arm"])
def test_every_setting_of_the_kernel_that_is_listed_can_be_read_by_its_name(kind: Kind) -> None:
    box = Box(kind)
    rows = said(box, "sysctl -a 2> /dev/null").splitlines()
    assert len(rows) > 700 and all(re.match(r"[a-z0-9_.*/-]+ = ", row, re.I) for row in rows)
    own = said(box, "ls /sys/class/net").split()
    assert sorted(["all", "default", *own]) == said(box, "ls /proc/sys/net/ipv4/conf").split()
    assert "nope" in said(box, "sysctl kernel.nope 2>&1")


@pytest.mark.parametrize("kind", ["debian-12", "cloud-small"])
def test_records_of_the_past_agree_with_each_other_and_with_the_files_times(kind: Kind) -> None:
    box = Box(kind)
    seen = said(
        box, "cat /var/log/wtmp.1 /var/log/wtmp 2> /dev/null > /tmp/w; last -F -f /tmp/w root | head -n 1"
    ).split()
    left = said(box, "date -d \"$(stat -c %y /root/.bash_history)\" '+%b %_d %H:%M:%S %Y'").split()
    if seen[:1] == ["root"] and "in" not in seen:
        assert seen[seen.index("-") + 2 :][: len(left)] == left
    tried = said(box, "lastb | head -n 3").splitlines()
    assert all(re.fullmatch(r"\S+ +ssh:notty +[\d.]+ +\w{3} \w{3} [ \d]\d \d\d:\d\d - \d\d:\d\d  \(00:00\)", row)
               for row in tried) and tried  # fmt: skip
    latest = said(box, "date -d \"$(stat -c %y /var/log/btmp)\" '+%b %_d %H:%M'")
    assert latest.split() == tried[0].split()[4:7]


def test_a_visit_is_in_the_records_afterwards() -> None:
    visit = Visit("debian-12", protocol="ssh")
    login = visit.login()
    talk = Talk(visit, login.shell("vt100", 80, 24))
    assert "still logged in" in talk.ask("last | head -n 1", "logged in")
    talk.send("exit")
    visit.now += 130
    login.close(visit.now)
    shown = visit.exec("last -n 1; journalctl -u ssh | grep -c 'Accepted password for root from 192.0.2.7 '")
    assert re.search(r"^root +pts/0 +192.0.2.7 +\w{3} \w{3} .* - \d\d:\d\d +\(00:02\)$", shown, re.M)
    assert shown.endswith("\n2\n")


@pytest.mark.parametrize(("kind", "where"), [("debian-12", "/root"), ("busybox-mips", "/tmp")])
def test_what_is_written_is_missing_from_the_free_space_until_it_is_removed(kind: Kind, where: str) -> None:
    box = Box(kind)
    used = f"df -k {where} | tail -n 1 | awk '{{print $3, $4}}'"
    before, after, again = (
        [int(word) for word in said(box, line + used).split()]
        for line in (
            "",
            f"dd if=/dev/zero of={where}/big bs=1024 count=8192 2> /dev/null; ",
            f"rm {where}/big; ",
        )
    )
    assert (after[0] - before[0], before[1] - after[1]) == (8192, 8192) and again == before

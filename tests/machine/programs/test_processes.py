"""The process table is one: ps, pstree, top, uptime and /proc tell the same of the same processes."""

from __future__ import annotations

import re
from functools import cache

import pytest
from tests.machine.programs.support import Box

from urltrap.machine.persona import Kind

SERVERS: list[Kind] = ["debian-12", "debian-13", "cloud-small"]
DEVICES: list[Kind] = ["busybox-mips", "busybox-arm"]


@cache
def box(kind: Kind) -> Box:
    return Box(kind)


def said(kind: Kind, line: str, **env: str) -> str:
    result = box(kind).run(line, env=env)
    return (result.out + result.err).decode()


@pytest.mark.parametrize("kind", SERVERS)
def test_the_tree_leads_from_systemd_over_sshd_to_the_visitor(kind: Kind) -> None:
    tree = said(kind, "pstree; true")
    assert tree.startswith("systemd-+-") and "python" not in tree
    session = "sshd-session" if kind == "debian-13" else "sshd"
    assert re.search(rf"sshd---{session}---bash---pstree\n", tree), tree
    assert "polkitd---2*[{polkitd}]\n" in tree
    numbers = re.findall(r"([a-z][\w.-]*)\((\d+)\)", said(kind, "pstree -p; true"))
    listed = {line.split()[0] for line in said(kind, "ps -e -o pid=").splitlines()}
    assert {pid for name, pid in numbers if name not in ("pstree", "bash")} <= listed
    assert "└─" in said(kind, "pstree", LANG="C.UTF-8") and "No such user name: nosuch" in said(
        kind, "pstree nosuch"
    )


@pytest.mark.parametrize("kind", [*SERVERS, *DEVICES])
def test_load_is_one_figure_and_short_commands_do_not_raise_it(kind: Kind) -> None:
    shown = said(kind, "uptime; cat /proc/loadavg; TERM=xterm top -b -n1 | head -3; w | head -1")
    figures = re.findall(r"load average: ([\d., ]+)", shown) + re.findall(
        r"Load average: ([\d. ]+) \d+/", shown
    )
    figures.append(
        " ".join(re.findall(r"^([\d.]+ [\d.]+ [\d.]+) \d+/\d+ \d+$", shown, re.MULTILINE)[0].split())
    )
    assert {tuple(each.replace(",", "").split()[:3]) for each in figures} and len(figures) >= 3
    assert len({tuple(each.replace(",", "").split()[:3]) for each in figures}) == 1, figures


@pytest.mark.parametrize("kind", [*SERVERS, *DEVICES])
def test_sizes_are_those_of_such_programs(kind: Kind) -> None:
    line = "ps" if kind in DEVICES else "ps -eo pid,user,vsz,stat,comm"
    rows = [row.split() for row in said(kind, f"sleep 60 & {line}; kill %1").splitlines()[1:]]
    sizes = [
        int(row[2]) for row in rows if len(row) > 4 and row[2].isdigit() and not row[4].startswith(("[", "k"))
    ]
    high = 6_000 if kind in DEVICES else 300_000
    assert max(sizes) < high and (kind in DEVICES or len(set(sizes)) > 8)
    assert kind in SERVERS or min(sizes) > 800


@pytest.mark.parametrize("kind", SERVERS)
def test_what_proc_says_of_a_process_is_what_ps_says(kind: Kind) -> None:
    for line in said(kind, "ps -eo pid,ppid,vsz,rss,nlwp,comm --no-headers").splitlines():
        pid, ppid, vsz, rss, *_ = line.split()
        if ppid in ("0", "2") or "ps" in line.split()[5:]:
            continue
        status = said(kind, f"cat /proc/{pid}/status 2>/dev/null")
        if status:
            assert f"PPid:\t{ppid}\n" in status and f"VmSize:\t{vsz:>8} kB" in status, line
            assert f"VmRSS:\t{rss:>8} kB" in status
    assert said(kind, "grep Threads /proc/$(pidof polkitd)/status") == "Threads:\t3\n"


def test_processor_time_grows_with_the_uptime() -> None:
    machine = Box("debian-12")
    before = machine.run("cut -d' ' -f14 /proc/1/stat").out.strip()
    machine.now += 40_000
    after = machine.run("cut -d' ' -f14 /proc/1/stat").out.strip()
    assert int(after) > int(before)


@pytest.mark.parametrize("kind", SERVERS)
def test_log_ins_of_the_past_are_told_on_every_release(kind: Kind) -> None:
    shown = said(kind, "last -3; echo $?")
    assert "pts/0" in shown and "Segmentation" not in shown and shown.rstrip().endswith("0")
    assert ("wtmpdb begins " in shown) is (kind == "debian-13") and ("wtmp begins " in shown) is (
        kind != "debian-13"
    )
    if kind == "debian-13":
        assert said(kind, "wtmpdb last -3") == said(kind, "last -3") and "root" in said(kind, "lastlog2")

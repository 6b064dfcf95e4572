"""Addresses, links and routes that root changes, against `ip`, `ifconfig` and `route` in a network namespace.

``recorded/network.txt`` was made with iproute2 6.1 and net-tools 2.10 of Debian 12 on a card eth0 (10.0.2.15/24, a veth
whose other end is peer0): "$ command", its output, "[status]".
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from tests.machine.programs.support import Box, installation

RECORDED = Path(__file__).parent / "recorded" / "network.txt"
OTHERS = re.compile(r"\b(peer0@eth0|peer0:)|^(ip neigh|ip -br link|ip link|ifconfig)$", re.M)
"""What shows the other end of the card as well, or what was not built."""
DRAWN = re.compile(r"altname|link/ether|ether |RX |TX |inet6|valid_lft")


def blocks() -> list[tuple[str, str]]:
    found = []
    for block in re.split(r"(?m)^\$ ", RECORDED.read_text())[1:]:
        command, _, answer = block.partition("\n")
        found.append((command, answer))
    return found


def plain(text: str, *, ordered: bool) -> list[str]:
    """Without what is drawn (numbers of links, cards' addresses, counters) and in one order where networks differ."""
    text = text.replace("eth0@peer0", "eth0").replace(" dynamic", "")
    text = re.sub(r"(?m)^\d+: ", "N: ", re.sub(r"qdisc (noqueue|pfifo_fast)", "qdisc q", text))
    lines = [re.sub(r" +", " ", line) for line in text.splitlines() if not DRAWN.search(line)]
    return lines if ordered else sorted(lines)


@cache
def answers() -> dict[int, str]:
    """All commands one after another on one machine, which names what it has as the recorded one did."""
    box = Box("debian-13")
    name = box.machine.persona.primary.name
    own = box.run(f"ip -4 -br addr show {name}").out.decode().split()[2].partition("/")[0]
    router = box.run("ip route").out.decode().split()[2]
    net = own.rpartition(".")[0]
    found = {}
    for number, (command, _) in enumerate(blocks()):
        line = re.sub(r"\beth0\b", name, command).replace("10.0.2.15", own)
        line = re.sub(r"\b10\.0\.2\.1\b", router, line).replace("10.0.2.", f"{net}.")
        done = box.run(line)
        text = f"{(done.out + done.err).decode()}[{done.status}]\n".replace(name, "eth0")
        text = re.sub(rf"\b{re.escape(own)}\b", "10.0.2.15", text)
        found[number] = re.sub(rf"\b{re.escape(router)}\b", "10.0.2.1", text).replace(f"{net}.", "10.0.2.")
    return found


@pytest.mark.parametrize("number", range(len(blocks())), ids=lambda number: f"{number} {blocks()[number][0]}")
def test_a_change_is_answered_and_shown_as_by_the_real_ones(number: int) -> None:
    command, answer = blocks()[number]
    if OTHERS.search(command) or OTHERS.search(answer):
        assert answers()[number]
        return
    ordered = "route" not in command
    assert plain(answers()[number], ordered=ordered) == plain(answer, ordered=ordered)


def test_proc_reach_and_other_programs_see_a_new_address() -> None:
    box = Box()
    name = box.machine.persona.primary.name
    box.run(f"ip addr add 10.9.0.1/24 dev {name}; ip link add br7 type bridge; ip link set br7 up")
    shown = box.run(
        "grep -c 0000090A /proc/net/route; grep -c br7: /proc/net/dev; netstat -rn | grep -c 10.9.0.0; "
        "ping -c1 10.9.0.1 > /dev/null && echo there; nc -z 10.9.0.1 22 && echo open; hostname -I"
    )
    lines = shown.out.decode().splitlines()
    assert lines[:5] == ["1", "1", "1", "there", "open"]
    assert "10.9.0.1" in lines[5].split()


def test_changes_are_kept_between_visits_and_gone_after_a_start() -> None:
    from urltrap.machine.fs.overlay import Overlay

    box = Box()
    box.run(f"ip addr add 10.9.0.1/24 dev {box.machine.persona.primary.name}")
    _, image = installation()
    again = Overlay.loads(box.machine.kept(box.now), image, lambda *_: None)
    assert again.runtime == {
        "network": [["address", box.machine.persona.primary.name, "10.9.0.1/24", "", ""]]
    }
    box.run("reboot")
    box.machine.login("root", box.login.connection, box.now + 3_600)
    assert box.machine.overlay.runtime == {}


def test_users_change_nothing() -> None:
    box = Box(user=next(user.name for user in Box().machine.persona.users if user.uid >= 1000))
    name = box.machine.persona.primary.name
    found = box.run(f"ip addr add 10.9.0.1/24 dev {name}; ip link set {name} down; /sbin/ifconfig {name} 10.1.1.1; "
                    "ip route del default; /sbin/route del default; ip -4 -br a | wc -l")  # fmt: skip
    assert found.err.decode().splitlines() == [
        "RTNETLINK answers: Operation not permitted",
        "RTNETLINK answers: Operation not permitted",
        "SIOCSIFADDR: Operation not permitted",
        "SIOCSIFFLAGS: Operation not permitted",
        "RTNETLINK answers: Operation not permitted",
        "SIOCDELRT: Operation not permitted",
    ]
    assert found.out == b"2\n"


@pytest.mark.parametrize("kind", ["busybox-mips", "busybox-arm"])
def test_a_router_takes_changes_too(kind: str) -> None:
    box = Box(kind)  # type: ignore[arg-type]
    found = box.run(
        "ip addr add 10.9.0.1/24 dev br-lan; ip addr show br-lan | grep -c 10.9.0.1; route -n | grep -c 10.9.0.0; "
        "route add -net 172.16.0.0 netmask 255.240.0.0 gw 192.168.1.9; ip route | grep 172.16; "
        "ip addr add 10.9.0.1/24 dev br-lan; ifconfig br-lan down; ifconfig | grep -c br-lan; "
        "ip link show br-lan | head -1 | cut -d' ' -f3; ifconfig foo up"
    )
    assert found.out.decode().splitlines() == [
        "1", "1", "172.16.0.0/12 via 192.168.1.9 dev br-lan ", "0", "<BROADCAST,MULTICAST>",
    ]  # fmt: skip
    assert found.err.decode() == (
        "ip: RTNETLINK answers: File exists\nifconfig: SIOCGIFFLAGS: No such device\n"
    )


def test_a_new_host_name_is_everywhere_and_stays() -> None:
    from urltrap.machine.fs.overlay import Overlay

    box = Box()
    assert box.run("hostname web9; hostname; uname -n; cat /proc/sys/kernel/hostname").out == (
        b"web9\nweb9\nweb9\n"
    )
    _, image = installation()
    again = Box()
    again.machine.overlay.runtime.update(
        Overlay.loads(box.machine.kept(box.now), image, lambda *_: None).runtime
    )
    again.machine.kernel = again.machine._started(again.machine.persona.boot_time)
    assert again.machine.kernel.hostname == "web9"

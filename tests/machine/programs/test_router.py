"""A router's own tools: the build's applets, uci, opkg, logread and ubus, which agree with the files and the kernel."""

from __future__ import annotations

import json
from functools import cache

import pytest
from tests.machine.programs.support import Box, installation

from urltrap.machine.persona import Kind
from urltrap.machine.programs.busybox.usages import APPLETS, DEVICE_APPLETS
from urltrap.machine.programs.uci import parse, render

DEVICES: list[Kind] = ["busybox-mips", "busybox-arm"]


@cache
def box(kind: Kind) -> Box:
    return Box(kind)


def said(kind: Kind, line: str) -> str:
    result = box(kind).run(line)
    return (result.out + result.err).decode()


@pytest.mark.parametrize("kind", DEVICES)
def test_the_applets_are_those_of_a_router(kind: Kind) -> None:
    listed = said(kind, "busybox --list").split()
    assert listed == list(DEVICE_APPLETS) and not {"rpm", "chvt", "i2cget", "acpid"} & set(listed)
    assert {"wget", "tftp", "ftpget", "telnetd", "crond", "passwd", "nc"} <= set(listed)
    assert said(kind, "busybox rpm") == "rpm: applet not found\n"
    assert said(kind, "which rpm chvt; chvt 2") == "ash: chvt: not found\n"
    for name, folder in DEVICE_APPLETS.items():
        target = "busybox" if folder == "bin" else "/bin/busybox"
        assert said(kind, f"readlink /{folder}/{name}") == f"{target}\n", name
    assert "Usage: crond [-fbS]" in said(kind, "busybox crond --help")
    assert Box("debian-12").run("busybox --list").out.decode().split() == list(APPLETS)


UCI = [
    ("uci get network.lan.ipaddr", "192.168.1.1\n"),
    ("uci get system.@system[0].hostname", "OpenWrt\n"),
    ("uci get system.@system[-1].log_size", "64\n"),
    ("uci show network.wan.proto", "network.wan.proto='dhcp'\n"),
    ("uci get nosuch.a; echo $?", "1\nuci: Entry not found\n"),
    ("uci -q get network.lan.nosuch; echo $?", "1\n"),
    ("uci set network.lan.ipaddr=10.0.0.1; uci changes; uci get network.lan.ipaddr",
     "network.lan.ipaddr='10.0.0.1'\n10.0.0.1\n"),
    ("grep -c 10.0.0.1 /etc/config/network; uci revert network; uci get network.lan.ipaddr", "0\n192.168.1.1\n"),
    ("uci set network.guest=interface; uci set network.guest.proto=static; uci commit network; "
     "tail -3 /etc/config/network",
     "config interface 'guest'\n\toption proto 'static'\n\n"),
    ("uci delete network.guest; uci commit; uci show network.guest; echo $?", "1\nuci: Entry not found\n"),
    ("uci add_list dhcp.lan.x=1; uci add_list dhcp.lan.x='a b'; uci show dhcp.lan.x", "dhcp.lan.x='1' 'a b'\n"),
]  # fmt: skip


def test_uci_reads_and_writes_the_configuration() -> None:
    machine = Box("busybox-mips")
    for line, words in UCI:
        result = machine.run(line)
        assert (result.out + result.err).decode() == words, line
    text = machine.read("/etc/config/firewall").decode()
    assert parse(render(parse(text))) == parse(text)


@pytest.mark.parametrize("kind", DEVICES)
def test_packages_logs_and_bus_agree_with_the_system(kind: Kind) -> None:
    persona, _ = installation(kind)
    kernel = said(kind, "opkg list-installed kernel")
    assert kernel.startswith(f"kernel - {persona.kernel.release}-1-")
    assert "busybox - 1.35.0-" in said(kind, "opkg list-installed") and "1.35.0" in persona.busybox
    assert said(kind, "opkg install nmap; echo $?").endswith(
        " * opkg_install_cmd: Cannot install package nmap.\n"
    )
    assert "Failed to download the package list" in said(kind, "opkg update")
    board = json.loads(said(kind, "ubus call system board"))
    assert board["model"] == persona.cpu.board and board["kernel"] == persona.kernel.release
    info = json.loads(said(kind, "ubus call system info"))
    assert info["memory"]["total"] == persona.memory.total_kb * 1024
    assert said(kind, "ubus call nosuch x; echo $?") == "4\nCommand failed: Not found\n"
    log = said(kind, "logread")
    assert f"kern.notice kernel: [    0.000000] {persona.kernel.banner}\n" in log
    assert "authpriv.notice dropbear[" in log and "from 192.0.2.7:40000\n" in log
    assert said(kind, "logread -l 1") == log.splitlines(keepends=True)[-1]
    assert len(said(kind, "dmesg").splitlines()) == log.count(" kernel: [")


def test_a_visitor_over_ssh_is_dropbears_child() -> None:
    rows = [row for row in said("busybox-mips", "ps").splitlines() if "dropbear" in row]
    assert len(rows) == 2 and all(int(row.split()[2]) > 1000 for row in rows)


@pytest.mark.parametrize("kind", DEVICES)
def test_scripts_and_marks_of_the_board_are_there(kind: Kind) -> None:
    persona, _ = installation(kind)
    assert said(kind, "/etc/init.d/dropbear status; /etc/init.d/bootcount status") == "running\ninactive\n"
    assert said(kind, "/etc/init.d/cron enabled; echo $?; /etc/init.d/network restart") == "0\n"
    assert said(kind, "/etc/init.d/log").startswith("Syntax: /etc/init.d/log [command]\n")
    assert (
        said(kind, "cat /tmp/sysinfo/model") == f"{persona.cpu.board}\n"
        and said(kind, "cat /etc/TZ") == "UTC\n"
    )
    assert json.loads(said(kind, "cat /etc/board.json"))["model"]["name"] == persona.cpu.board
    assert said(kind, "ifstatus lan") == said(kind, "ubus call network.interface.lan status")
    assert said(kind, "ifup nosuch") == "Interface nosuch not found\n"
    assert said(kind, "mtd erase nosuch").startswith("Could not open mtd device: nosuch\n")
    assert said(kind, "[ -L /sbin/init ]; echo $?") == "1\n"
    assert "/ubusd " in said(kind, "netstat -xlp") and "/init" not in said(kind, "netstat -xlp")


@pytest.mark.parametrize("kind", DEVICES)
def test_every_view_knows_the_same_interfaces_ports_and_guests(kind: Kind) -> None:
    names = said(kind, "ls /sys/class/net").split()
    assert {"lo", "eth0", "br-lan", "wlan0"} <= set(names)
    assert sorted(said(kind, "sed -n 's/ *\\(.*\\): .*/\\1/p' /proc/net/dev").split()) == names
    assert said(kind, "ifconfig | grep -o '^[a-z0-9.-]*'").split() == names
    shown = said(kind, "ip link | sed -n 's/^[0-9]*: \\([^:@]*\\).*/\\1/p'").split()
    assert sorted(shown) == names
    ports = said(kind, "uci get network.@device[0].ports").split()
    assert said(kind, "brctl show | sed 1d | grep -o '[a-z0-9.]*$'").split() == [*ports, "wlan0"]
    assert said(kind, "ip link | grep -c 'master br-lan'") == f"{len(ports) + 1}\n"
    mac, address = said(kind, "cut -d' ' -f2,3 /tmp/dhcp.leases").split()
    for line in ("cat /proc/net/arp", "arp", "ip neigh"):
        assert any(mac in row and address in row and "br-lan" in row for row in said(kind, line).splitlines())
    assert f"STA {mac} IEEE 802.11: associated" in said(kind, "logread")


def test_busyboxs_ip_leaves_out_states_and_origins() -> None:
    out = said("busybox-mips", "ip addr show br-lan; ip route")
    assert out.startswith(
        "7: br-lan: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue qlen 1000\n    link/ether "
    )
    assert "192.168.1.0/24 dev br-lan scope link  src 192.168.1.1 \n" in out and "proto" not in out
    assert said("busybox-mips", "ip addr show nope") == "ip: can't find device 'nope'\n"


def test_flashing_refuses_what_is_no_image_and_backs_up_the_configuration() -> None:
    assert said("busybox-mips", "sysupgrade").startswith(
        "Usage: /sbin/sysupgrade [<upgrade-option>...] <image"
    )
    assert said("busybox-mips", "sysupgrade /nope; echo $?") == "1\nImage file '/nope' not found.\n"
    assert "Image check failed.\n" in said("busybox-mips", "sysupgrade -n /etc/passwd")
    assert "etc/config/network\n" in said(
        "busybox-mips", "sysupgrade -b /tmp/b.tgz; tar tzf /tmp/b.tgz; rm /tmp/b.tgz"
    )
    assert said("busybox-mips", "echo n | firstboot").endswith("Are you sure? [N/y]\n")


def test_the_log_names_the_process_of_a_visitors_connection() -> None:
    shown = said("busybox-mips", "logread -e dropbear | tail -n 1; ps w | grep '[d]ropbear -F' | tail -n 1")
    log, row = shown.splitlines()
    assert f"dropbear[{row.split()[0]}]" in log

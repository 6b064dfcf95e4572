"""A router's two layers, its start scripts and its firewall, as OpenWrt 22.03 has them."""

from __future__ import annotations

import pytest
from tests.machine.programs.support import Box

KINDS = ("busybox-mips", "busybox-arm")


@pytest.mark.parametrize("kind", KINDS)
def test_rom_holds_the_system_and_the_upper_layer_what_the_first_start_made(kind: str) -> None:
    box = Box(kind)  # type: ignore[arg-type]
    shown = box.run(
        "ls /rom | tr '\\n' ' '; cmp /rom/bin/busybox /bin/busybox && echo same; "
        "ls -d /overlay/upper/etc/config/network; cmp /overlay/upper/etc/shadow /etc/shadow && echo same; "
        "touch /rom/x; ls /rom/rom; cd /rom/etc && pwd && ls banner"
    )
    assert shown.out.decode().splitlines() == [
        "bin dev etc lib mnt overlay proc rom root sbin sys tmp usr var www same",
        "/overlay/upper/etc/config/network", "same", "/rom/etc", "banner",
    ]  # fmt: skip
    assert shown.err == b"touch: /rom/x: Read-only file system\n"


@pytest.mark.parametrize("kind", KINDS)
def test_the_scripts_of_the_start_are_linked(kind: str) -> None:
    box = Box(kind)  # type: ignore[arg-type]
    names = box.run("ls /etc/rc.d").out.decode().split()
    assert {"S10boot", "S19dropbear", "S19firewall", "S20network", "K89log"} <= set(names)
    assert box.run("for f in /etc/rc.d/*; do [ -x $f ] || echo $f; done").out == b""


@pytest.mark.parametrize("kind", KINDS)
def test_the_firewall_is_that_of_its_own_cards(kind: str) -> None:
    box = Box(kind)  # type: ignore[arg-type]
    rules = box.run("nft list ruleset").out.decode()
    wan = box.machine.persona.primary.name
    assert rules.startswith(
        "table inet fw4 {\n\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n"
    )
    assert f'iifname "{wan}" jump input_wan comment "!fw4: Handle wan IPv4/IPv6 input traffic"' in rules
    assert rules.count("{") == rules.count("}")
    assert box.run("fw4 print | tail -n +4").out.decode() == rules
    assert box.run("nft list tables; fw4 zone wan; uci get firewall.@zone[1].name").out.decode().splitlines()[:2] == [
        "table inet fw4", wan,
    ]  # fmt: skip


def test_passwd_is_busyboxs() -> None:
    wrong = Box("busybox-mips").run("passwd -h")
    assert wrong.status == 1
    assert wrong.err.startswith(b"passwd: invalid option -- 'h'\nBusyBox v1.")
    assert b"Usage: passwd [-a ALG] [-dlu] [USER]\n" in wrong.err

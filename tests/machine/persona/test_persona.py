"""A persona agrees with itself, is the same for the same seed, and shares nothing with another's."""

from __future__ import annotations

import pytest

from urltrap.machine.persona import Kind, Persona, addressing, generate, visible_address
from urltrap.machine.persona.dice import Dice

NOW = 1_790_000_000.0
KINDS: tuple[Kind, ...] = ("debian-12", "debian-13", "busybox-mips", "busybox-arm", "cloud-small")
SERVERS: tuple[Kind, ...] = ("debian-12", "debian-13", "cloud-small")


def seed(number: int) -> bytes:
    return b"a seed for tests" + number.to_bytes(8, "big")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_persona(kind: Kind) -> None:
    assert generate(seed(1), kind, NOW) == generate(seed(1), kind, NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_a_persona_survives_json(kind: Kind) -> None:
    persona = generate(seed(2), kind, NOW)
    assert Persona.model_validate_json(persona.model_dump_json()) == persona


@pytest.mark.parametrize("kind", SERVERS)
def test_two_seeds_differ_wherever_machines_differ(kind: Kind) -> None:
    personas = [generate(seed(number), kind, NOW) for number in range(40)]
    for what in (
        lambda p: p.machine_id,
        lambda p: p.boot_id,
        lambda p: p.primary.mac,
        lambda p: p.disks[0].partitions[0].uuid,
        lambda p: p.dmi.product_uuid,
        lambda p: p.users[0].password_hash,
        lambda p: p.boot_time,
        lambda p: p.fingerprint,
        lambda p: p.first_pid,
    ):
        assert len({what(persona) for persona in personas}) == len(personas)
    for what in (lambda p: p.hostname, lambda p: p.memory.total_kb, lambda p: p.primary.address):
        assert len({what(persona) for persona in personas}) > len(personas) * 0.8


def test_a_short_seed_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="at least 16 random"):
        generate(b"short", "debian-12", NOW)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", range(12))
def test_figures_are_plausible_together(kind: Kind, number: int) -> None:
    persona = generate(seed(number), kind, NOW)
    memory = persona.memory
    assert memory.free_kb > memory.total_kb * 0.03
    assert persona.installed < persona.boot_time < NOW
    assert persona.kernel.version in persona.kernel.banner
    root = persona.root
    assert root.used_kb + root.available_kb <= root.size_kb <= sum(disk.size_kb for disk in persona.disks)
    pids = [resident.pid for resident in persona.residents]
    assert len(set(pids)) == len(pids)
    parents = set(pids) | {0}
    assert all(resident.ppid in parents for resident in persona.residents)
    assert {listener.pid for listener in persona.listeners} <= set(pids)
    if persona.is_server:
        assert len(pids) >= 60
        assert persona.first_pid > max(pid for pid in pids if pid < 2000)
        assert {user.name for user in persona.users} & {"root"}


@pytest.mark.parametrize("kind", SERVERS)
def test_the_kernel_was_built_before_it_was_booted(kind: Kind) -> None:
    from urltrap.machine.persona.releases import DEBIAN_12_KERNELS, DEBIAN_13_KERNELS

    built = {release.package: release.built for release in (*DEBIAN_12_KERNELS, *DEBIAN_13_KERNELS)}
    for number in range(30):
        persona = generate(seed(number), kind, NOW)
        package = persona.kernel.version.split("Debian ")[1].split(" ")[0]
        assert built[package] < persona.boot_time


def test_nothing_of_the_published_defaults_appears() -> None:
    known = ("svr0", "nas3", "phil", "richard", "E8200", "997740", "LocalHost", "3.2.0-4", "2.6.26-2")
    for kind in KINDS:
        for number in range(60):
            text = generate(seed(number), kind, NOW).model_dump_json()
            assert not [mark for mark in known if mark in text]


def test_hypervisors_have_their_own_network_cards() -> None:
    for number in range(60):
        persona = generate(seed(number), "debian-12", NOW)
        if persona.hypervisor == "vmware":
            assert persona.primary.mac[:8] in ("00:50:56", "00:0c:29")
            assert persona.dmi.sys_vendor == "VMware, Inc."
        else:
            assert persona.primary.mac[:8] in ("52:54:00", "bc:24:11")


def test_an_address_that_was_reached_is_shown_and_a_private_one_is_not() -> None:
    persona = generate(seed(3), "debian-12", NOW)
    shown = addressing(persona, "93.184.215.14")
    assert (shown.address, shown.gateway, shown.netmask) == ("93.184.215.14", "93.184.215.1", "255.255.255.0")
    assert addressing(persona, "93.184.215.1").gateway == "93.184.215.254"
    assert visible_address(persona, "::ffff:93.184.215.14") == "93.184.215.14"
    for hidden in ("127.0.0.1", "172.17.0.2", "::1", "", "no address"):
        assert visible_address(persona, hidden) == persona.primary.address


def test_draws_are_streams_of_their_own() -> None:
    dice = Dice(seed(4))
    assert dice.hex("a", 32) != dice.hex("b", 32)
    assert dice.scoped("x").hex("a", 32) != dice.hex("a", 32)
    assert all(3 <= dice.number(str(n), 3, 9) <= 9 for n in range(200))
    assert {dice.number(str(n), 3, 9) for n in range(400)} == set(range(3, 10))
    assert dice.uuid("u")[14] == "4"

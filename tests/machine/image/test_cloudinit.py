"""A cloud instance tells one story of how it was set up."""

from __future__ import annotations

import json

import pytest
from tests.machine.programs.support import NOW, Box

from urltrap.machine.image.cloudinit import source_of
from urltrap.machine.persona import generate


@pytest.fixture
def box() -> Box:
    return Box("cloud-small")


def said(box: Box, line: str) -> str:
    return box.run(line).out.decode()


def test_cloud_init_is_done_and_its_files_agree(box: Box) -> None:
    name, source = source_of(box.machine.persona)
    assert said(box, "cloud-init status; cloud-id") == f"status: done\n{name}\n"
    assert said(box, "cloud-init status --long").splitlines()[-1] == source
    status = json.loads(said(box, "cat /run/cloud-init/status.json"))["v1"]
    result = json.loads(said(box, "cat /var/lib/cloud/data/result.json"))["v1"]
    assert status["datasource"] == result["datasource"] == source
    assert status["stage"] is None
    own = said(box, "cat /var/lib/cloud/data/instance-id").strip()
    assert said(box, "readlink /var/lib/cloud/instance") == f"/var/lib/cloud/instances/{own}\n"
    assert said(box, "cloud-init query instance_id; cloud-init query v1.cloud_name") == f"{own}\n{name}\n"
    assert json.loads(said(box, "cloud-init status --format json"))["status"] == "done"


def test_the_network_is_configured_by_it_as_ip_shows_it(box: Box) -> None:
    card = box.machine.persona.primary
    assert f"iface {card.name} inet dhcp\n" in said(box, "cat /etc/network/interfaces.d/50-cloud-init")
    assert card.name not in said(box, "cat /etc/network/interfaces")
    logged = (
        said(box, "grep -E '^ci-info: .*(global|UG)' /var/log/cloud-init-output.log")
        .replace(" ", "")
        .splitlines()
    )
    assert logged[0] == f"ci-info:|{card.name}|True|{card.address}|255.255.255.0|global|{card.mac}|"
    assert said(box, "ip route | head -1").split()[2] in logged[1]


def test_package_units_and_journal_know_it(box: Box) -> None:
    assert said(box, "dpkg -l cloud-init | tail -1").split()[:3] == ["ii", "cloud-init", "22.4.2-1+deb12u4"]
    assert said(box, "dpkg -S /usr/bin/cloud-init; which cloud-init cloud-id") == (
        "cloud-init: /usr/bin/cloud-init\n/usr/bin/cloud-init\n/usr/bin/cloud-id\n"
    )
    assert said(box, "systemctl is-active cloud-init cloud-final; systemctl is-enabled cloud-config") == (
        "active\nactive\nenabled\n"
    )
    assert "running 'init-local'" in said(box, "journalctl -u cloud-init-local")


def test_what_root_marks_is_told(box: Box) -> None:
    assert said(box, "touch /etc/cloud/cloud-init.disabled; cloud-init status") == "status: disabled\n"
    wrong = box.run("cloud-init bogus")
    assert wrong.status == 2
    assert b"argument subcommand: invalid choice: 'bogus'" in wrong.err


def test_other_personas_have_none() -> None:
    assert Box().run("ls /etc/cloud; cloud-init").status == 127


def test_every_provider_has_a_source_of_its_own() -> None:
    sources = {source_of(generate(bytes([seed]) * 32, "cloud-small", NOW))[1] for seed in range(40)}
    assert sources == {"DataSourceHetzner", "DataSourceOpenStackLocal [net,ver=2]", "DataSourceAliYun"}

"""The sensor beside recorded real servers: what scanners ask most, before log-in and behind it.

All 579 probes, and a real server beside ours, are in `bench/probes.py`.
"""

from __future__ import annotations

import json
import time
from importlib.resources import files
from typing import Any

import pytest

from urltrap.machine.persona import generate
from urltrap.model.settings import SessionLimits
from urltrap.ops.audit.capture import differing, read_offer
from urltrap.ops.audit.probe import Probe
from urltrap.ops.audit.probes import SSH_PROBES
from urltrap.ops.audit.runner import Target, ask_all
from urltrap.ops.audit.signatures import Evidence, hits
from urltrap.quarantine.quarantine import Quarantine
from urltrap.sensors.emulated import EmulatedMachines, load_base_image
from urltrap.sensors.ssh.server import profile_name, shipped_profile
from urltrap.wire.ssh.fingerprint import hassh

from .conftest import PASSWORD, TrapBuilder

EXCEPTIONS = {
    # Ours closes a channel when the client does; sshd waits for the command.
    "a command that the client closes",
}
ASKED_MOST = 4


def chosen() -> list[Probe]:
    return [probe for probe in SSH_PROBES if probe.weight >= ASKED_MOST]


def test_every_probe_has_a_name_of_its_own() -> None:
    assert len({probe.name for probe in SSH_PROBES}) == len(SSH_PROBES) > 500


def test_a_persona_speaks_as_the_build_that_it_claims() -> None:
    for kind in ("debian-12", "debian-13"):
        persona = generate(b"p" * 32, kind, time.time())
        assert shipped_profile(profile_name(persona.sshd_version))[0].version == persona.sshd_version
    assert profile_name("SSH-2.0-dropbear") == "dropbear-2022.83"


@pytest.mark.parametrize(
    ("kind", "fingerprint"),
    [("debian-12", "425d29fe50d8e4f5e37efb6e24bcf660"), ("debian-13", "671c5858369db8e0a60108d866bbf8ec")],
)
async def test_every_answer_is_among_those_of_the_real_server(
    trap_builder: TrapBuilder, kind: Any, fingerprint: str
) -> None:
    persona = generate(b"p" * 32, kind, time.time())
    name = profile_name(persona.sshd_version)
    machines = EmulatedMachines(
        load_base_image(persona, {}), persona, SessionLimits(), Quarantine(trap_builder.folder / "quarantine")
    )
    changes = shipped_profile(name)[0].model_dump() | {"banner_delay_ms": 0.0, "password_refusal_ms": 0.0}
    trap = await trap_builder(maker=machines, profile_changes=changes)
    target = Target("127.0.0.1", trap.port, "root", PASSWORD, silence=0.6, at_a_time=24)
    banner, offered, _ = await read_offer(target)
    answers = await ask_all(target, chosen())
    recorded = json.loads((files("urltrap.wire.ssh.profiles") / f"{name}.answers.json").read_text("utf-8"))
    wrong = {each: (str(answers[each]), recorded[each]) for each in differing(answers, recorded)}
    assert set(wrong) <= EXCEPTIONS, wrong
    assert [name for name, answer in answers.items() if answer.end.startswith("not asked")] == []
    assert hassh(offered.server_algorithms) == fingerprint
    evidence = Evidence(banner, offered, {each: str(answer) for each, answer in answers.items()})
    assert hits(evidence) == []

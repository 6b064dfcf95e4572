"""The audit of a running server: which real one it claims to be, and where it gives itself away."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from urltrap.ops.audit.capture import differing, read_offer
from urltrap.ops.audit.probe import Probe
from urltrap.ops.audit.probes import SSH_PROBES
from urltrap.ops.audit.runner import Target, ask_all
from urltrap.ops.audit.signatures import Evidence, hits
from urltrap.wire.ssh.fingerprint import KexInit, hassh
from urltrap.wire.ssh.profile import Profile, load_profile

_SIGNATURE_WEIGHT = 6
_OFFER = "offer the recorded list, in its order"
_POPULATION = {
    "debian12": "that of every up-to-date Debian 12; such servers are counted in millions",
    "debian13": "that of every up-to-date Debian 13; such servers are counted in millions",
    "dropbear": "that of Dropbear as Debian builds it; device makers' builds differ, so it is rarer",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that gives the server away; `weight` 1 (only who looks for it sees it) to 6 (public tools ask it)."""

    weight: int
    what: str
    seen: str
    real: str
    fix: str


@dataclass(frozen=True, slots=True)
class Report:
    """All of an audit. `profile` is the shipped one that has the server's identification line, if any."""

    banner: str
    hassh_server: str
    population: str
    profile: str | None
    asked: int
    not_asked: int
    findings: Sequence[Finding]


def shipped() -> dict[str, tuple[Profile, Mapping[str, Sequence[str]]]]:
    """The shipped profiles with their recorded answers, by identification line."""
    folder = importlib.resources.files("urltrap.wire.ssh.profiles")
    found = {}
    for each in folder.iterdir():
        if each.name.endswith(".answers.json"):
            profile = load_profile((folder / each.name.replace(".answers.json", ".json")).read_bytes())
            found[profile.version] = profile, json.loads(each.read_text("utf-8"))
    return found


async def audit(target: Target, probes: Sequence[Probe] = SSH_PROBES) -> Report:
    """Ask a server everything and compare. OSError, ServerEnded or NotSsh where it cannot be asked at all."""
    banner, offered, _ = await read_offer(target)
    answers = await ask_all(target, probes)
    asked = {name: answer for name, answer in answers.items() if not answer.end.startswith("not asked")}
    evidence = Evidence(banner, offered, {name: str(answer) for name, answer in asked.items()})
    findings = [
        Finding(_SIGNATURE_WEIGHT, f"{signature.detector} knows it", words, "", signature.fix)
        for signature, words in hits(evidence)
    ]
    version = banner.rstrip(b"\r\n").decode("latin-1")
    profile, recorded = shipped().get(version, (None, {}))
    if profile is not None:
        findings += _offer_findings(profile, offered)
        weights = {probe.name: probe.weight for probe in probes}
        findings += [
            Finding(
                weights[name],
                f"the answer to: {name}",
                str(asked[name]),
                " or ".join(recorded[name]),
                "answer as the recorded server does",
            )
            for name in differing(asked, recorded)
        ]
    findings.sort(key=lambda finding: -finding.weight)
    fingerprint = hassh(offered.server_algorithms)
    return Report(
        version,
        fingerprint,
        _population(profile, fingerprint),
        profile.name if profile else None,
        len(asked),
        len(answers) - len(asked),
        findings,
    )


def _offer_findings(profile: Profile, offered: KexInit) -> list[Finding]:
    pairs = (
        ("key exchange", [*profile.kex, *profile.kex_markers], offered.kex),
        ("host keys", profile.host_keys, offered.host_keys),
        ("ciphers", profile.ciphers, offered.ciphers_to_client),
        ("MACs", profile.macs, offered.macs_to_client),
        ("compression", profile.compressions, offered.compressions_to_client),
    )
    return [
        Finding(
            5,
            f"the list of {what}",
            seen.decode("latin-1"),
            ",".join(real),
            _OFFER,
        )
        for what, real, seen in pairs
        if ",".join(real) != seen.decode("latin-1")
    ]


def _population(profile: Profile | None, fingerprint: str) -> str:
    if profile is None:
        return "no shipped profile has this identification line: how common the fingerprint is cannot be told"
    real = KexInit(
        kex=",".join([*profile.kex, *profile.kex_markers]).encode(),
        ciphers_to_client=",".join(profile.ciphers).encode(),
        macs_to_client=",".join(profile.macs).encode(),
        compressions_to_client=",".join(profile.compressions).encode(),
    )
    if hassh(real.server_algorithms) != fingerprint:
        return f"not that of {profile.name}, which it claims to be: such servers can be counted"
    return _POPULATION.get(profile.name.split("-")[0], f"that of {profile.name}")

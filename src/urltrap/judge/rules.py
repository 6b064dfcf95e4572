"""The rules, version 1. Weights add up to the confidence; which verdict it is, is decided by kinds of evidence.

Naming a host never makes it malicious: *malicious-observed* needs a payload that an attacker's session asked for and
that is a program or script, and something that tells an attack from a mistake (it was run or made executable, more
than one source came with it, or a malicious payload fetches it).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from urltrap.judge.evidence import Evidence, Payload
from urltrap.judge.publication import publish_after
from urltrap.model.verdict import Reason, Verdict, VerdictName

_Because = Callable[[str, str, int], None]

RULES = "1"
"""Version of these rules, kept with each verdict; another one judges everything again."""

_PROGRAMS = {"elf": "an ELF program", "pe": "a Windows program", "script": "a script"}
_HARMLESS = {"html": "a web page", "image": "an image", "empty": "an empty file"}
_PAYLOAD_WEIGHT = {"elf": 45, "pe": 40, "script": 35, "archive": 20, "data": 10, "text": 5}
_BENIGN = {
    "ip-check": "it tells its caller's address",
    "speed-test": "it is a speed test",
    "known-site": "it is a well-known site",
    "mirror": "it is a mirror of software distributions",
}
_SHARED = {"code-hosting", "paste", "shortener", "cdn"}


def judge(evidence: Evidence, at: datetime, delay_minutes: tuple[int, int]) -> Verdict:
    """The verdict on a URL at the moment `at`, with its reasons in the order in which they weigh."""
    reasons: list[Reason] = []

    def because(code: str, text: str, weight: int) -> None:
        reasons.append(Reason(code=code, text=text, weight=weight))

    listed = _listed(evidence, because)
    payload = _payload(evidence, because)
    _behaviour(evidence, because)
    benign = next((label for label in evidence.labels if label.kind in _BENIGN), None)
    if benign:
        because("context." + benign.kind, f"{_BENIGN[benign.kind]} (list {benign.list})", -60)
    for label in evidence.labels:
        if label.kind in _SHARED:
            because(
                "context." + label.kind, f"anybody can put files there ({label.kind}, list {label.list})", -5
            )
    verdict = _verdict(evidence, listed, payload, benign is not None)
    if verdict == "malicious-observed" and evidence.held:
        verdict = "suspicious"
    if evidence.held:
        because("held", "its host is a placeholder, not public, our own, or was cut off", -20)
    if evidence.carries_own_address:
        because("withheld", "an address of a sensor stands in it: it is not published", 0)
    confidence = max(0, min(100, sum(reason.weight for reason in reasons)))
    if verdict == "benign-context":
        confidence = 90
    reasons.sort(key=lambda reason: -abs(reason.weight))
    return Verdict(
        url=evidence.url, verdict=verdict, confidence=confidence, reasons=reasons, at=at, rules=RULES,
        publish_after=publish_after(evidence, verdict, at, delay_minutes),
    )  # fmt: skip


def _verdict(evidence: Evidence, listed: bool, payload: Payload | None, benign: bool) -> VerdictName:
    if listed:
        return "malicious-confirmed"
    if benign:
        return "benign-context"
    wanted = evidence.asked or evidence.commanded or evidence.from_malicious
    if payload is not None and wanted and payload.kind in _PROGRAMS:
        if evidence.run or evidence.sources >= 2 or evidence.from_malicious:
            return "malicious-observed"
        return "suspicious"
    if payload is not None and payload.kind in _HARMLESS:
        return "unknown"
    return "suspicious" if wanted else "unknown"


def _listed(evidence: Evidence, because: _Because) -> bool:
    listed = False
    for item in evidence.observations:
        if item.result != "listed":
            continue
        tags = f" ({', '.join(item.tags[:5])})" if item.tags else ""
        if item.subject_kind == "url":
            # The detail says whether the URL itself or the same host and path is on the list.
            weight = 90 if item.detail != "host and path" else 80
            because("listed.url", f"{item.provider} lists {item.detail or 'this URL'}{tags}", weight)
            listed = True
        elif item.subject_kind == "sha256":
            because("listed.payload", f"{item.provider} lists its payload{tags}", 90)
            listed = True
        else:
            because("listed.host", f"{item.provider} lists other URLs of this host{tags}", 15)
    return listed


def _payload(evidence: Evidence, because: _Because) -> Payload | None:
    answered = [item for item in evidence.payloads if item.status is None or 200 <= item.status < 300]
    if not answered:
        if evidence.payloads:
            status = evidence.payloads[0].status
            because("payload.none", f"the server answered {status}, with no payload", -10)
        elif evidence.outcomes:
            because("capture." + evidence.outcomes[0], f"nothing was captured: {evidence.outcomes[0]}", 0)
        return None
    best = max(answered, key=lambda item: _PAYLOAD_WEIGHT.get(item.kind, 0))
    weight = _PAYLOAD_WEIGHT.get(best.kind, 0)
    if best.kind in _PROGRAMS:
        what = _PROGRAMS[best.kind]
        details = best.architecture or best.interpreter
        because("payload." + best.kind, f"it serves {what}{f' ({details})' if details else ''}", weight)
        architectures = {item.architecture for item in answered if item.architecture}
        if len(architectures) > 1:
            because(
                "payload.architectures", f"it has served programs for {len(architectures)} architectures", 10
            )
    elif best.kind in _HARMLESS:
        because("payload." + best.kind, f"it serves {_HARMLESS[best.kind]}", -20)
    else:
        because("payload." + best.kind, f"it serves {best.kind}", weight)
    return best


def _behaviour(evidence: Evidence, because: _Because) -> None:
    if evidence.asked:
        because("asked", "a program in an attacker's session asked for it", 15)
    elif evidence.commanded:
        because("commanded", "an attacker's command names it as a download", 12)
    if evidence.run:
        because("run", "what came was run or made executable there", 25)
    if evidence.from_malicious:
        because("second-stage", "a payload of a malicious URL fetches it", 20)
    if evidence.sources >= 2:
        because("sources", f"{evidence.sources} addresses came with it", min(20, 8 + 2 * evidence.sources))
    if evidence.raw_address and evidence.scheme in ("http", "ftp", "tftp"):
        because("raw-address", "its host is a bare address", 5)
    if evidence.port not in (80, 443, 21, 69, 8080, 8443):
        because("odd-port", f"its port is unusual ({evidence.port})", 3)

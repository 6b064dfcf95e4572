"""The rules, version 4. Kinds of evidence decide which verdict it is; `calibration` says how confident we are.

What a person decided counts before all else: about the URL itself, then the operator's allow-list of hosts.
Naming a host never makes it malicious: *malicious-observed* needs a payload that an attacker's session asked for and
that is a program or script, and something that tells an attack from a mistake (it was run or made executable, more
than one source came with it, or a malicious payload fetches it). A site's home page that was asked for and with which
nothing was done is a look whether there is a way out. Lists of the benign, homes of tools, the operator's own tests
and sources that name hundreds of hosts are never believed by context.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from urltrap.judge import labels
from urltrap.judge.calibration import EVIDENCE, SIGNS, SPELLING_ALONE, Given, Weighed, confidence
from urltrap.judge.classify import Classes, classify, false_positive_risk, family_of
from urltrap.judge.engines import confirms, is_listing, known_file, reports
from urltrap.judge.evidence import Evidence, Payload
from urltrap.judge.fitted import SHIPPED, Spelling
from urltrap.judge.lexical import signs
from urltrap.judge.publication import publish_after
from urltrap.judge.tools import is_tool
from urltrap.model.verdict import Axes, FalsePositiveRisk, Reason, Verdict, VerdictName

RULES = "4"
"""Version of these rules, kept with each verdict; another one judges everything again."""

FLOODING = 100
"""A source that names so many hosts is marked: what only such sources show is not believed by context."""

_PROGRAMS = {"elf": "an ELF program", "pe": "a Windows program", "script": "a script"}
_HARMLESS = {"html": "a web page", "image": "an image", "empty": "an empty file"}
_ORDER = {"elf": 45, "pe": 40, "script": 35, "archive": 20, "data": 10, "text": 5}
_TESTS = ("EICAR-Test-File",)
_WEB_PORTS = (80, 443)


class _Scale:
    """Collects what is known."""

    def __init__(self) -> None:
        self.weighed: list[Weighed] = []

    def add(self, code: str, text: str, weight: str = "", times: float = 1.0) -> None:
        self.weighed.append(
            Weighed(code, text, EVIDENCE[weight or code] * times if weight != "none" else 0.0)
        )


@dataclass(slots=True)
class Judgement:
    """What a `model.verdict.Verdict` says, before it is one: whoever judges everything again compares it and keeps
    next to none, and making models of it would cost as much as judging."""

    verdict: VerdictName
    confidence: int
    reasons: list[Given]
    publish_after: datetime | None
    axes: Classes
    family: str
    fp_risk: FalsePositiveRisk
    techniques: tuple[str, ...]
    rules: str


def judge(
    evidence: Evidence, at: datetime, delay_minutes: tuple[int, int], spelling: Spelling = SHIPPED
) -> Verdict:
    """The verdict on a URL at the moment `at`, with its class, and its reasons in the order in which they weigh."""
    found = judgement(evidence, at, delay_minutes, spelling)
    return Verdict(
        url=evidence.url, verdict=found.verdict, confidence=found.confidence,
        reasons=[Reason(code=code, text=text, weight=weight) for code, text, weight in found.reasons],
        at=at, rules=found.rules, publish_after=found.publish_after, axes=Axes(**found.axes._asdict()),
        family=found.family, fp_risk=found.fp_risk, techniques=list(found.techniques), campaign=evidence.campaign,
    )  # fmt: skip


def judgement(
    evidence: Evidence, at: datetime, delay_minutes: tuple[int, int], spelling: Spelling = SHIPPED
) -> Judgement:
    """`judge`, for many URLs."""
    scale = _Scale()
    listed = _listed(evidence, scale)
    payload = _payload(evidence, scale)
    known = _known(evidence, payload, scale)
    _behaviour(evidence, scale)
    benign = _context(evidence, scale)
    _people(evidence, scale)
    _spelling(evidence, spelling, scale)
    verdict = _verdict(evidence, listed, payload, known, benign)
    if evidence.carries_own_address:
        scale.add("withheld", "an address of a sensor stands in it: it is not published", "none")
    most, why = 100, ""
    if verdict == "benign-context":
        most, why = 10, "its context is benign"
    elif evidence.decided == "malicious":
        pass  # whoever looked at it knows more than its spelling
    elif (
        verdict == "suspicious"
        and payload is not None
        and payload.kind in _PROGRAMS
        and (doubt := _doubt(evidence, payload))
    ):
        most, why = SPELLING_ALONE, doubt
    elif not (
        listed
        or known
        or evidence.raw_address
        or (payload and payload.kind in _PROGRAMS)
        or any(reports(item) for item in evidence.observations)
    ):
        most, why = SPELLING_ALONE, "a name alone does not say more, however it is spelt"
    points, reasons = confidence(scale.weighed, most, why, spelling.prior)
    return Judgement(
        verdict, points, reasons, publish_after(evidence, verdict, at, delay_minutes),
        classify(evidence, payload, verdict), family_of(evidence, payload),
        false_positive_risk(evidence, listed, payload), evidence.techniques, RULES,
    )  # fmt: skip


def _verdict(
    evidence: Evidence, listed: bool, payload: Payload | None, known: bool, benign: bool
) -> VerdictName:
    if evidence.decided:
        return "malicious-confirmed" if evidence.decided == "malicious" else "benign-context"
    if evidence.operator or evidence.allowed:
        return "benign-context"
    if listed:
        return "malicious-confirmed"
    if benign:
        return "benign-context"
    wanted = evidence.asked or evidence.commanded or evidence.from_malicious
    if wanted and known and not _is_a_tool(evidence) and not evidence.held:
        return "malicious-confirmed"
    if payload is not None and wanted and payload.kind in _PROGRAMS:
        believed = evidence.run or evidence.sources >= 2 or evidence.from_malicious
        if believed and not _doubt(evidence, payload):
            return "malicious-observed"
        return "suspicious"
    if payload is not None and payload.kind in _HARMLESS:
        return "unknown"
    return "suspicious" if wanted and not _is_only_a_look(evidence) else "unknown"


def _is_only_a_look(evidence: Evidence) -> bool:
    """Whether what was asked for is the home page of a named site, nothing was run, and nobody says anything of it."""
    return (
        not evidence.raw_address
        and _path(evidence) == "/"
        and evidence.port in _WEB_PORTS
        and not (evidence.run or evidence.from_malicious)
        and not any(item.result == "listed" for item in evidence.observations)
    )


def _doubt(evidence: Evidence, payload: Payload) -> str:
    """Why nobody believes that a program is malicious because attackers fetched and ran it; empty where nothing is."""
    if _is_a_tool(evidence):
        return "honest people fetch this tool as well"
    if evidence.held:
        return "its host is none that anybody could have reached"
    if _is_flooded(evidence, payload):
        return "whoever named it names anything"
    if known_file(evidence.observations, payload.sha256):
        return "systems and packages have this file"
    return ""


def _is_a_tool(evidence: Evidence) -> bool:
    return is_tool(evidence.host, _path(evidence)) or any(
        label.kind == labels.DUAL_USE for label in evidence.labels
    )


def _is_flooded(evidence: Evidence, payload: Payload) -> bool:
    """Whether only sources that name hundreds of hosts show it, and its payload does not speak for itself."""
    return evidence.named_hosts >= FLOODING and not (payload.role or payload.action)


def _listed(evidence: Evidence, scale: _Scale) -> bool:
    listed = False
    for item in evidence.observations:
        if item.result != "listed":
            continue
        tags = f" ({', '.join(item.tags[:5])})" if item.tags else ""
        if not is_listing(item):
            scale.add("listed.few", f"{item.provider}: {item.detail or 'few engines'}; so few are no listing")
        elif reports(item):
            scale.add(
                "listed.report", f"{item.provider}: somebody reported {item.detail or 'this URL'}{tags}"
            )
        elif not confirms(item):
            scale.add("listed.hint", f"{item.provider}: {item.detail or 'mentioned'}{tags}")
        elif item.subject_kind == "url":
            # The detail says whether the URL itself or the same host and path is on the list.
            weight = "listed.path" if item.detail == "host and path" else "listed.url"
            scale.add("listed.url", f"{item.provider} lists {item.detail or 'this URL'}{tags}", weight)
            listed = True
        elif item.subject_kind == "sha256":
            scale.add("listed.payload", f"{item.provider} lists its payload{tags}")
            listed = True
        else:
            scale.add("listed.host", f"{item.provider} lists other URLs of this host{tags}")
    return listed


def _payload(evidence: Evidence, scale: _Scale) -> Payload | None:
    answered = [item for item in evidence.payloads if item.status is None or 200 <= item.status < 300]
    if not answered:
        if evidence.payloads:
            status = evidence.payloads[0].status
            scale.add("payload.none", f"the server answered {status}, with no payload")
        elif evidence.outcomes:
            scale.add(
                "capture." + evidence.outcomes[0], f"nothing was captured: {evidence.outcomes[0]}", "none"
            )
        return None
    best = max(answered, key=lambda item: (bool(item.family), _ORDER.get(item.kind, 0)))
    if best.kind in _PROGRAMS:
        details = best.architecture or best.interpreter
        scale.add(
            "payload." + best.kind, f"it serves {_PROGRAMS[best.kind]}{f' ({details})' if details else ''}"
        )
        architectures = {item.architecture for item in answered if item.architecture}
        if len(architectures) > 1:
            scale.add(
                "payload.architectures", f"it has served programs for {len(architectures)} architectures"
            )
        if best.packer.startswith("upx-broken"):
            scale.add("payload.packed", "it is packed by UPX whose marks were broken on purpose")
    elif best.kind in _HARMLESS:
        scale.add("payload." + best.kind, f"it serves {_HARMLESS[best.kind]}")
    else:
        weight = f"payload.{best.kind}" if f"payload.{best.kind}" in EVIDENCE else "payload.data"
        scale.add("payload." + best.kind, f"it serves {best.kind}", weight)
    return best


def _known(evidence: Evidence, payload: Payload | None, scale: _Scale) -> bool:
    """Whether what it serves is malware that rules or an antivirus know by name."""
    if payload is None:
        return False
    if name := known_file(evidence.observations, payload.sha256):
        scale.add("payload.known-file", f"its payload is a file of a system or package (hashlookup: {name})")
    if payload.antivirus:
        scale.add("payload.antivirus", f"ClamAV calls its payload {payload.antivirus}")
    if payload.family in _TESTS:
        scale.add("payload.test", "its payload is the harmless test file of antivirus testers", "none")
        return False
    if payload.family:
        scale.add("payload.family", f"its payload is {payload.family} (rule {', '.join(payload.rules[:3])})")
    elif payload.role:
        scale.add("payload.role", f"its payload is a {payload.role} (rule {', '.join(payload.rules[:3])})")
    return bool(payload.family or payload.antivirus)


def _behaviour(evidence: Evidence, scale: _Scale) -> None:
    if evidence.asked:
        scale.add("asked", "a program in an attacker's session asked for it")
    elif evidence.commanded:
        scale.add("commanded", "an attacker's command names it as a download")
    if evidence.run:
        scale.add("run", "what came was run or made executable there")
    if evidence.from_malicious:
        scale.add("second-stage", "a payload of a malicious URL fetches it")
    if evidence.sources >= 2:
        scale.add("sources", f"{evidence.sources} addresses came with it", "source", min(4, evidence.sources))
    if evidence.named_hosts >= FLOODING:
        scale.add(
            "flooding", f"whoever showed it has named {evidence.named_hosts} hosts: nothing follows from that"
        )


def _context(evidence: Evidence, scale: _Scale) -> bool:
    """Whether lists say that the host is benign by itself."""
    benign = False
    for label in evidence.labels:
        if label.kind in labels.BENIGN:
            if not benign:
                scale.add(
                    "context." + label.kind,
                    f"{labels.BENIGN[label.kind]} (list {label.list})",
                    "context.benign",
                )
            benign = True
        elif label.kind in labels.SHARED:
            scale.add(
                "context." + label.kind,
                f"anybody can put files there ({labels.SHARED[label.kind]}, list {label.list})", "context.shared",
            )  # fmt: skip
    if is_tool(evidence.host, _path(evidence)):
        scale.add("context.tool", "it is the home of a tool that honest people use as well")
    if evidence.held:
        scale.add("held", "its host is a placeholder, not public, our own, or was cut off")
    if evidence.operator:
        scale.add("operator", "only the operator's own tests showed it")
    return benign


def _people(evidence: Evidence, scale: _Scale) -> None:
    """What people decided goes before all else; a decision about the URL before one about its host."""
    # Reasons are published: who decided, and the note, are not among them.
    if evidence.decided:
        scale.add(
            f"decided.{evidence.decided}", f"a person looked at it and says that it is {evidence.decided}"
        )
    elif evidence.allowed:
        scale.add("allowed", "its host is on the operator's allow-list")


def _spelling(evidence: Evidence, spelling: Spelling, scale: _Scale) -> None:
    found = signs(evidence.scheme, evidence.host, evidence.port, _path(evidence), evidence.raw_address)
    for sign in sorted(found):
        scale.weighed.append(Weighed(f"url.{sign}", SIGNS[sign], spelling.weights[sign]))


def _path(evidence: Evidence) -> str:
    """Path and query of the canonical URL."""
    rest = evidence.url.partition("://")[2]
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"

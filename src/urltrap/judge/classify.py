"""The six axes: action, role, delivery, target, hosting, lifecycle; each from its own evidence, none from another."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, cast, get_args

from urltrap.judge import labels
from urltrap.judge.engines import is_listing
from urltrap.judge.evidence import Evidence, LabelKind, Payload
from urltrap.judge.lexical import signs
from urltrap.judge.tools import is_tool
from urltrap.model.verdict import (
    Action,
    FalsePositiveRisk,
    Hosting,
    Lifecycle,
    Role,
    VerdictName,
)

_USUAL_PORTS = (80, 443, 21, 69, 8080, 8443)
_ACTIONS: frozenset[str] = frozenset(get_args(Action))
_ROLES: frozenset[str] = frozenset(get_args(Role))
_LIFECYCLES: frozenset[str] = frozenset(get_args(Lifecycle))
_TAGS: dict[str, Action] = {
    "mirai": "ddos-botnet", "mozi": "ddos-botnet", "gafgyt": "ddos-botnet", "bashlite": "ddos-botnet",
    "tsunami": "ddos-botnet", "kaiten": "ddos-botnet", "xorddos": "ddos-botnet", "hajime": "worm-spreader",
    "ddos": "ddos-botnet", "coinminer": "cryptomining", "xmrig": "cryptomining", "miner": "cryptomining",
    "proxy": "proxyware", "webshell": "webshell", "phishing": "phishing-fraud", "rat": "backdoor-rat",
    "backdoor": "backdoor-rat", "stealer": "credential-theft", "ransomware": "ransomware-wiper", "c2": "c2",
    "botnet_cc": "c2", "cobaltstrike": "backdoor-rat",
}  # fmt: skip
_FAMILIES = {
    "mirai": "Mirai", "mozi": "Mozi", "gafgyt": "Bashlite", "bashlite": "Bashlite", "tsunami": "Tsunami",
    "kaiten": "Tsunami", "xorddos": "XOR DDoS", "hajime": "Hajime", "xmrig": "XMRig", "kinsing": "Kinsing",
    "outlaw": "Outlaw", "perlbot": "PerlBot", "shellbot": "PerlBot",
}  # fmt: skip
_BY_LABEL: dict[LabelKind, Action] = {
    "ip-check": "ip-check", "speed-test": "bandwidth-test", "mirror": "tool-dual-use", "research-scanner": "recon-scan",
    "dual-use-tool": "tool-dual-use",
}  # fmt: skip
_HOSTING: tuple[tuple[LabelKind, Hosting], ...] = (
    ("code-hosting", "code-hosting"), ("paste", "paste"), ("file-share", "file-share"),
    ("cloud-bucket", "cloud-bucket"), ("ipfs", "ipfs"), ("tor", "tor"), ("shortener", "shortener"),
    ("tunnel", "tunnel"), ("dynamic-dns", "dynamic-dns"), ("cdn", "cdn"),
)  # fmt: skip
_PLATFORM = {"elf": "linux", "pe": "windows", "script": "unix"}


class Classes(NamedTuple):
    """The fields of `model.verdict.Axes`."""

    action: Action
    role: Role
    delivery: str
    target: str
    hosting: Hosting
    lifecycle: Lifecycle
    first_online: datetime | None
    last_online: datetime | None


def classify(evidence: Evidence, payload: Payload | None, verdict: VerdictName) -> Classes:
    """The class of a URL. "unknown" where nothing speaks for a value: no axis is filled by guessing from another."""
    return Classes(
        action=_action(evidence, payload, verdict),
        role=_role(evidence, payload),
        delivery=_delivery(evidence),
        target=_target(payload),
        hosting=_hosting(evidence),
        lifecycle=_lifecycle(evidence, payload),
        first_online=evidence.first_online,
        last_online=evidence.last_online,
    )


def family_of(evidence: Evidence, payload: Payload | None) -> str:
    """The family of its payload, by our rules first, then by what providers' listings say."""
    if payload is not None and payload.family:
        return payload.family
    for item in evidence.observations:
        if is_listing(item) and item.subject_kind in ("url", "sha256"):
            for tag in item.tags:
                if tag.lower() in _FAMILIES:
                    return _FAMILIES[tag.lower()]
    return ""


def false_positive_risk(evidence: Evidence, listed: bool, payload: Payload | None) -> FalsePositiveRisk:
    """How likely blocking it would hit the innocent."""
    kinds = {label.kind for label in evidence.labels}
    if kinds & set(labels.BENIGN) or evidence.operator or evidence.held or is_tool(evidence.host, "/"):
        return "high"
    if kinds & set(labels.SHARED):
        return "medium"
    known = payload is not None and bool(payload.family or payload.role or payload.antivirus)
    return "low" if listed or known or (evidence.raw_address and payload is not None) else "medium"


def _action(evidence: Evidence, payload: Payload | None, verdict: VerdictName) -> Action:
    if payload is not None and payload.action in _ACTIONS:
        return cast(Action, payload.action)
    for item in evidence.observations:
        if is_listing(item) and item.subject_kind in ("url", "sha256"):
            for tag in item.tags:
                if tag.lower() in _TAGS:
                    return _TAGS[tag.lower()]
            if item.provider.lower().startswith(("openphish", "phishtank")):
                return "phishing-fraud"
    for label in evidence.labels:
        if label.kind in _BY_LABEL:
            return _BY_LABEL[label.kind]
    if is_tool(evidence.host, _path(evidence)):
        return "tool-dual-use"
    if evidence.scheme.startswith("stratum"):
        return "cryptomining"
    if (
        verdict.startswith("malicious-")
        and payload is not None
        and len({item.architecture for item in evidence.payloads} - {""}) > 1
    ):
        # One name that serves many processors is how device botnets spread, whatever the family.
        return "ddos-botnet"
    return "unknown"


def _role(evidence: Evidence, payload: Payload | None) -> Role:
    if payload is not None and payload.role in _ROLES:
        return cast(Role, payload.role)
    if evidence.scheme.startswith("stratum"):
        return "miner-pool"
    if payload is None:
        return "unknown"
    if payload.kind in ("elf", "pe"):
        return "payload"
    if payload.kind == "script":
        return "dropper-script"
    if payload.kind == "html":
        return "landing-page"
    return "unknown"


def _delivery(evidence: Evidence) -> str:
    protocol = evidence.protocols[0] if evidence.protocols else ""
    verb = next((client for client in evidence.clients if client), "")
    if evidence.from_malicious and not evidence.commanded and not evidence.asked:
        verb = "second-stage"
    return f"{protocol} {verb}".strip()


def _target(payload: Payload | None) -> str:
    if payload is None or payload.kind not in _PLATFORM:
        return ""
    return f"{_PLATFORM[payload.kind]} {payload.architecture}".strip()


def _hosting(evidence: Evidence) -> Hosting:
    if evidence.raw_address:
        return "raw-ip" if evidence.port in _USUAL_PORTS else "raw-ip-odd-port"
    kinds = {label.kind for label in evidence.labels}
    for kind, hosting in _HOSTING:
        if kind in kinds:
            return hosting
    if evidence.host.endswith((".onion", ".onion.to", ".onion.ws", ".onion.ly")):
        return "tor"
    if "/ipfs/" in evidence.url:
        return "ipfs"
    found = signs(evidence.scheme, evidence.host, evidence.port, _path(evidence), False)
    if "wp-content" in evidence.url or "wp-includes" in evidence.url or "wp-admin" in evidence.url:
        return "compromised-site"
    if "cheap-domain" in found and found & {"digits", "hyphens", "long-name", "lure-in-name"}:
        return "disposable-domain"
    return "site"


def _lifecycle(evidence: Evidence, payload: Payload | None) -> Lifecycle:
    if any(label.kind == "sinkhole" for label in evidence.labels):
        return "sinkholed"
    if evidence.liveness in _LIFECYCLES:
        return cast(Lifecycle, evidence.liveness)
    tried = [outcome for outcome in evidence.outcomes if outcome not in ("recorded", "withheld", "limited")]
    if not tried:
        return "unknown"
    if tried[0] == "fetched" and payload is not None:
        return "online"
    if evidence.last_online is not None:
        return "taken-down" if tried[0] in ("fetched", "not-found") else "offline"
    return "never-alive"


def _path(evidence: Evidence) -> str:
    rest = evidence.url.partition("://")[2]
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"

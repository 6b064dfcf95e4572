"""Observations of others and verdicts of ours."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from urltrap.model.base import Model, Utc

SubjectKind = Literal["url", "host", "ip", "sha256"]
ObservationResult = Literal["listed", "not-listed", "error"]
VerdictName = Literal["malicious-confirmed", "malicious-observed", "suspicious", "benign-context", "unknown"]

Action = Literal[
    "ddos-botnet", "cryptomining", "proxyware", "backdoor-rat", "credential-theft", "ransomware-wiper", "worm-spreader",
    "spam-mailer", "phishing-fraud", "webshell", "exploitation", "recon-scan", "c2", "exfiltration", "defacement",
    "tool-dual-use", "ip-check", "bandwidth-test", "unknown",
]  # fmt: skip
"""What a URL is for, in the attacker's hands."""

Role = Literal[
    "dropper-script", "payload", "config", "update", "c2", "check-in", "exfil", "miner-pool", "key-implant",
    "redirector", "landing-page", "lure-link", "target-only", "unknown",
]  # fmt: skip
"""Its part in the attack."""

Hosting = Literal[
    "raw-ip", "raw-ip-odd-port", "disposable-domain", "dynamic-dns", "compromised-site", "code-hosting", "paste",
    "file-share", "cloud-bucket", "cdn", "ipfs", "tor", "shortener", "tunnel", "site", "unknown",
]  # fmt: skip
"""Where it lies; "site" is a name that no list knows."""

Lifecycle = Literal["online", "offline", "never-alive", "sinkholed", "taken-down", "moved", "unknown"]
"""How it is, by the newest attempts to fetch it."""

FalsePositiveRisk = Literal["low", "medium", "high"]
"""How likely a blocklist entry for it would hit the innocent."""


class Observation(Model):
    """One answer of one reputation provider about one URL, host, IP or hash: listed, not listed, or error."""

    provider: str
    subject_kind: SubjectKind
    subject: str
    at: Utc
    result: ObservationResult
    detail: str = ""
    tags: list[str] = []
    reference: str = ""
    since: Utc | None = Field(default=None, description="when the provider listed it, as it says itself")


class Place(Model):
    """Where an address is, offline, each fact with its source. Empty means unknown; never 0,0."""

    country: str = ""
    city: str = ""
    latitude: float | None = None
    longitude: float | None = None
    asn: int | None = None
    network: str = ""
    sources: list[str] = []


class Reason(Model):
    """One reason of a verdict, in words that a person reads; `weight` is what it added to the confidence."""

    code: str
    text: str
    weight: int


class Axes(Model):
    """The six independent classes of a URL. `delivery` is "PROTOCOL VERB", `target` "PLATFORM ARCHITECTURE"."""

    action: Action = "unknown"
    role: Role = "unknown"
    delivery: str = ""
    target: str = ""
    hosting: Hosting = "unknown"
    lifecycle: Lifecycle = "unknown"
    first_online: Utc | None = None
    last_online: Utc | None = None


class Verdict(Model):
    """Our judgement of a URL, the reasons that led to it, and how confident we are that it is malicious, 0–100."""

    url: str
    verdict: VerdictName
    confidence: int = Field(ge=0, le=100)
    reasons: list[Reason]
    at: Utc
    rules: str = Field(description="version of the rules that judged")
    publish_after: Utc | None = Field(default=None, description="not published before; None: withheld")
    axes: Axes = Axes()
    family: str = Field(default="", description="malware family, as Malpedia names it")
    fp_risk: FalsePositiveRisk = "medium"
    techniques: list[str] = Field(
        default=[], description="MITRE ATT&CK techniques of the sessions that used it"
    )
    campaign: str = ""

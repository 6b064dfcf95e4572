"""Everything that the rules may know of a URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from urltrap.model.verdict import Observation

LabelKind = Literal[
    "ip-check", "speed-test", "known-site", "mirror", "top-site", "research-scanner", "sinkhole", "parked",
    "code-hosting", "paste", "shortener", "cdn", "file-share", "cloud-bucket", "dynamic-dns", "ipfs",
    "tunnel", "tor", "dual-use-tool", "false-positive",
]  # fmt: skip
"""What a list says of a host. `judge.labels` says which are benign by themselves and which host anybody's files."""


Decided = Literal["", "malicious", "benign"]
"""What a person decided about a URL; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A body that the URL served. `status`: HTTP status of that answer, None for other protocols.

    `family`, `action` and `role` are what rules of analysis say of it, `rules` their names, `antivirus` ClamAV's name
    for it.
    """

    sha256: str
    kind: str
    architecture: str = ""
    interpreter: str = ""
    size: int = 0
    complete: bool = True
    status: int | None = None
    family: str = ""
    action: str = ""
    role: str = ""
    rules: tuple[str, ...] = ()
    packer: str = ""
    antivirus: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """One entry of a list that names the host, with the list's name."""

    kind: LabelKind
    list: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence about one URL.

    `sources`: distinct addresses of attackers that showed it (the operator's own tests are not among them).
    `asked`: a program in an attacker's session asked for it; `commanded`: a download command named it. `run`: what
    came was run, or made executable, in a session. `from_malicious`: it stands in a payload of a malicious URL.
    `carries_own_address`: an address or name of a sensor, or of ours, stands in it. `shown_first`: when
    each network that showed it did so first; `shown_days`: days with how many networks showed it on them. `secret`
    makes the delay of publication unpredictable for whoever named the URL; it must be the same at every judgement.
    `operator`: only the operator's tests showed it.
    `named_hosts`: how many hosts the least talkative of its sources has named. `protocols` are those of the sessions,
    `clients` who asked (wget, curl …). `techniques`: MITRE ATT&CK ids of those sessions. `first_online`, `last_online`:
    answers with content. `liveness` is what later checks say ("" where none was made).
    `decided` is what a person decided about it, `allowed` the entry of the operator's allow-list that has its host.
    """

    url: str
    host: str
    port: int
    scheme: str
    raw_address: bool
    first_seen: datetime
    secret: str
    sources: int = 0
    shown_first: tuple[datetime, ...] = ()
    shown_days: tuple[tuple[datetime, int], ...] = ()
    sightings: int = 0
    asked: bool = False
    commanded: bool = False
    run: bool = False
    from_malicious: bool = False
    held: bool = False
    carries_own_address: bool = False
    certainty: int = 0
    payloads: tuple[Payload, ...] = ()
    outcomes: tuple[str, ...] = ()
    observations: tuple[Observation, ...] = field(default=())
    labels: tuple[Label, ...] = field(default=())
    operator: bool = False
    named_hosts: int = 0
    protocols: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    campaign: str = ""
    first_online: datetime | None = None
    last_online: datetime | None = None
    liveness: str = ""
    decided: Decided = ""
    allowed: str = ""

"""What may be handed to a third party that looks at it: much less than what may be looked up.

Asked before a submission is queued, so that whoever asks for it reads why not, and again when it is sent, because
what is known of a URL changes while it waits.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from urltrap.egress.attack import attack_shape, other_service
from urltrap.intel.reputation.submitting import Submitter
from urltrap.judge.publication import for_everyone
from urltrap.judge.telltale import reveals
from urltrap.model.submission import Submission
from urltrap.model.url import Url, UrlError, parse_url
from urltrap.model.verdict import SubjectKind, VerdictName
from urltrap.pipeline.evidence import Gathered, gather
from urltrap.pipeline.judging import policy_of
from urltrap.pipeline.workshop import Workshop
from urltrap.quarantine import QuarantineError
from urltrap.recover.flags import flags_of
from urltrap.store.rows import url_key
from urltrap.store.schema import artifacts, captures, sightings, urls
from urltrap.store.schema_intel import names

LARGEST = 32_000_000
_SCHEMES = ("http", "https")
_MALWARE = frozenset({"elf", "script", "pe", "archive"})
_PROGRAMS = frozenset({"elf", "script", "pe"})
_SERVED_BY = 50


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not submitted: one sentence that says what would have to be otherwise. `until`: not before."""

    why: str
    until: datetime | None = None


def closed(workshop: Workshop) -> str:
    """Why nothing at all is submitted now; empty where it may be."""
    if not workshop.settings.intel.online:
        return "nobody outside is asked or told anything: intel.online is false"
    if workshop.settings.egress.mode != "fetch":
        return 'nothing leaves this machine: egress.mode is "record"'
    if workshop.shut():
        return "nothing leaves this machine: `urltrap egress on` opens the door again"
    return ""


def refusal(
    workshop: Workshop, connection: Connection, service: Submitter, wanted: Submission
) -> Refusal | None:
    """Why this one is not submitted to this service; None where it may be."""
    if wanted.subject_kind not in service.kinds:
        what = "payloads" if wanted.subject_kind == "sha256" else "this kind of thing"
        return Refusal(f"{service.to} takes no {what}, only URLs")
    automatic = wanted.asked_by == "automatic"
    if wanted.subject_kind == "url":
        return _of_url(workshop, connection, service, wanted.subject, automatic)
    return _of_payload(workshop, connection, service, wanted.subject)


def tags(workshop: Workshop, connection: Connection, kind: SubjectKind, subject: str) -> tuple[str, ...]:
    """What we say of it: family, architecture and kind of what it served. Nothing of sensors, sessions or sources."""
    if kind != "url":
        return ()
    item = gather(workshop, connection, [url_key(subject)]).get(url_key(subject))
    if item is None:
        return ()
    family = item.before.family
    found = [
        family,
        *(part for payload in item.evidence.payloads[:3] for part in (payload.architecture, payload.kind)),
    ]
    return tuple(dict.fromkeys(word.lower()[:40] for word in found if word and word.isascii()))[:6]


def _of_url(
    workshop: Workshop, connection: Connection, service: Submitter, text: str, automatic: bool
) -> Refusal | None:
    try:
        url = parse_url(text)
    except UrlError as error:
        return Refusal(f"this is no URL: {error}")
    key = url_key(text)
    item = gather(workshop, connection, [key]).get(key)
    if item is None:
        return Refusal(_unknown(connection, url))
    return (
        _of_its_text(workshop, connection, url, key)
        or _of_what_it_is(workshop, item)
        or _of_the_gate(workshop, item, automatic)
        or (_of_a_report(item) if service.reports else None)
    )


def _unknown(connection: Connection, url: Url) -> str:
    reverse = connection.execute(select(names.c.address).where(names.c.name == url.host).limit(1)).first()
    if reverse is not None:
        return (
            "its host is known here as the reverse name of an address only, and no attacker has shown the URL: a "
            "reverse name is no evidence"
        )
    return "no attacker has shown this URL here; only what was seen and fetched here is submitted"


def _of_its_text(workshop: Workshop, connection: Connection, url: Url, key: str) -> Refusal | None:
    """What can be told from the URL as it is written."""
    if url.scheme not in _SCHEMES:
        return Refusal(f"its scheme is {url.scheme}; services visit http and https only")
    marks = flags_of(url, url.text.encode(), workshop.context(), at_end=False)
    if marks:
        return Refusal(f"its host is not one to tell of: {', '.join(marks)}")
    if workshop.is_operator(url.host):
        return Refusal("its host is one of your own addresses (publish.operator_addresses)")
    shape = attack_shape(url.path) or other_service(url.scheme, url.port)
    if shape is not None:
        return Refusal(f"visiting it would be an attack itself: {shape}")
    raws = connection.execute(
        select(sightings.c.raw).where(sightings.c.url_key == key).distinct().limit(200)
    ).scalars()
    if any(_has_login(bytes(raw)) for raw in raws):
        return Refusal("it was shown with a log-in before its host")
    told = reveals(url.text)
    if told:
        return Refusal(f"it carries {told}")
    return None


def _of_what_it_is(workshop: Workshop, item: Gathered) -> Refusal | None:
    """What is known of the URL."""
    evidence, row = item.evidence, item.before
    if evidence.held:
        return Refusal("it is kept back here: neither fetched nor published")
    if evidence.operator:
        return Refusal("only your own addresses (publish.operator_addresses) have shown it")
    if evidence.allowed:
        return Refusal("its host is on your allow-list")
    if evidence.carries_own_address:
        return Refusal("an address or a name of ours stands in it")
    if "withheld" in evidence.outcomes:
        return Refusal("visiting it would be an attack itself")
    if "fetched" not in evidence.outcomes:
        return Refusal(
            "it has not been fetched here yet: what a third party's visit takes down would be lost"
        )
    allowed = workshop.settings.intel.submit.verdicts
    if row.verdict not in allowed:
        return Refusal(
            f"its verdict is {row.verdict or 'not reached yet'}; intel.submit.verdicts names {', '.join(allowed)}"
        )
    return None


def _of_the_gate(workshop: Workshop, item: Gathered, automatic: bool) -> Refusal | None:
    """What publication withholds goes to no third party either: a visit from there unmasks as much as a feed."""
    now, publish, row = workshop.now(), workshop.settings.publish, item.before
    malicious = row.verdict.startswith("malicious-")
    # What is not malicious is published nowhere; whether it would unmask a sensor is asked as if it were.
    supposed: VerdictName = row.verdict if malicious else "malicious-observed"
    policy = policy_of(workshop.settings)
    public = for_everyone(item.evidence, supposed, policy)
    if public is None:
        return Refusal(
            f"publication withholds it: it is not for everyone before {policy.networks} networks have shown it, "
            "and may have been made for this machine alone"
        )
    if public.after > now:
        return Refusal(f"publication withholds it until {public.after:%Y-%m-%d %H:%M} UTC", public.after)
    if malicious and row.confidence < publish.min_confidence:
        return Refusal(
            f"publication withholds it: its confidence is {row.confidence}, publish.min_confidence is "
            f"{publish.min_confidence}"
        )
    if automatic and row.published_at is None:
        return Refusal("it is not published yet")
    return None


def _of_a_report(item: Gathered) -> Refusal | None:
    """A service that publishes what it is told as malware is told only what is, by a payload of it."""
    if not item.before.verdict.startswith("malicious-"):
        return Refusal(
            f"its verdict is {item.before.verdict}, and what is reported there is published as malware"
        )
    if not any(
        payload.complete and payload.kind in _MALWARE and (payload.status or 200) < 400
        for payload in item.evidence.payloads
    ):
        return Refusal("no program, script or archive was fetched from it, which is what is reported there")
    if parse_url(item.evidence.url).path in ("", "/"):
        return Refusal("it has no path: a report would condemn the whole host")
    return None


def _of_payload(
    workshop: Workshop, connection: Connection, service: Submitter, sha256: str
) -> Refusal | None:
    row = connection.execute(
        select(artifacts.c.size, artifacts.c.kind).where(artifacts.c.sha256 == sha256)
    ).first()
    if row is None or not workshop.quarantine.exists(sha256):
        return Refusal("no such payload is kept here; see: urltrap artifacts")
    if row.kind not in _PROGRAMS:
        return Refusal("it is no program and no script: what else was caught may be somebody's data")
    if not 0 < row.size <= LARGEST:
        return Refusal(f"it has {row.size} bytes; up to {LARGEST} are taken")
    keys = list(
        connection.execute(
            select(captures.c.url_key)
            .join(urls, urls.c.key == captures.c.url_key)
            .where(captures.c.sha256 == sha256, captures.c.complete)
            .distinct()
            .limit(_SERVED_BY)
        ).scalars()
    )
    gathered = gather(workshop, connection, keys)
    why = Refusal(
        "no URL served it: what attackers put here themselves may hold data of this machine or its victims"
    )
    for item in gathered.values():
        found = _of_url(workshop, connection, service, item.evidence.url, automatic=False)
        if found is None:
            return _of_its_bytes(workshop, sha256, row.size)
        why = Refusal(f"{found.why} (of a URL that served it)", found.until)
    return why


def _of_its_bytes(workshop: Workshop, sha256: str, size: int) -> Refusal | None:
    try:
        body = workshop.quarantine.read(sha256, 0, size)
    except QuarantineError as error:
        return Refusal(f"it cannot be read: {error}")
    for address in workshop.own_addresses:
        parsed = ipaddress.ip_address(address)
        if not parsed.is_loopback and (
            address.encode() in body or (parsed.version == 6 and parsed.packed in body)
        ):
            return Refusal("an address of a sensor stands in it")
    return None


def _has_login(raw: bytes) -> bool:
    authority = raw.partition(b"://")[2] or raw
    return b"@" in re.split(rb"[/?#]", authority, maxsplit=1)[0]

"""What to ask whom about a URL, and how urgently: the payload's hash before the URL before its host.

One answer about a hash serves every URL that serves it. What is on a list of the benign is not asked about at all;
where anybody puts files, the host is not. Nothing here submits anything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from urltrap.intel.lists.index import BENIGN, SHARED
from urltrap.intel.reputation.asked import Asked
from urltrap.model.url import Url
from urltrap.model.verdict import SubjectKind
from urltrap.store.lookups import Question

HASH_NEW, URL_ONLINE, HASH_KNOWN, URL_OFFLINE, HOST, IP = 10, 20, 30, 40, 50, 55
"""Priorities, lowest first: a new payload without a family, a URL that is online and in no dump, …"""

LISTED_ALREADY = 25
"""Added where a dump lists the URL: others only confirm."""

_POSITIVE = timedelta(days=7)
_NEGATIVE = timedelta(hours=6)
_RETRIES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 1440))
_ASKED_SCHEMES = ("http", "https", "ftp")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a URL before anybody is asked. `labels`: kinds of its host's labels."""

    url: Url
    labels: frozenset[str] = frozenset()
    payloads: tuple[tuple[str, bool], ...] = ()
    """SHA-256 of what it served, and whether its family is known."""
    online: bool = False
    listed: bool = False
    unmasking: bool = False
    """An address of ours stands in it: showing it to others would tell them where the sensor is."""


def questions(providers: Iterable[Asked], known: Known) -> list[Question]:
    """The questions about a URL, its payloads and its host."""
    shared = bool(known.labels & SHARED)
    if known.labels & BENIGN and not shared:
        return []
    more = LISTED_ALREADY if known.listed else 0
    wanted: list[tuple[SubjectKind, str, int]] = [
        ("sha256", digest, (HASH_KNOWN if family else HASH_NEW) + more) for digest, family in known.payloads
    ]
    if not known.unmasking and known.url.scheme in _ASKED_SCHEMES:
        wanted.append(("url", known.url.text, (URL_ONLINE if known.online else URL_OFFLINE) + more))
    if not shared:
        host = known.url.host
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if "." in host:
                wanted.append(("host", host, HOST + more))
        else:
            if not address.is_global:
                return [question for question in _each(providers, wanted) if question.kind == "sha256"]
            wanted.append(("ip", str(address), IP + more))
    return _each(providers, wanted)


def _each(providers: Iterable[Asked], wanted: Sequence[tuple[SubjectKind, str, int]]) -> list[Question]:
    return [
        Question(provider.name, kind, subject, priority)
        for provider in providers
        for kind, subject, priority in wanted
        if kind in provider.kinds
    ]


def fresh_until(now: datetime, *, listed: bool, negatives: int) -> datetime:
    """How long an answer holds: listed 7 days; not listed 6 hours, doubling with each time to 7 days, because what is
    new gets listed late. `negatives`: times in a row that it was not listed before."""
    if listed:
        return now + _POSITIVE
    return now + min(_NEGATIVE * (1 << min(negatives, 10)), _POSITIVE)


def retry_at(now: datetime, attempts: int) -> datetime:
    """When a question that failed `attempts` times before is asked again: 1, 5, 30 min, 2, 6 h, then daily."""
    return now + _RETRIES[min(attempts, len(_RETRIES) - 1)]

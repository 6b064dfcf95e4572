"""Whose word is a listing, and whose makes a URL *malicious-confirmed*."""

from __future__ import annotations

import re
from collections.abc import Iterable

from urltrap.model.verdict import Observation

LEAST = 2
"""Engines of a multi-scanner that must agree. Its provider asks for three, or for two with a trusted one among them;
what it called a listing in a version that asked for less is none."""

_SCANNERS = ("virustotal",)
# They say that somebody mentioned it, or that an address misbehaves: context, but no judgement of a URL or payload.
_HINTS = ("otx", "urlscan", "abuseipdb", "greynoise", "internetdb", "isc", "hashlookup", "tweetfeed")
# Of these, the ones whose entry is a person's report of this very URL as malicious, which nobody verified.
_REPORTS = ("tweetfeed",)
_NEUTRAL = 50
"""hashlookup:trust of a file of which it knows one source; less means that it is doubted."""
_COUNT = re.compile(r"\s{0,4}(\d{1,4})\b")


def is_listing(item: Observation) -> bool:
    """Whether the observation is a listing. One engine of a multi-scanner never is ("1 of 94 engines")."""
    if item.result != "listed":
        return False
    if not item.provider.lower().startswith(_SCANNERS):
        return True
    count = _COUNT.match(item.detail)
    return count is None or int(count[1]) >= LEAST


def confirms(item: Observation) -> bool:
    """Whether its provider is one whose listing confirms."""
    return not item.provider.lower().startswith(_HINTS)


def reports(item: Observation) -> bool:
    """Whether it is somebody's unverified report of this URL itself: much for the confidence, nothing for a verdict."""
    return (
        item.result == "listed" and item.subject_kind == "url" and item.provider.lower().startswith(_REPORTS)
    )


def known_file(observations: Iterable[Observation], sha256: str) -> str:
    """What CIRCL hashlookup calls a payload that it knows as a file of a system or package; empty where it does not,
    or where it trusts it less than any other. Attackers fetch curl and busybox, too."""
    for item in observations:
        if item.provider != "hashlookup" or item.subject != sha256 or "known-file" not in item.tags:
            continue
        trust = next((tag.removeprefix("trust-") for tag in item.tags if tag.startswith("trust-")), "")
        if item.result == "not-listed" and not (trust.isdecimal() and int(trust) < _NEUTRAL):
            return item.detail.removeprefix("a known file: ") or "a known file"
    return ""

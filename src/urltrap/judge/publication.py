"""The publication gate: what may leave, from which moment on, with which times.

Two readers are told apart. Feeds for those whom the operator gave a log-in or a key (`publish_after`) carry a URL that
one source alone showed after a random while. Everyone (`for_everyone`: public pages, their API, feeds and export) sees
only what several independent networks showed: a URL that was made for one victim names that victim to whoever made
it, however late it comes out and however harmless it looks. What is told of such a URL, and when, must not hang on
any one network either, so its first and last days are those on which enough of them had shown it.
Source: Bethencourt, Franklin, Vernon, "Mapping Internet Sensors with Probe Response Attacks", USENIX Security 2005.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from urltrap.judge.engines import confirms, is_listing
from urltrap.judge.evidence import Evidence
from urltrap.judge.unmasking import LONGEST, looks_made_for_one
from urltrap.model.verdict import VerdictName

VERSION = "1"
"""Of these rules; another one has everything malicious judged again."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's choices for everyone: `networks` that must have shown a URL, `alone`: whether one is enough
    after a while (then whoever shows a URL to one machine alone and finds it published knows what that machine is)."""

    delay_minutes: tuple[int, int]
    networks: int = 2
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Publicity:
    """A URL that is for everyone: from `after` on, with its first and last day (whole days)."""

    after: datetime
    first: datetime
    last: datetime


def publish_after(
    evidence: Evidence, verdict: VerdictName, at: datetime, delay_minutes: tuple[int, int]
) -> datetime | None:
    """The moment from which the URL may be in a feed for known readers; None: never as things stand.

    At once where it is corroborated (two source addresses, or listed elsewhere). Else a while after it was first seen,
    between the two bounds, unless it looks like a token: whoever shows a URL to one sensor alone and watches the feeds
    must not learn from the moment of publication which machine the sensor is.
    """
    if not _may_leave(evidence, verdict):
        return None
    listed = any(
        is_listing(item) and confirms(item) and item.subject_kind == "url" for item in evidence.observations
    )
    if evidence.sources >= 2 or listed:
        return at
    if looks_made_for_one(evidence.url):
        return None
    return evidence.first_seen + _while(evidence, delay_minutes)


def for_everyone(evidence: Evidence, verdict: VerdictName, policy: Policy) -> Publicity | None:
    """From when on everyone may see the URL, and with which days; None: not as things stand.

    That others list it is no corroboration here: whoever gave each of many machines another listed URL would see which
    one came out.
    """
    if not _may_leave(evidence, verdict):
        return None
    enough = policy.networks
    if len(evidence.shown_first) >= enough:
        corroborated = sorted(evidence.shown_first)[enough - 1]
        after = corroborated + _while(evidence, policy.delay_minutes, "everyone")
        # Not the newest sighting, nor the one before it: either moves when somebody alone shows an old URL again.
        crowded = (day for day, networks in evidence.shown_days if networks >= enough)
        first = _day(corroborated)
        return Publicity(after, first, max((first, *crowded)))
    if policy.alone and not looks_made_for_one(evidence.url):
        after = evidence.first_seen + _while(evidence, policy.delay_minutes, "everyone")
        return Publicity(after, _day(after), _day(after))
    return None


def blurred(count: int, secret: bytes, name: str) -> int:
    """A figure for everyone: two leading digits, cut down from a place that `secret` moves, so that nobody can add one
    and see it. Under ten: 0."""
    if count < 10:
        return 0
    step = int(10 ** max(1, len(str(count)) - 2))
    moved = _fraction(secret, f"figure\0{name}\0{step}") * step
    return max(10, int((count - moved) // step) * step)


def enough_sources(count: int, least: int, secret: bytes, name: str) -> bool:
    """Whether so many sources are enough to show what they share: for each name `least` or a secret few more."""
    return count >= least + int(_fraction(secret, f"least\0{name}") * least)


def _may_leave(evidence: Evidence, verdict: VerdictName) -> bool:
    return (
        verdict.startswith("malicious-")
        and not evidence.held
        and not evidence.operator
        and not evidence.carries_own_address
        and len(evidence.url) <= LONGEST
    )


def _while(evidence: Evidence, delay_minutes: tuple[int, int], reader: str = "") -> timedelta:
    """A while between the bounds, from the URL and `evidence.secret`: nobody outside can work it out, and judging
    again, or making the store anew, gives the same one."""
    shortest, longest = delay_minutes
    label = f"\0{reader}" if reader else ""
    fraction = _fraction(evidence.secret.encode(), f"{evidence.url}{label}")
    return timedelta(minutes=shortest + (longest - shortest) * fraction)


def _fraction(secret: bytes, name: str) -> float:
    """A number in [0, 1) that a secret gives to a name."""
    digest = hashlib.sha256(secret + b"\0" + name.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)

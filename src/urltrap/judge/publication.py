"""When a malicious URL may be published."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from urltrap.judge.engines import confirms, is_listing
from urltrap.judge.evidence import Evidence
from urltrap.model.verdict import VerdictName


def publish_after(
    evidence: Evidence, verdict: VerdictName, at: datetime, delay_minutes: tuple[int, int]
) -> datetime | None:
    """The moment from which the URL may be in a feed; None: never as things stand.

    At once where it is corroborated (two source addresses, or listed elsewhere). Else a while after it was first seen,
    between the two bounds: whoever shows a URL to one sensor alone and watches the feeds must not learn from the
    moment of publication which machine the sensor is. The while comes from the URL and `evidence.secret`, so that
    judging again, or rebuilding the store, gives the same moment.
    """
    if (
        evidence.held
        or evidence.operator
        or evidence.carries_own_address
        or not verdict.startswith("malicious-")
    ):
        return None
    listed = any(
        is_listing(item) and confirms(item) and item.subject_kind == "url" for item in evidence.observations
    )
    if evidence.sources >= 2 or listed:
        return at
    shortest, longest = delay_minutes
    digest = hashlib.sha256(f"{evidence.secret}\0{evidence.url}".encode()).digest()
    fraction = int.from_bytes(digest[:8], "big") / 2**64
    return evidence.first_seen + timedelta(minutes=shortest + (longest - shortest) * fraction)

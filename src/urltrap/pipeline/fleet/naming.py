"""What becomes of a sensor's records at the collector: names that cannot meet those of another sensor.

A sensor is believed what happened on it, never who it is: its name comes from its credential.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from datetime import datetime
from typing import Any

from urltrap.model.ids import new_ulid, ulid_time_ms

REFUSED = {"decision.made"}
"""Kinds that no sensor may send: people decide on the collector."""


def fleet_session(sensor: str, session: str) -> str:
    """The id of a sensor's session at the collector: the same moment, and a hash of both names behind it.

    Two sensors with the same ids (a cloned machine, or one that lies) stay apart; the same one always gives the same.
    """
    try:
        moment = ulid_time_ms(session)
        return new_ulid(moment, hashlib.sha256(f"{sensor}\0{session}".encode()).digest()[:10])
    except ValueError:
        # Followed logs of other honeypots have ids of their own form.
        return hashlib.sha256(f"{sensor}\0{session}".encode()).hexdigest()[:40]


def renamed(sensor: str, record: bytes, latest: datetime) -> bytes | None:
    """A record as the collector keeps it; None for one that is no event or that a sensor may not send.

    Works on the JSON, so that an event of a kind that only a newer version knows is kept as well. Nothing happened
    later than `latest`, whatever the sensor's clock said: one wrong clock would be the newest event of the whole fleet
    for years.
    """
    try:
        body: Any = json.loads(record)
        if not isinstance(body, dict) or body.get("kind") in REFUSED:
            return None
        session = body["session"]
        if not isinstance(session, str) or not session.isascii():
            return None
        body["session"] = fleet_session(sensor, session)
        if "sensor" in body:
            # "campus-1/ssh": which machine, and which of its services.
            body["sensor"] = f"{sensor}/{body['sensor']}"[:80]
        _bound(body, latest)
        capture = body.get("capture")
        if isinstance(capture, dict):
            _bound(capture, latest)
        for each in (body, capture):
            if isinstance(each, dict) and isinstance(each.get("for_session"), str) and each["for_session"]:
                each["for_session"] = fleet_session(sensor, each["for_session"])
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except (ValueError, KeyError, RecursionError):
        return None


def _bound(body: dict[str, Any], latest: datetime) -> None:
    for name in ("at", "since"):
        moment = body.get(name)
        if isinstance(moment, str):
            with contextlib.suppress(ValueError, TypeError):  # no moment: decoding it says so
                if datetime.fromisoformat(moment) > latest:
                    body[name] = latest.isoformat()

"""The fleet at a glance: what is known of every sensor."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from urltrap.model.base import Model, Utc
from urltrap.pipeline.fleet.beats import SILENT_AFTER, Beats, Heard
from urltrap.pipeline.fleet.marks import list_marks
from urltrap.store import Store


class SensorState(Model):
    """One sensor. `lag_seconds`: how old the oldest event is that it has and the store has not, when last heard;
    `clock_off_seconds`: how far its clock is ahead, 0 where it is about right."""

    name: str
    state: Literal["up", "silent", "never heard", "removed"]
    version: str = ""
    heard_at: Utc | None = None
    lag_seconds: float | None = None
    waiting_bytes: int | None = None
    last_event: Utc | None = None
    clock_off_seconds: float = 0
    compacted_sessions: int = 0
    dropped_segments: int = 0
    complaint: str = ""


def fleet_overview(names: Iterable[str], beats: Beats, store: Store, now: datetime) -> list[SensorState]:
    """Sensors that may send (`names`), and those that once did. StoreError."""
    known = set(names)
    newest: dict[str, datetime] = {}
    for mark in list_marks(store):
        newest[mark.sensor] = max(mark.newest, newest.get(mark.sensor, mark.newest))
    return [
        _state(name, name in known, beats.get(name), newest.get(name), now)
        for name in sorted(known | set(newest))
    ]


def _state(
    name: str, known: bool, heard: Heard | None, newest: datetime | None, now: datetime
) -> SensorState:
    if heard is None:
        return SensorState(name=name, state="never heard" if known else "removed", last_event=newest)
    beat = heard.beat
    return SensorState(
        name=name,
        state="removed" if not known else "silent" if now - heard.at > SILENT_AFTER else "up",
        version=beat.version,
        heard_at=heard.at,
        # Both by the sensor's own clock, whatever that says.
        lag_seconds=0
        if beat.waiting_since is None
        else max(0, (beat.at - beat.waiting_since).total_seconds()),
        waiting_bytes=beat.waiting_bytes,
        last_event=newest,
        clock_off_seconds=heard.clock_off.total_seconds(),
        compacted_sessions=beat.compacted_sessions,
        dropped_segments=beat.dropped_segments,
        complaint=beat.complaint,
    )

"""What a session was, all in all."""

from __future__ import annotations

from typing import Literal

from urltrap.model.base import Model, RawBytes, Utc
from urltrap.model.event import Protocol

SessionClass = Literal["flood", "probe", "brute-force", "login-only", "interactive", "dropper", "upload"]
"""What a session did at most, so that counters mean something:

flood (shed or one of a burst), probe (no log-in try), brute-force (tries, none accepted), login-only (accepted, no
command), interactive (commands), dropper (asked for a URL), upload (sent a file).
"""


class SessionSummary(Model):
    """One attacker connection on one sensor, from connect to close, as lists show it."""

    id: str
    sensor: str
    protocol: Protocol
    src_ip: str
    src_port: int
    started: Utc
    ended: Utc | None = None
    duration_ms: int | None = None
    classed: SessionClass
    client: RawBytes = b""
    hassh: str = ""
    username: RawBytes | None = None
    password: RawBytes | None = None
    login_tries: int = 0
    commands: int = 0
    urls: int = 0
    artifacts: int = 0
    country: str = ""
    asn: int | None = None
    network: str = ""
    close_reason: str = ""

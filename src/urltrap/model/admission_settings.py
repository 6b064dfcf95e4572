"""Settings of the sensors' doors: how many connections of whom are served, and what one may send before log-in."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from urltrap.model.base import Model


class AdmissionSettings(Model):
    """Limits of one trap process, per source (an address, of IPv6 a /64) and network (a /24, of IPv6 a /48)."""

    per_second: float = Field(
        default=20, gt=0, description="new connections per source that are served for long"
    )
    burst: float = Field(default=1000, ge=1, description="and so many at once, after a pause")
    network_factor: float = Field(
        default=4, ge=1, description="a network may do so many times what a source may"
    )
    startups: tuple[int, int, int] = Field(
        default=(200, 30, 800),
        description="connections not logged in: from the first number on sources that have some are dropped with this "
        "chance in percent, and all of theirs at the last (sshd's MaxStartups); newcomers get the oldest one's place",
    )
    bytes_before_login: int = Field(
        default=1_000_000, ge=65_536, description="bytes that a connection may send without logging in"
    )
    memory_bytes: int = Field(
        default=600_000_000,
        ge=0,
        description="resident memory of a trap process above which newcomers only take others' places; 0: no limit",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        begin, percent, full = self.startups
        if not (0 < begin < full and 0 <= percent <= 100):
            raise ValueError(
                "startups is begin, percent, full, with 0 < begin < full and a percent of 0 to 100"
            )
        return self

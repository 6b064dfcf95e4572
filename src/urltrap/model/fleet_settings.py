"""Settings of a fleet: how a sensor ships its journal, and how a collector takes it in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from urltrap.model.base import Model
from urltrap.model.intel_settings import Secret

_NONE = SecretStr("")
_OptionalAddress = Annotated[str, Field(pattern=r"^((\[[0-9A-Fa-f:.]*\]|[^\[\]:\s]*):\d{1,5})?$")]


class ShipSettings(Model):
    """What makes a machine a thin sensor: its journal is the spool of a collector elsewhere."""

    ship: str = Field(
        default="",
        pattern=r"^((https|nats)://\S+)?$",
        description="collector's https://HOST:PORT or broker's nats://HOST:PORT; set: no pipeline, store or site here",
    )
    ship_token: Secret = Field(default=_NONE, description="what `urltrap fleet add NAME` printed")
    ship_fingerprint: str = Field(
        default="",
        pattern=r"^([0-9A-Fa-f]{64})?$",
        description="SHA-256 of the collector's certificate; empty: an authority has to vouch for it (https)",
    )
    ship_ca: str = Field(
        default="", description="file of the authority that vouches; empty: those of the system"
    )
    spool_hours: float = Field(
        default=24, gt=0, description="what the collector has is kept on the sensor for so long"
    )
    spool_bytes: int = Field(
        default=4_000_000_000,
        ge=1_000_000,
        description="size of the spool; above it floods are summed up first, oldest first, then the oldest goes",
    )


class FleetSettings(Model):
    """What makes a machine a collector: sensors elsewhere send it their journals."""

    listen: _OptionalAddress = Field(
        default="", description='address for sensors by HTTPS, e.g. "0.0.0.0:8443"; empty: none'
    )
    address: str = Field(
        default="", description="how sensors reach it, e.g. https://collector.example:8443 or nats://…"
    )
    certificate: str = Field(default="", description="PEM file; empty: one of our own, which sensors pin")
    key: str = Field(default="", description="PEM file of its key")
    nats: str = Field(
        default="",
        pattern=r"^(nats://\S+)?$",
        description="broker nats://HOST:PORT with JetStream and TLS; empty: none",
    )
    nats_ca: str = Field(default="", description="file of the authority that vouches for the broker")
    processes: int = Field(default=1, ge=1, le=16, description="collector processes of this machine")
    only: bool = Field(
        default=False, description="nothing but collecting: no trap, pipeline, site or backup here"
    )

    @property
    def any(self) -> bool:
        """Whether this machine collects."""
        return bool(self.listen or self.nats)

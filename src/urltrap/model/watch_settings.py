"""Settings of what watches the installation: metrics and alerts."""

from __future__ import annotations

from pydantic import Field

from urltrap.model.base import Model

_ADDRESS = r"^(\[[0-9A-Fa-f:.]*\]|[^\[\]:\s]*):\d{1,5}$"


class MetricsSettings(Model):
    """Figures for Prometheus. Keep them off every address that a sensor listens on."""

    enabled: bool = Field(default=True, description="whether they are served")
    listen: str = Field(default="127.0.0.1:9464", pattern=_ADDRESS, description="address to listen on")


class CanarySettings(Model):
    """The synthetic attacker, which shows that everything from the door to the database works."""

    enabled: bool = Field(default=True, description="whether it comes")
    every_seconds: float = Field(default=60, ge=5, le=300, description="time between two visits")


class AlertSettings(Model):
    """Messages to the operator when something is wrong."""

    targets: list[str] = Field(
        default=[],
        description='where to, in the form of apprise: ["mailtos://user:password@example.org"]; empty: the log only',
    )
    repeat_hours: float = Field(default=24, gt=0, description="what lasts is told again this often")

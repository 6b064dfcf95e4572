"""The settings of payload analysis."""

from __future__ import annotations

from pydantic import Field

from urltrap.model.base import Model


class AnalysisSettings(Model):
    """What looks at payloads, beside our own analysis and the rules in DATA/yara.d/."""

    clamd: str = Field(
        default="",
        pattern=r"^$|^/.+$|^(\[[0-9A-Fa-f:.]+\]|[^\[\]:\s/]+):\d{1,5}$",
        description="clamd to scan payloads with: HOST:PORT, or the path of its Unix socket; empty: none",
    )
    memory_bytes: int = Field(
        default=700_000_000, ge=200_000_000, description="memory of the process that looks at payloads"
    )
    seconds: int = Field(default=20, ge=1, le=600, description="processor time for one payload")

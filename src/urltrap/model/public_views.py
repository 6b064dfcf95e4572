"""What everyone may see of URLs, payloads and attackers: as pages, files of the export and the public API show it.

Nothing here says when, where or by whom something was seen, beyond whole days and "by several".
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from urltrap.model.base import Model, Utc
from urltrap.model.verdict import FalsePositiveRisk, VerdictName

AxisName = Literal[
    "verdict", "action", "role", "target", "delivery", "hosting", "lifecycle", "kind", "family"
]


class PublicUrl(Model):
    """One URL. `url` is as it is written, active; `first` and `last` are the days on which enough independent networks
    had shown it."""

    id: str = Field(description="SHA-256 of the URL")
    url: str
    host: str
    port: int
    scheme: str
    first: Utc
    last: Utc
    verdict: VerdictName
    confidence: int
    reasons: list[str] = Field(description="codes of our own reasons, weightiest first")
    action: str = ""
    role: str = ""
    target: str = ""
    delivery: str = ""
    hosting: str = ""
    lifecycle: str = ""
    family: str = ""
    fp_risk: FalsePositiveRisk = "medium"
    techniques: list[str] = []
    kind: str = ""
    sha256: str | None = Field(
        default=None, description="its payload, where more than one capture gave the same"
    )
    listed: int = Field(default=0, description="how many other sources name it too")
    days_first: int | None = Field(
        default=None, description="days for which it was known here before the first other source named it"
    )


class PublicPayload(Model):
    """One payload of such URLs."""

    sha256: str
    md5: str
    sha1: str
    size: int
    kind: str
    architecture: str
    family: str
    first: Utc
    last: Utc
    urls: list[str] = Field(description="ids of the URLs that serve it")


class PublicUrlWithPayload(PublicUrl):
    """One URL with what is known of its payload."""

    payload: PublicPayload | None = None


class PublicCountry(Model):
    """Roughly how many attackers' addresses a country has, where they are enough not to point at one."""

    country: str
    addresses: int


class PublicWord(Model):
    """A user name or password that enough addresses tried; `many` says roughly how many: 5, 10, 50 or 100 and more."""

    value: str
    many: int


class PublicFigures(Model):
    """Figures for everyone, each rough enough that nobody can add one and see it."""

    addresses: int = 0
    countries: list[PublicCountry] = []
    usernames: list[PublicWord] = []
    passwords: list[PublicWord] = []

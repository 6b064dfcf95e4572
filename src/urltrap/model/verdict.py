"""Observations of others and verdicts of ours."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from urltrap.model.base import Model, Utc

SubjectKind = Literal["url", "host", "ip", "sha256"]
ObservationResult = Literal["listed", "not-listed", "error"]
VerdictName = Literal["malicious-confirmed", "malicious-observed", "suspicious", "benign-context", "unknown"]


class Observation(Model):
    """One answer of one reputation provider about one URL, host, IP or hash: listed, not listed, or error."""

    provider: str
    subject_kind: SubjectKind
    subject: str
    at: Utc
    result: ObservationResult
    detail: str = ""
    tags: list[str] = []
    reference: str = ""


class Place(Model):
    """Where an address is, offline, each fact with its source. Empty means unknown; never 0,0."""

    country: str = ""
    city: str = ""
    latitude: float | None = None
    longitude: float | None = None
    asn: int | None = None
    network: str = ""
    sources: list[str] = []


class Reason(Model):
    """One reason of a verdict, in words that a person reads; `weight` is what it added to the confidence."""

    code: str
    text: str
    weight: int


class Verdict(Model):
    """Our judgement of a URL, with a confidence 0–100 and the reasons that led to it."""

    url: str
    verdict: VerdictName
    confidence: int = Field(ge=0, le=100)
    reasons: list[Reason]
    at: Utc
    rules: str = Field(description="version of the rules that judged")
    publish_after: Utc | None = Field(default=None, description="not published before; None: withheld")

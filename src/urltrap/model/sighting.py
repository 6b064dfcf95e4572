"""Sightings: one observation of one URL in one event, with how it was recovered."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from urltrap.model.base import Model, RawBytes, Utc

Recovery = Literal["word", "regex", "asked", "program", "wire"]
"""How a URL came out: a shell word, plain text, a program that asked for it, execution in the machine, the wire."""

UrlFlag = Literal["truncated", "private", "own-sensor", "placeholder", "victim-token", "operator"]
"""Why a sighting is kept but neither captured nor published."""


UrlKind = Literal["payload", "callback", "pool", "reference"]
"""What a URL is to the text: fetched; called back to (reverse shells, C2); a mining pool; only told or mentioned."""


class Recovered(Model):
    """A URL found in a text: canonical form, raw bytes as written, where and how.

    `span` are byte offsets into the text. `confidence` 0–100 that this is something the text would fetch.
    `conditional`: only asked for on one of several branches. `runtime`: a part of it is only known on the victim's
    machine and shown as ``{what it is}``. `client`, `user_agent` and `output` are who would ask,
    how, and for which file.
    """

    url: str
    raw: RawBytes
    span: tuple[int, int]
    method: Recovery
    chain: list[str] = []
    client: str = ""
    confidence: int = Field(ge=0, le=100)
    flags: list[UrlFlag] = []
    kind: UrlKind = "payload"
    conditional: bool = False
    runtime: bool = False
    output: str = ""
    user_agent: RawBytes = b""


class Sighting(Model):
    """A `Recovered` URL tied to the event that held it."""

    event_id: str
    session: str
    at: Utc
    recovered: Recovered
    parent_sha256: str | None = None

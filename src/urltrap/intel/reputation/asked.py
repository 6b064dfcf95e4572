"""What a provider is that is asked one question at a time, over the network."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

from urltrap.intel.dns import Resolver
from urltrap.intel.http import HttpClient, Reply
from urltrap.model.intel_settings import IntelSettings
from urltrap.model.url import Url, parse_url
from urltrap.model.verdict import Observation, SubjectKind

Span = Literal["minute", "hour", "day", "month"]
Tier = Literal["dns", "keyless", "metered"]


@dataclass(frozen=True, slots=True)
class Hashes:
    """The hashes of one payload; empty where unknown."""

    md5: str = ""
    sha1: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about: a canonical URL, a host name, an address, or the SHA-256 of a payload."""

    kind: SubjectKind
    value: str
    hashes: Hashes = Hashes()

    @property
    def url(self) -> Url:
        """The parts of a URL."""
        return parse_url(self.value)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider says: listed or not listed. An error is never an answer but an exception."""

    listed: bool
    detail: str = ""
    tags: tuple[str, ...] = ()
    reference: str = ""
    since: datetime | None = None

    def observation(self, provider: str, subject: Subject, at: datetime) -> Observation:
        """The answer as it is kept."""
        return Observation(
            provider=provider,
            subject_kind=subject.kind,
            subject=subject.value,
            at=at,
            result="listed" if self.listed else "not-listed",
            detail=self.detail[:500],
            tags=[tag[:80] for tag in self.tags if tag][:20],
            reference=self.reference[:500],
            since=self.since,
        )


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a provider says of its own quota: requests of a span, and how many are used (None: unknown)."""

    span: Span
    most: int
    used: int | None = None


@dataclass
class Tools:
    """What one question is asked with; `replies` are those that came, for what their headers say of quotas."""

    http: HttpClient
    dns: Resolver
    settings: IntelSettings = field(default_factory=IntelSettings)
    replies: list[Reply] = field(default_factory=list)

    async def ask(self, method: str, url: str, **named: Any) -> Reply:
        """HttpClient.ask, with the reply noted."""
        reply = await self.http.ask(method, url, **named)
        self.replies.append(reply)
        return reply

    def key(self, name: str) -> str:
        """The operator's key of this name; empty where there is none."""
        value: str = getattr(self.settings.keys, name).get_secret_value()
        return value


class Service:
    """Somebody outside who is reached over the network, within a quota. Subclasses say who.

    `name`: of its questions and its quota in the store. `key`: the field of intel.keys that it needs (`key_needed`)
    or can use. `limits`: what it allows, until it says better itself.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[SubjectKind]]
    key: ClassVar[str] = ""
    key_needed: ClassVar[bool] = False
    contact_needed: ClassVar[bool] = False
    limits: ClassVar[Mapping[Span, int]] = {}
    default_base: ClassVar[str] = ""

    def __init__(self, base: str = "") -> None:
        self.base = base or self.default_base

    def usable(self, settings: IntelSettings) -> str:
        """Why it cannot be reached with these settings; empty where it can."""
        if self.name in settings.skip:
            return "in intel.skip"
        if self.key_needed and not getattr(settings.keys, self.key).get_secret_value():
            return f"needs intel.keys.{self.key}"
        if self.contact_needed and not settings.contact:
            return "needs intel.contact"
        return ""

    def config(self, settings: IntelSettings) -> str:
        """Fingerprint of the configuration, so that a refused one is told from a new one. It tells no key."""
        key = getattr(settings.keys, self.key).get_secret_value() if self.key else ""
        return hashlib.sha256(f"{self.name}\0{self.base}\0{key}".encode()).hexdigest()[:16]

    async def allowances(self, tools: Tools) -> list[Allowance]:
        """The quota as the provider itself tells it, where it does."""
        return []

    def from_headers(self, reply: Reply) -> list[Allowance]:
        """The quota that came with an answer."""
        return []


class Asked(Service):
    """A provider that is asked. Subclasses say what they know of and how they are asked; look-up only, never submit.

    `tier`: dns, keyless or metered, the order in which providers are asked.
    """

    tier: ClassVar[Tier]
    needs_hashes: ClassVar[bool] = False
    """Whether a payload is asked about by its MD5 or SHA-1."""

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """One question. Raises ProviderError kinds: an error is never "not listed"."""
        raise NotImplementedError


def is_address(value: str) -> bool:
    """Whether a host is an address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True

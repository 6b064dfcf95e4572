"""Everything that everyone may see, held in memory: pages are made of it, never of the store."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, get_args

import structlog

from urltrap.judge.publication import blurred, enough_sources
from urltrap.judge.unmasking import Unmasking
from urltrap.model.public_views import (
    AxisName,
    PublicCountry,
    PublicFigures,
    PublicPayload,
    PublicUrl,
    PublicWord,
)
from urltrap.model.settings import Settings
from urltrap.site.public.campaigns import PublicCampaign, campaigns_of
from urltrap.store import Store, StoreError
from urltrap.store.queries import public as queries

AXES: tuple[AxisName, ...] = get_args(AxisName)
KEPT = 30.0
"""Seconds for which a snapshot is what it was."""
FIGURES_KEPT = 3600.0
LEAST_ADDRESSES = 5
"""Addresses that must share a word or a country before it is told; in truth a secret few more."""

_STEPS = (100, 50, 10, 5)
_WORDS = 20
_ANYBODYS = frozenset({"localhost", "localdomain"})
"""Names that machines have by themselves: they tell nothing of whose it is."""
_PLAIN_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){0,80}")

log = structlog.get_logger("public")


def slug(value: str) -> str:
    """A value in a file's name: as it is where that is harmless, else what of it is, with a piece of its hash."""
    if _PLAIN_SLUG.fullmatch(value) and not value.endswith((".", "-")):
        return value
    mark = hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:10]
    rest = re.sub(r"[^a-z0-9]+", "-", value.lower())[:40].strip("-")
    return f"{rest}-{mark}" if rest else mark


@dataclass(frozen=True)
class Snapshot:
    """What everyone may see at one moment. `made`: when it came to be as it is, in whole seconds."""

    urls: list[PublicUrl]
    payloads: dict[str, PublicPayload]
    figures: PublicFigures
    made: datetime
    digest: str

    @cached_property
    def by_id(self) -> dict[str, PublicUrl]:
        """URLs by their ids."""
        return {url.id: url for url in self.urls}

    @cached_property
    def lowered(self) -> list[str]:
        """The URLs in lower case, for looking for a part of one."""
        return [url.url.lower() for url in self.urls]

    @cached_property
    def by_host(self) -> dict[str, list[PublicUrl]]:
        """URLs by the slug of their host."""
        return _grouped((slug(url.host), url) for url in self.urls)

    @cached_property
    def by_family(self) -> dict[str, list[PublicUrl]]:
        """URLs by the slug of their family."""
        return _grouped((slug(url.family), url) for url in self.urls if url.family)

    @cached_property
    def campaigns(self) -> dict[str, PublicCampaign]:
        """Campaigns by their ids."""
        return campaigns_of(self.urls)

    @cached_property
    def campaign_of(self) -> dict[str, str]:
        """The campaign's id by the id of a URL in it."""
        return {url.id: campaign.id for campaign in self.campaigns.values() for url in campaign.urls}

    @cached_property
    def by_value(self) -> dict[AxisName, dict[str, list[PublicUrl]]]:
        """URLs by axis and value."""
        return {
            axis: _grouped((str(getattr(url, axis)), url) for url in self.urls if getattr(url, axis))
            for axis in AXES
        }

    @cached_property
    def by_browse(self) -> dict[str, tuple[AxisName, str, list[PublicUrl]]]:
        """Axis, value and URLs by the name of their page."""
        return {
            f"{axis}-{slug(value)}": (axis, value, its)
            for axis, values in self.by_value.items()
            for value, its in values.items()
        }

    @cached_property
    def seen_first(self) -> list[PublicUrl]:
        """URLs that were known here at least a day before others named them."""
        return [url for url in self.urls if url.days_first]

    @cached_property
    def per_day(self) -> Counter[datetime]:
        """URLs by their first day."""
        return Counter(url.first for url in self.urls)


def _grouped(pairs: Iterable[tuple[str, PublicUrl]]) -> dict[str, list[PublicUrl]]:
    found: dict[str, list[PublicUrl]] = {}
    for key, url in pairs:
        found.setdefault(key, []).append(url)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def _are_the_same(found: queries.Public, figures: PublicFigures, before: Snapshot) -> bool:
    """Whether what was read is what a snapshot has: URLs that have not changed are the same objects."""
    return (
        len(found.urls) == len(before.urls)
        and all(one is other for one, other in zip(found.urls, before.urls, strict=True))
        and found.payloads == before.payloads
        and figures == before.figures
    )


@dataclass
class Source:
    """Makes snapshots of a store. `secret`: the installation's; `own`: addresses and names of this machine."""

    store: Store
    settings: Settings
    secret: bytes
    now: Callable[[], datetime]
    own: frozenset[str] = frozenset()
    kept: float = KEPT
    figures_kept: float = FIGURES_KEPT
    known: tuple[str, datetime] | None = None
    """Digest of an earlier snapshot, and when it came to be so."""
    kept_up: bool = False
    """Whether somebody asks for snapshots in the background: then readers take the one that there is."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _snapshot: Snapshot | None = None
    _known_urls: dict[tuple[Any, ...], PublicUrl] = field(default_factory=dict)
    _read_at: float = float("-inf")
    _figures: PublicFigures | None = None
    _figures_at: float = float("-inf")

    def snapshot(self, prepare: Callable[[Snapshot], None] = lambda made: None) -> Snapshot:
        """The newest one, KEPT seconds old at most. One thread makes it anew; the others get the one before meanwhile.

        `prepare` is called with a new one before anybody else gets it. Where the store is away the one before is given;
        raises StoreError where there is none yet.
        """
        found = self._snapshot
        if found is not None and time.monotonic() - self._read_at < self.kept:
            return found
        if not self._lock.acquire(blocking=found is None):
            assert found is not None
            return found
        try:
            if self._snapshot is not None and time.monotonic() - self._read_at < self.kept:
                return self._snapshot
            try:
                made = self._read()
                if made is not self._snapshot:
                    prepare(made)
                self._snapshot = made
            except StoreError as error:
                if self._snapshot is None:
                    raise
                log.warning("the store does not answer, showing what was read before", problem=str(error))
            self._read_at = time.monotonic()
            return self._snapshot
        finally:
            self._lock.release()

    @property
    def digest(self) -> str:
        """That of the newest snapshot; empty before the first."""
        return self._snapshot.digest if self._snapshot else ""

    @property
    def is_fresh(self) -> bool:
        """Whether the newest snapshot may be shown without looking at the store."""
        return time.monotonic() - self._read_at < (10 * self.kept if self.kept_up else self.kept)

    def empty(self) -> Snapshot:
        """One with nothing in it, for pages that show nothing of the store."""
        return self._snapshot or Snapshot([], {}, PublicFigures(), self.now().replace(microsecond=0), "")

    def _read(self) -> Snapshot:
        hidden = self.unmasking()
        publish = self.settings.publish
        found = queries.read(self.store, self.now(), publish.min_confidence, hidden.carries, self._known_urls)
        self._known_urls = found.known
        if self._figures is None or time.monotonic() - self._figures_at >= self.figures_kept:
            self._figures, self._figures_at = self._make_figures(hidden), time.monotonic()
        before = self._snapshot
        if before is not None and _are_the_same(found, self._figures, before):
            return before
        digest = hashlib.sha256(self._figures.model_dump_json().encode())
        for url in found.urls:
            digest.update(url.model_dump_json().encode())
        for payload in found.payloads.values():
            digest.update(payload.model_dump_json().encode())
        if before is not None and before.digest == digest.hexdigest():
            return before
        made = self.now().replace(microsecond=0)
        if self.known is not None and self.known[0] == digest.hexdigest():
            made = self.known[1]
        return Snapshot(found.urls, found.payloads, self._figures, made, digest.hexdigest())

    def unmasking(self) -> Unmasking:
        """What must stand in nothing that is published: addresses of this machine and of sensors, names of both."""
        settings = self.settings
        listens = [*settings.sensors.ssh.listen, *settings.sensors.telnet.listen]
        known = {*self.own, *settings.public.hidden}
        names = {text for text in known if ":" not in text and not text.replace(".", "").isdigit()}
        return Unmasking({*known, *(text.rpartition(":")[0] for text in listens)}, names - _ANYBODYS)

    def _make_figures(self, hidden: Unmasking) -> PublicFigures:
        total, by_country = queries.address_counts(self.store)
        countries = [
            PublicCountry(
                country=country, addresses=max(LEAST_ADDRESSES, self._blurred(count, f"country {country}"))
            )
            for country, count in by_country.items()
            if enough_sources(count, LEAST_ADDRESSES, self.secret, f"country {country}")
        ]
        countries.sort(key=lambda row: (-row.addresses, row.country))
        return PublicFigures(
            addresses=self._blurred(total, "addresses"),
            countries=countries,
            usernames=self._words("username", hidden),
            passwords=self._words("password", hidden),
        )

    def _words(self, what: queries.Tried, hidden: Unmasking) -> list[PublicWord]:
        found = []
        for value, count in queries.tried(self.store, what, 2 * _STEPS[0]):
            text = value.decode("utf-8", "replace")
            if not text or hidden.carries(text):
                continue
            for step in _STEPS:
                if enough_sources(count, step, self.secret, f"{what} {step} {text}"):
                    found.append(PublicWord(value=text[:80], many=step))
                    break
        return sorted(found, key=lambda word: (-word.many, word.value))[:_WORDS]

    def _blurred(self, count: int, name: str) -> int:
        return blurred(count, self.secret, name)

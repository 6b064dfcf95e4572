"""What goes out to providers: claimed from the store's queue within their quotas, a few at a time, beside the line."""

from __future__ import annotations

import os
import socket
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, cast

import structlog
from sqlalchemy import Connection

from urltrap.intel.dns import Resolver
from urltrap.intel.errors import ProviderError
from urltrap.intel.loop import Background
from urltrap.intel.reputation import registry
from urltrap.intel.reputation.asked import Allowance, Service, Tools
from urltrap.pipeline.workshop import Workshop
from urltrap.store import breakers, lookups, windows
from urltrap.store.windows import Span

SLOTS = 4
"""Questions to one provider at once."""

_POLL = timedelta(seconds=1)
_ALLOWANCE_EVERY = timedelta(hours=1)

_P = TypeVar("_P", bound=Service)
_R = TypeVar("_R")

log = structlog.get_logger("urltrap.pipeline")


@dataclass
class UnderWay(Generic[_P, _R]):
    """One claim that is being sent."""

    provider: _P
    claim: lookups.Claim
    tools: Tools
    future: Future[_R]


class Outgoing(Generic[_P, _R]):
    """A stage without jobs of the line. Subclasses say to whom, how one claim is sent, and what its answer means.

    A process that dies leaves claims behind, which come back after their lease; nothing else is repeated.
    """

    name: str

    def __init__(self, providers: list[_P] | None = None, background: Background | None = None) -> None:
        self._given = providers
        self._providers: list[_P] | None = None
        self._background = background
        self._under_way: list[UnderWay[_P, _R]] = []
        self._again: dict[str, datetime] = {}
        self._allowances: dict[str, tuple[datetime, Future[list[Allowance]] | None]] = {}
        self._worker = f"{socket.gethostname()[:40]}-{os.getpid()}"

    # ---- what subclasses say ----

    def usable(self, workshop: Workshop) -> list[_P]:
        """To whom anything goes with these settings."""
        raise NotImplementedError

    def shared_with(self, provider: _P) -> str:
        """The provider whose quota is used up as well; empty where there is none."""
        return ""

    def send(
        self, workshop: Workshop, provider: _P, claim: lookups.Claim, tools: Tools, now: datetime
    ) -> Future[_R] | None:
        """Begin to send one claim; None where it is settled already."""
        raise NotImplementedError

    def settle(
        self, workshop: Workshop, connection: Connection, item: UnderWay[_P, _R], now: datetime
    ) -> None:
        """Keep what came of it, in one transaction."""
        raise NotImplementedError

    # ---- the stage ----

    def run(self, workshop: Workshop) -> int:
        """Take in what was answered, send what is due; how many ended or began."""
        if not workshop.settings.intel.online:
            return 0
        now = workshop.now()
        if self._providers is None:
            self._prepare(workshop, now)
        done = self._collect(workshop, now)
        for provider in self._providers or ():
            self._learn(workshop, provider, now)
            done += self._begin(workshop, provider, now)
        return done

    def close(self) -> None:
        """Give up what is being sent; it is sent again after its lease."""
        if self._background is not None:
            self._background.close()
            self._background = None

    def waiting(self) -> list[Future[Any]]:
        """What is being sent now, the providers' own word about their quotas included."""
        quotas = [asked for _, asked in self._allowances.values() if asked is not None]
        return [*(item.future for item in self._under_way), *quotas]

    def background(self, workshop: Workshop) -> Background:
        """The loop that everything is sent on, made when it is first needed."""
        if self._background is None:
            self._background = Background(workshop.settings.intel.contact)
        return self._background

    def keep_allowances(
        self, connection: Connection, workshop: Workshop, provider: _P, found: list[Allowance], now: datetime
    ) -> None:
        """Take over what a provider says of its quota, save spans that the operator set."""
        _, forced = registry.limits(provider, workshop.settings.intel.limits)
        for allowance in found:
            if allowance.span not in forced:
                windows.learn(
                    connection, provider.name, allowance.span, now, most=allowance.most, used=allowance.used
                )

    def _prepare(self, workshop: Workshop, now: datetime) -> None:
        intel = workshop.settings.intel
        self._providers = self._given if self._given is not None else self.usable(workshop)
        named = {provider.name: provider for provider in registry.asked()} if self._shares_any() else {}
        with workshop.store.begin() as connection:
            for provider in self._providers:
                _declare(connection, provider, intel.limits)
                if (other := self.shared_with(provider)) in named:
                    _declare(connection, named[other], intel.limits)
                breakers.configured(connection, provider.name, now, provider.config(intel))
        log.info(f"{self.name}.ready", providers=[provider.name for provider in self._providers])

    def _shares_any(self) -> bool:
        return any(self.shared_with(provider) for provider in self._providers or ())

    def _tools(self, workshop: Workshop) -> Tools:
        intel = workshop.settings.intel
        return Tools(self.background(workshop).http, Resolver(intel.resolvers), intel)

    def _begin(self, workshop: Workshop, provider: _P, now: datetime) -> int:
        if self._again.get(provider.name, now) > now:
            return 0
        free = SLOTS - sum(item.provider is provider for item in self._under_way)
        if free <= 0:
            return 0
        shares = self.shared_with(provider)
        found = lookups.claim(workshop.store, provider.name, now, self._worker, free, shares=shares)
        if isinstance(found, lookups.Wait):
            # Something new may be wanted meanwhile, so that an empty queue is looked at again soon.
            self._again[provider.name] = now + _POLL
            return 0
        for claim in found:
            tools = self._tools(workshop)
            future = self.send(workshop, provider, claim, tools, now)
            if future is not None:
                future.add_done_callback(lambda _: workshop.wake())
                self._under_way.append(UnderWay(provider, claim, tools, future))
        return len(found)

    def _collect(self, workshop: Workshop, now: datetime) -> int:
        ended = [item for item in self._under_way if item.future.done()]
        self._under_way = [item for item in self._under_way if not item.future.done()]
        for item in ended:
            if item.future.cancelled():
                continue
            with workshop.store.begin() as connection:
                self.settle(workshop, connection, item, now)
        return len(ended)

    def _learn(self, workshop: Workshop, provider: _P, now: datetime) -> None:
        """Ask the provider for its quota now and then, where it tells."""
        due, asked = self._allowances.get(provider.name, (now, None))
        if asked is not None and asked.done():
            self._allowances[provider.name] = (due, None)
            if asked.exception() is None:
                with workshop.store.begin() as connection:
                    self.keep_allowances(connection, workshop, provider, asked.result(), now)
            else:
                log.warning(
                    f"{self.name}.quota_unknown", provider=provider.name, error=words(asked.exception())
                )
        elif asked is None and due <= now and type(provider).allowances is not Service.allowances:
            future = self.background(workshop).submit(provider.allowances(self._tools(workshop)))
            self._allowances[provider.name] = (now + _ALLOWANCE_EVERY, future)


def words(error: BaseException | None) -> str:
    """Our own words; of an unforeseen error only its type, because its text may hold what was asked, or a key."""
    return str(error) if isinstance(error, ProviderError) else f"unforeseen: {type(error).__name__}"


def _declare(connection: Connection, provider: Service, limits: list[str]) -> None:
    allowed, forced = registry.limits(provider, limits)
    windows.declare(connection, provider.name, cast(dict[Span, int], allowed), cast(list[Span], forced))

"""Ask: questions to reputation providers over the network, within their quotas, beside the rest of the line."""

from __future__ import annotations

import os
import socket
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from sqlalchemy import Connection

from urltrap.intel import questions
from urltrap.intel.dns import Resolver
from urltrap.intel.errors import Limited, ProviderError, Refused, Unaskable
from urltrap.intel.loop import Background
from urltrap.intel.reputation import registry
from urltrap.intel.reputation.asked import Allowance, Answer, Asked, Subject, Tools
from urltrap.model.verdict import Observation
from urltrap.pipeline.workshop import Workshop
from urltrap.store import breakers, lookups, observing, windows, work
from urltrap.store.windows import Span

SLOTS = 4
"""Questions to one provider at once."""

_POLL = timedelta(seconds=1)
_ALLOWANCE_EVERY = timedelta(hours=1)
_UNASKABLE = timedelta(days=30)

log = structlog.get_logger("urltrap.pipeline")


@dataclass
class _Asking:
    provider: Asked
    claim: lookups.Claim
    tools: Tools
    future: Future[Answer]


class AskStage:
    """No jobs of the line: questions wait in the store's look-ups, claimed a few at a time.

    A process that dies leaves claims behind, which come back after their lease; nothing else is repeated.
    """

    name = "ask"

    def __init__(self, providers: list[Asked] | None = None, background: Background | None = None) -> None:
        self._given = providers
        self._providers: list[Asked] | None = None
        self._background = background
        self._asking: list[_Asking] = []
        self._again: dict[str, datetime] = {}
        self._allowances: dict[str, tuple[datetime, Future[list[Allowance]] | None]] = {}
        self._worker = f"{socket.gethostname()[:40]}-{os.getpid()}"

    def run(self, workshop: Workshop) -> int:
        """Take in what was answered, ask what is due; how many questions ended or began."""
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
        """Give up what is being asked; it is asked again after its lease."""
        if self._background is not None:
            self._background.close()
            self._background = None

    def waiting(self) -> list[Future[Any]]:
        """What is being asked now, the providers' own word about their quotas included."""
        quotas = [asked for _, asked in self._allowances.values() if asked is not None]
        return [*(item.future for item in self._asking), *quotas]

    def _prepare(self, workshop: Workshop, now: datetime) -> None:
        intel = workshop.settings.intel
        self._providers = self._given if self._given is not None else registry.usable(intel)
        with workshop.store.begin() as connection:
            for provider in self._providers:
                limits, forced = registry.limits(provider, intel.limits)
                windows.declare(
                    connection, provider.name, cast(dict[Span, int], limits), cast(list[Span], forced)
                )
                breakers.configured(connection, provider.name, now, provider.config(intel))
        if self._background is None:
            self._background = Background(intel.contact)
        log.info("ask.ready", providers=[provider.name for provider in self._providers])

    def _tools(self, workshop: Workshop) -> Tools:
        assert self._background is not None
        intel = workshop.settings.intel
        return Tools(self._background.http, Resolver(intel.resolvers), intel)

    def _begin(self, workshop: Workshop, provider: Asked, now: datetime) -> int:
        if self._again.get(provider.name, now) > now:
            return 0
        free = SLOTS - sum(item.provider is provider for item in self._asking)
        if free <= 0:
            return 0
        found = lookups.claim(workshop.store, provider.name, now, self._worker, free)
        if isinstance(found, lookups.Wait):
            # Something new may be wanted meanwhile, so that an empty queue is looked at again soon.
            self._again[provider.name] = now + _POLL
            return 0
        assert self._background is not None
        for claim in found:
            tools = self._tools(workshop)
            subject = Subject(claim.question.kind, claim.question.subject)
            future = self._background.submit(provider.ask(tools, subject))
            future.add_done_callback(lambda _: workshop.wake())
            self._asking.append(_Asking(provider, claim, tools, future))
        return len(found)

    def _collect(self, workshop: Workshop, now: datetime) -> int:
        ended = [item for item in self._asking if item.future.done()]
        self._asking = [item for item in self._asking if not item.future.done()]
        for item in ended:
            if item.future.cancelled():
                continue
            with workshop.store.begin() as connection:
                self._settle(workshop, connection, item, now)
        return len(ended)

    def _settle(self, workshop: Workshop, connection: Connection, item: _Asking, now: datetime) -> None:
        question, provider = item.claim.question, item.provider
        error = item.future.exception()
        if error is None:
            answer = item.future.result()
            observation = answer.observation(provider.name, Subject(question.kind, question.subject), now)
            until = questions.fresh_until(now, listed=answer.listed, negatives=item.claim.negatives)
            lookups.answered(connection, question, until, listed=answer.listed)
            breakers.succeeded(connection, provider.name, now)
            allowances = [found for reply in item.tools.replies for found in provider.from_headers(reply)]
            _keep_allowances(connection, workshop, provider, allowances, now)
        else:
            observation = _unanswered(connection, workshop, item, error, now)
        touched = observing.record(connection, [observation])
        if observation.result != "error":
            work.put(connection, "judge", touched, now)

    def _learn(self, workshop: Workshop, provider: Asked, now: datetime) -> None:
        """Ask the provider for its quota now and then, where it tells."""
        due, asked = self._allowances.get(provider.name, (now, None))
        if asked is not None and asked.done():
            self._allowances[provider.name] = (due, None)
            if asked.exception() is None:
                with workshop.store.begin() as connection:
                    _keep_allowances(connection, workshop, provider, asked.result(), now)
            else:
                log.warning("ask.quota_unknown", provider=provider.name, error=_words(asked.exception()))
        elif asked is None and due <= now and type(provider).allowances is not Asked.allowances:
            assert self._background is not None
            future = self._background.submit(provider.allowances(self._tools(workshop)))
            self._allowances[provider.name] = (now + _ALLOWANCE_EVERY, future)


def _unanswered(
    connection: Connection, workshop: Workshop, item: _Asking, error: BaseException, now: datetime
) -> Observation:
    question, name, words = item.claim.question, item.provider.name, _words(error)
    if isinstance(error, Unaskable):
        # Nobody's failure, and asking again is of no use.
        lookups.answered(connection, question, now + _UNASKABLE, listed=False)
    elif isinstance(error, Limited):
        until = breakers.limited(connection, name, now, error.until, words)
        lookups.later(connection, question, until, words, counted=False)
    elif isinstance(error, Refused):
        breakers.refused(connection, name, now, words, item.provider.config(workshop.settings.intel))
        lookups.later(connection, question, now, words, counted=False)
        log.error(
            "ask.refused", provider=name, error=words, do=f"check intel.keys.{item.provider.key or name}"
        )
    else:
        breakers.failed(connection, name, now, words)
        lookups.later(connection, question, questions.retry_at(now, item.claim.attempts), words)
        log.warning("ask.failed", provider=name, error=words)
    return Observation(
        provider=name,
        subject_kind=question.kind,
        subject=question.subject,
        at=now,
        result="error",
        detail=words,
    )


def _words(error: BaseException | None) -> str:
    """Our own words; of an unforeseen error only its type, because its text may hold what was asked, or a key."""
    return str(error) if isinstance(error, ProviderError) else f"unforeseen: {type(error).__name__}"


def _keep_allowances(
    connection: Connection, workshop: Workshop, provider: Asked, found: list[Allowance], now: datetime
) -> None:
    _, forced = registry.limits(provider, workshop.settings.intel.limits)
    for allowance in found:
        if allowance.span not in forced:
            windows.learn(
                connection, provider.name, allowance.span, now, most=allowance.most, used=allowance.used
            )

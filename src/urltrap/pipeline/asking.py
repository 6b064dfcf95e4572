"""Ask: questions to reputation providers over the network, within their quotas, beside the rest of the line."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from urltrap.intel import questions
from urltrap.intel.errors import Limited, Refused, Unaskable
from urltrap.intel.reputation import registry
from urltrap.intel.reputation.asked import Answer, Asked, Subject, Tools
from urltrap.model.verdict import Observation
from urltrap.pipeline.outgoing import Outgoing, UnderWay, words
from urltrap.pipeline.workshop import Workshop
from urltrap.store import breakers, lookups, observing, work

_UNASKABLE = timedelta(days=30)

log = structlog.get_logger("urltrap.pipeline")


class AskStage(Outgoing[Asked, Answer]):
    """Questions wait in the store's look-ups; what is said goes to the URLs that it says something about."""

    name = "ask"

    def usable(self, workshop: Workshop) -> list[Asked]:
        """See Outgoing."""
        return registry.usable(workshop.settings.intel)

    def send(
        self, workshop: Workshop, provider: Asked, claim: lookups.Claim, tools: Tools, now: datetime
    ) -> Future[Answer]:
        """See Outgoing."""
        subject = Subject(claim.question.kind, claim.question.subject)
        return self.background(workshop).submit(provider.ask(tools, subject))

    def settle(
        self, workshop: Workshop, connection: Connection, item: UnderWay[Asked, Answer], now: datetime
    ) -> None:
        """See Outgoing."""
        question, provider = item.claim.question, item.provider
        error = item.future.exception()
        if error is None:
            answer = item.future.result()
            observation = answer.observation(provider.name, Subject(question.kind, question.subject), now)
            until = questions.fresh_until(now, listed=answer.listed, negatives=item.claim.negatives)
            lookups.answered(connection, question, until, listed=answer.listed)
            breakers.succeeded(connection, provider.name, now)
            allowances = [found for reply in item.tools.replies for found in provider.from_headers(reply)]
            self.keep_allowances(connection, workshop, provider, allowances, now)
        else:
            observation = _unanswered(connection, workshop, item, error, now)
        touched = observing.record(connection, [observation])
        if observation.result != "error":
            work.put(connection, "judge", touched, now)


def _unanswered(
    connection: Connection,
    workshop: Workshop,
    item: UnderWay[Asked, Answer],
    error: BaseException,
    now: datetime,
) -> Observation:
    question, name, said = item.claim.question, item.provider.name, words(error)
    if isinstance(error, Unaskable):
        # Nobody's failure, and asking again is of no use.
        lookups.answered(connection, question, now + _UNASKABLE, listed=False)
    elif isinstance(error, Limited):
        until = breakers.limited(connection, name, now, error.until, said)
        lookups.later(connection, question, until, said, counted=False)
    elif isinstance(error, Refused):
        breakers.refused(connection, name, now, said, item.provider.config(workshop.settings.intel))
        lookups.later(connection, question, now, said, counted=False)
        log.error(
            "ask.refused", provider=name, error=said, do=f"check intel.keys.{item.provider.key or name}"
        )
    else:
        breakers.failed(connection, name, now, said)
        lookups.later(connection, question, questions.retry_at(now, item.claim.attempts), said)
        log.warning("ask.failed", provider=name, error=said)
    return Observation(
        provider=name,
        subject_kind=question.kind,
        subject=question.subject,
        at=now,
        result="error",
        detail=said,
    )

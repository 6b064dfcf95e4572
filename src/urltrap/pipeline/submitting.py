"""Submit: hand what the operator or the settings asked for to services that look at it. Opt-in, and never a look-up."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, exists, or_, select

from urltrap.intel import questions
from urltrap.intel.errors import Limited, Refused, Unaskable
from urltrap.intel.reputation import registry
from urltrap.intel.reputation.asked import Tools
from urltrap.intel.reputation.submitting import Parcel, Receipt, Submitter
from urltrap.model.intel_settings import SubmitSettings, Visibility
from urltrap.model.submission import Submission, SubmissionState
from urltrap.model.verdict import SubjectKind
from urltrap.pipeline import submission_gate as gate
from urltrap.pipeline.outgoing import Outgoing, UnderWay, words
from urltrap.pipeline.workshop import Workshop
from urltrap.quarantine import QuarantineError
from urltrap.store import breakers, lookups, submissions
from urltrap.store.schema import urls
from urltrap.store.schema_intel import submissions as table
from urltrap.store.schema_public import publications

ATTEMPTS = 3
"""Times that one is sent to a service that fails: it may have arrived each time."""

_LOOK_EVERY = timedelta(minutes=1)
_RECENT = timedelta(days=1)
_AT_ONCE = 20

log = structlog.get_logger("urltrap.pipeline")


class SubmitStage(Outgoing[Submitter, Receipt]):
    """Submissions wait in the store's look-ups, under the names of their services' queues."""

    name = "submit"

    def __init__(self, providers: list[Submitter] | None = None) -> None:
        super().__init__(providers)
        self._looked: datetime | None = None

    def usable(self, workshop: Workshop) -> list[Submitter]:
        """See Outgoing."""
        return [item for item in registry.submitters() if not item.usable(workshop.settings.intel)]

    def shared_with(self, provider: Submitter) -> str:
        """See Outgoing."""
        return provider.shares

    def run(self, workshop: Workshop) -> int:
        """See Outgoing. What is under way is taken in whatever happens; nothing more is sent where the door is shut."""
        if gate.closed(workshop):
            return self._collect(workshop, workshop.now())
        if workshop.settings.intel.submit.automatic:
            self._ask_by_itself(workshop)
        if not self._under_way and not submissions.any_waiting(workshop.store):
            return 0
        return super().run(workshop)

    def send(
        self, workshop: Workshop, provider: Submitter, claim: lookups.Claim, tools: Tools, now: datetime
    ) -> Future[Receipt] | None:
        """See Outgoing. The gate is asked again: what is known of a URL has changed while it waited."""
        question = claim.question
        with workshop.store.begin() as connection:
            wanted = submissions.newest(connection, provider.to, question.kind, question.subject)
            if wanted is None or wanted.state != "waiting":
                lookups.answered(connection, question, now, listed=False)
                return None
            why = gate.refusal(workshop, connection, provider, wanted)
            if why is not None:
                _end(connection, provider, question, now, "refused", why.why)
                log.warning("submit.refused", service=provider.to, why=why.why)
                return None
            tags = gate.tags(workshop, connection, question.kind, question.subject)
        try:
            body = _body(workshop, question.kind, question.subject)
        except QuarantineError as error:
            with workshop.store.begin() as connection:
                _end(connection, provider, question, now, "failed", str(error))
            return None
        parcel = Parcel(question.kind, question.subject, tags, body, _visibility(wanted))
        return self.background(workshop).submit(provider.submit(tools, parcel))

    def settle(
        self, workshop: Workshop, connection: Connection, item: UnderWay[Submitter, Receipt], now: datetime
    ) -> None:
        """See Outgoing."""
        service, question = item.provider, item.claim.question
        error = item.future.exception()
        if error is not None:
            _not_taken(workshop, connection, item, error, now)
            return
        receipt = item.future.result()
        submissions.settle(
            connection, service.to, question.kind, question.subject, now, "submitted",
            reference=receipt.id, link=receipt.link, detail=receipt.detail,
        )  # fmt: skip
        again = timedelta(days=workshop.settings.intel.submit.again_days)
        lookups.answered(connection, question, now + again, listed=False)
        breakers.succeeded(connection, service.name, now)
        allowances = [found for reply in item.tools.replies for found in service.from_headers(reply)]
        self.keep_allowances(connection, workshop, service, allowances, now)
        log.info("submit.done", service=service.to, reference=receipt.id)

    def _ask_by_itself(self, workshop: Workshop) -> None:
        """Queue what was published lately and was never asked for."""
        now, wanted = workshop.now(), workshop.settings.intel.submit
        if self._looked is not None and now < self._looked + _LOOK_EVERY:
            return
        if self._looked is None:
            _complain(workshop)
        self._looked = now
        for service in self._providers if self._providers is not None else self._to_whom(workshop):
            if service.to in wanted.providers and "url" in service.kinds:
                with workshop.store.begin() as connection:
                    for url in _published(connection, service, wanted, now):
                        _want(workshop, connection, service, url, now)

    def _to_whom(self, workshop: Workshop) -> list[Submitter]:
        return self._given if self._given is not None else self.usable(workshop)


def _complain(workshop: Workshop) -> None:
    """Say to whom nothing goes by itself although the settings say so."""
    intel = workshop.settings.intel
    for service in registry.submitters():
        if service.to in intel.submit.providers and (why := service.usable(intel)):
            log.error(
                "submit.unusable", service=service.to, why=why, do="nothing is submitted there by itself"
            )


def wanted_by_operator(
    service: Submitter, kind: SubjectKind, subject: str, now: datetime, settings: SubmitSettings
) -> Submission:
    """A submission as an operator asks for it."""
    return Submission(
        service=service.to, subject_kind=kind, subject=subject, asked=now, asked_by="operator",
        visibility=settings.urlscan_visibility if service.to == "urlscan" else "",
    )  # fmt: skip


def _published(
    connection: Connection, service: Submitter, wanted: SubmitSettings, now: datetime
) -> list[str]:
    asked = exists().where(
        table.c.service == service.to, table.c.subject_kind == "url", table.c.subject_sha256 == urls.c.key
    )
    lately = now - _RECENT
    query = (
        select(urls.c.url)
        .join(publications, publications.c.url_key == urls.c.key)
        .where(
            # For everyone, and for those with a log-in: the later of the two moments was lately.
            publications.c.after <= now,
            urls.c.publish_after <= now,
            or_(publications.c.after > lately, urls.c.published_at > lately),
            urls.c.published_at.is_not(None),
            urls.c.last_seen > now - 2 * _RECENT,  # a store that was made anew publishes everything once more
            urls.c.verdict.in_(wanted.verdicts),
            ~urls.c.held,
            ~asked,
        )
        .order_by(urls.c.published_at)
        .limit(_AT_ONCE)
    )
    return list(connection.execute(query).scalars())


def _want(workshop: Workshop, connection: Connection, service: Submitter, url: str, now: datetime) -> None:
    settings = workshop.settings.intel.submit
    wanted = wanted_by_operator(service, "url", url, now, settings).model_copy(
        update={"asked_by": "automatic"}
    )
    why = gate.refusal(workshop, connection, service, wanted)
    if why is None:
        submissions.ask(connection, service.name, wanted, timedelta(days=settings.again_days))
    elif why.until is None:
        submissions.note(
            connection, wanted.model_copy(update={"state": "refused", "at": now, "detail": why.why})
        )


def _not_taken(
    workshop: Workshop,
    connection: Connection,
    item: UnderWay[Submitter, Receipt],
    error: BaseException,
    now: datetime,
) -> None:
    service, question, said = item.provider, item.claim.question, words(error)
    if isinstance(error, Unaskable):
        _end(connection, service, question, now, "refused", said)
    elif isinstance(error, Limited):
        until = breakers.limited(connection, service.name, now, error.until, said)
        if service.shares:
            # It is one key: who asks in its name is asking too much as well.
            breakers.limited(connection, service.shares, now, error.until, said)
        lookups.later(connection, question, until, said, counted=False)
    elif isinstance(error, Refused):
        breakers.refused(connection, service.name, now, said, service.config(workshop.settings.intel))
        lookups.later(connection, question, now, said, counted=False)
        log.error("submit.refused_key", service=service.to, error=said, do=f"check intel.keys.{service.key}")
    else:
        breakers.failed(connection, service.name, now, said)
        if item.claim.attempts + 1 >= ATTEMPTS:
            _end(connection, service, question, now, "failed", f"{said}, {ATTEMPTS} times")
        else:
            lookups.later(connection, question, questions.retry_at(now, item.claim.attempts), said)
        log.warning("submit.failed", service=service.to, error=said)


def _end(
    connection: Connection,
    service: Submitter,
    question: lookups.Question,
    now: datetime,
    state: SubmissionState,
    detail: str,
) -> None:
    submissions.settle(connection, service.to, question.kind, question.subject, now, state, detail=detail)
    lookups.answered(connection, question, now, listed=False)


def _body(workshop: Workshop, kind: SubjectKind, subject: str) -> bytes:
    return workshop.quarantine.read(subject, 0, gate.LARGEST) if kind == "sha256" else b""


def _visibility(wanted: Submission) -> Visibility:
    if wanted.visibility == "public":
        return "public"
    return "unlisted" if wanted.visibility == "unlisted" else "private"

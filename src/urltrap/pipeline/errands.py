"""Errands: questions of our own to the fetcher (retries, other clients, siblings), and looks whether a URL is there."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, select, update

from urltrap.model.capture import Capture, FetchRequest
from urltrap.pipeline.fetching import Fetching
from urltrap.pipeline.following import ERRAND
from urltrap.pipeline.workshop import Workshop
from urltrap.store import windows, work
from urltrap.store.schema import captures, sightings, urls
from urltrap.store.schema_capture import capture_tasks

LOOK = "look"

_SLOTS = 4
_MOST_ATTEMPTS = 6
_LIMITED = timedelta(seconds=60)
_CHECKS, _CHECKS_SHARE = "re-checks", 5
"""The window in which looks are counted, and which part of what may leave the machine in a minute they have."""

_MISSES = 5
"""After so many siblings that are not there, with none that is, the others are not asked for."""

_HEAD_REFUSED = frozenset((400, 403, 404, 405, 406, 500, 501))
"""Answers to HEAD that a GET may contradict: small servers know nothing else."""

log = structlog.get_logger("urltrap.pipeline")


class ErrandStage:
    """Jobs: "PURPOSE/…/KEY". A job that is asked about is lent out for a while, so that a kill repeats it later."""

    name = ERRAND

    def __init__(self) -> None:
        self._fetching = Fetching(self.name, _SLOTS)

    def run(self, workshop: Workshop) -> int:
        """Take in what was answered, ask what is due while there are free slots."""
        done = 0
        for subject, future in self._fetching.answered():
            with workshop.store.begin() as connection:
                _settle(workshop, connection, subject, future)
            done += 1
        for job in free_jobs(workshop, self.name, self._fetching):
            with workshop.store.begin() as connection:
                request = _begin(workshop, connection, job)
            if request is not None:
                self._fetching.ask(workshop, job.subject, request)
            done += 1
        return done

    def waiting(self) -> list[Future[Capture]]:
        """What is being asked now."""
        return self._fetching.waiting()

    def close(self) -> None:
        """Give up what waits; it is asked again at the next start."""
        self._fetching.close()


class LookStage:
    """Jobs: the key of a URL. Asks with HEAD, and where that says nothing for the first byte; no body is kept."""

    name = LOOK

    def __init__(self) -> None:
        self._fetching = Fetching(self.name, _SLOTS)
        self._probing: set[str] = set()

    def run(self, workshop: Workshop) -> int:
        """Take in what was answered, ask what is due while there are free slots."""
        done = 0
        for key, future in self._fetching.answered():
            done += 1
            error = future.exception()
            if error is None and key not in self._probing and _says_nothing(future.result()):
                self._probing.add(key)
                request = self._request(workshop, key, probe=True)
                if request is not None:
                    self._fetching.ask(workshop, key, request)
                    continue
            self._probing.discard(key)
            with workshop.store.begin() as connection:
                if error is not None:
                    _failed(workshop, connection, work.Job(self.name, key, 1), error)
                elif future.result().outcome == "limited":
                    work.postpone(connection, self.name, [key], workshop.now() + _LIMITED)
                else:
                    work.finish(connection, self.name, [key])
        for job in self._within_share(workshop, free_jobs(workshop, self.name, self._fetching)):
            done += 1
            idle = job.attempts >= _MOST_ATTEMPTS or workshop.settings.egress.mode == "record"
            request = None if idle else self._request(workshop, job.subject)
            with workshop.store.begin() as connection:
                if request is None:
                    work.finish(connection, self.name, [job.subject])
                else:
                    work.postpone(connection, self.name, [job.subject], workshop.now() + lease(workshop))
            if request is not None:
                self._fetching.ask(workshop, job.subject, request)
        return done

    def waiting(self) -> list[Future[Capture]]:
        """What is being asked now."""
        return self._fetching.waiting()

    def close(self) -> None:
        """Give up what waits; it is asked again at the next start."""
        self._fetching.close()

    def _within_share(self, workshop: Workshop, due: list[work.Job]) -> list[work.Job]:
        """Those that may be asked in this minute; the others wait for the next."""
        if not due or workshop.settings.egress.mode == "record":
            return due
        now = workshop.now()
        most = max(1, workshop.settings.egress.total_per_minute // _CHECKS_SHARE)
        with workshop.store.begin() as connection:
            windows.declare(connection, _CHECKS, {"minute": most}, forced=["minute"])
            granted, _ = windows.take(connection, _CHECKS, now, len(due))
            if late := [job.subject for job in due[granted:]]:
                work.delay(
                    connection, self.name, late, windows.span_end("minute", windows.span_start("minute", now))
                )
        return due[:granted]

    def _request(self, workshop: Workshop, key: str, *, probe: bool = False) -> FetchRequest | None:
        with workshop.store.connect() as connection:
            row = connection.execute(select(urls.c.url, urls.c.held).where(urls.c.key == key)).first()
            if row is None or row.held:
                return None
            return FetchRequest(
                url=row.url.encode(), client=client_of(connection, key), purpose="recheck", probe=probe,
                method="GET" if probe else "HEAD",
            )  # fmt: skip


def _says_nothing(capture: Capture) -> bool:
    """Whether a GET may be answered otherwise than this HEAD was."""
    return capture.outcome == "protocol-error" or capture.status in _HEAD_REFUSED


def lease(workshop: Workshop) -> timedelta:
    """How long a job is lent out: longer than the fetcher may take."""
    return timedelta(seconds=2 * workshop.settings.egress.total_seconds + 60)


def free_jobs(
    workshop: Workshop, stage: str, fetching: Fetching, *, newest_first: bool = False
) -> list[work.Job]:
    """What is due and not being asked, as many as there are free slots; longest waiting first, or what was never asked
    for and is newest first."""
    if fetching.free <= 0:
        return []
    now, most = workshop.now(), fetching.free + len(fetching)
    due = work.due(workshop.store, stage, now, most)
    if newest_first and len(due) == most:
        # More waits than is looked at here.
        due = [*work.newest(workshop.store, stage, now, most), *due]
    found = {job.subject: job for job in due if job.subject not in fetching}
    return list(found.values())[: fetching.free]


def client_of(connection: Connection, key: str) -> str:
    """The client that brought the URL's newest answer, else the one that attackers would fetch it with."""
    body = connection.execute(
        select(captures.c.body)
        .where(captures.c.url_key == key, captures.c.outcome == "fetched")
        .order_by(captures.c.at.desc())
        .limit(1)
    ).scalar()
    if body is not None:
        return Capture.model_validate_json(body).client
    named = connection.execute(
        select(sightings.c.client)
        .where(sightings.c.url_key == key, sightings.c.client != "")
        .order_by(sightings.c.at.desc())
        .limit(1)
    ).scalar()
    return named or "wget"


def _task(subject: str) -> tuple[str, str, str]:
    """(purpose, client, key) of a job."""
    purpose, middle, key = subject.split("/", 2)
    return purpose, middle if purpose == "client" else "", key


def _begin(workshop: Workshop, connection: Connection, job: work.Job) -> FetchRequest | None:
    purpose, client, key = _task(job.subject)
    mine = (
        (capture_tasks.c.url_key == key)
        & (capture_tasks.c.purpose == purpose)
        & (capture_tasks.c.client == client)
    )
    task = connection.execute(select(capture_tasks).where(mine)).mappings().first()
    owner = (
        connection.execute(select(urls.c.held).where(urls.c.key == task["origin"])).first() if task else None
    )
    if (
        task is None
        or owner is None
        or owner.held  # decided meanwhile
        or job.attempts >= _MOST_ATTEMPTS
        or workshop.settings.egress.mode == "record"
        or (
            purpose == "sibling"
            and (workshop.settings.egress.siblings == 0 or _hopeless(connection, task["origin"]))
        )
    ):
        work.finish(connection, ERRAND, [job.subject])
        return None
    now: datetime = workshop.now()
    connection.execute(
        update(capture_tasks).where(mine).values(asked=now, tries=capture_tasks.c.tries + (job.attempts == 0))
    )
    work.postpone(connection, ERRAND, [job.subject], now + lease(workshop))
    asks_like = client or client_of(connection, task["origin"])
    return FetchRequest.model_validate(
        {"url": task["url"], "client": asks_like, "for_session": task["session"], "purpose": purpose}
    )


def _hopeless(connection: Connection, origin: str) -> bool:
    """Whether the siblings that were asked before say that there are none."""
    outcomes = connection.execute(
        select(capture_tasks.c.outcome).where(
            capture_tasks.c.origin == origin,
            capture_tasks.c.purpose == "sibling",
            capture_tasks.c.outcome != "",
        )
    ).scalars()
    told = list(outcomes)
    return len(told) >= _MISSES and "there" not in told


def _settle(workshop: Workshop, connection: Connection, subject: str, future: Future[Capture]) -> None:
    error = future.exception()
    if error is not None:
        _failed(workshop, connection, work.Job(ERRAND, subject, 1), error)
        return
    capture = future.result()
    if capture.outcome == "limited":
        work.postpone(connection, ERRAND, [subject], workshop.now() + _LIMITED)
        return
    purpose, client, key = _task(subject)
    outcome: str = capture.outcome
    if outcome == "fetched":
        outcome = "there" if capture.status is None or capture.status < 400 else f"http {capture.status}"
    connection.execute(
        update(capture_tasks)
        .where(
            capture_tasks.c.url_key == key,
            capture_tasks.c.purpose == purpose,
            capture_tasks.c.client == client,
        )
        .values(outcome=outcome)
    )
    work.finish(connection, ERRAND, [subject])


def _failed(workshop: Workshop, connection: Connection, job: work.Job, error: BaseException) -> None:
    now = workshop.now()
    until = work.failed(connection, job, now, f"{type(error).__name__}: {error}")
    log.warning(
        "errand.failed", stage=job.stage, subject=job.subject, again=until.isoformat(), error=str(error)
    )

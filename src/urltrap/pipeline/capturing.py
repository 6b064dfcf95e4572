"""Capture: ask the fetcher for URLs that nobody has asked for yet. The outcome comes back by the fetcher's journal."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, select

from urltrap.model.capture import Capture, FetchRequest
from urltrap.pipeline.workshop import Workshop
from urltrap.store import work
from urltrap.store.schema import sightings, urls
from urltrap.store.sightings import newest_captures

ASKED_ELSEWHERE = timedelta(seconds=45)
"""How long the trap's own request for the same URL is waited for before the pipeline asks instead."""

_SLOTS = 8
_MOST_ATTEMPTS = 6
_LIMITED = timedelta(seconds=60)

log = structlog.get_logger("urltrap.pipeline")


class CaptureStage:
    """Jobs: the key of a URL. A job that is asked about is lent out for a while, so that a kill repeats it later."""

    name = "capture"

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._asked: dict[str, Future[Capture]] = {}

    def run(self, workshop: Workshop) -> int:
        """Take in what was answered, ask for what is due while there are free slots."""
        done = self._collect(workshop)
        free = _SLOTS - len(self._asked)
        if free <= 0:
            return done
        jobs = [
            job
            for job in work.due(workshop.store, self.name, workshop.now(), free + len(self._asked))
            if job.subject not in self._asked
        ][:free]
        return done + sum(self._begin(workshop, job) for job in jobs)

    def close(self) -> None:
        """Give up what waits; it is asked again at the next start."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, workshop: Workshop, job: work.Job) -> int:
        now = workshop.now()
        request: FetchRequest | None = None
        with workshop.store.begin() as connection:
            window = timedelta(seconds=workshop.settings.egress.window_seconds)
            row = connection.execute(select(urls).where(urls.c.key == job.subject)).mappings().first()
            if row is None or row["held"] or self._is_captured(connection, job.subject, now - window):
                work.finish(connection, self.name, [job.subject])
                return 1
            if job.attempts >= _MOST_ATTEMPTS:
                log.warning("capture.given_up", url_key=job.subject, attempts=job.attempts)
                work.finish(connection, self.name, [job.subject])
                return 1
            seen = connection.execute(
                select(
                    sightings.c.raw,
                    sightings.c.client,
                    sightings.c.session,
                    sightings.c.method,
                    sightings.c.at,
                )
                .where(sightings.c.url_key == job.subject)
                .order_by(sightings.c.at.desc(), sightings.c.confidence.desc())
                .limit(20)
            ).all()
            if job.attempts == 0 and any(
                item.method == "asked" and item.at > now - ASKED_ELSEWHERE for item in seen
            ):
                work.postpone(connection, self.name, [job.subject], now + ASKED_ELSEWHERE)
                return 1
            work.postpone(connection, self.name, [job.subject], now + self._lease(workshop))
            client = next((item.client for item in seen if item.client), "wget")
            request = FetchRequest(
                url=row["url"].encode(), client=client, for_session=seen[0].session if seen else ""
            )
        self._ask(workshop, job.subject, request)
        return 1

    def _is_captured(self, connection: Connection, key: str, since: datetime) -> bool:
        at = newest_captures(connection, [key]).get(key)
        return at is not None and at >= since

    def _lease(self, workshop: Workshop) -> timedelta:
        return timedelta(seconds=2 * workshop.settings.egress.total_seconds + 60)

    def _ask(self, workshop: Workshop, key: str, request: FetchRequest) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_SLOTS, thread_name_prefix="capture")
        timeout = workshop.settings.egress.total_seconds + 30
        future = self._pool.submit(workshop.fetcher.fetch, request, timeout)
        self._asked[key] = future
        future.add_done_callback(lambda _: workshop.wake())

    def _collect(self, workshop: Workshop) -> int:
        finished = [(key, future) for key, future in self._asked.items() if future.done()]
        for key, future in finished:
            del self._asked[key]
            if future.cancelled():
                continue
            error = future.exception()
            now = workshop.now()
            with workshop.store.begin() as connection:
                if error is not None:
                    attempts = 1
                    until = work.failed(
                        connection,
                        work.Job(self.name, key, attempts),
                        now,
                        f"{type(error).__name__}: {error}",
                    )
                    log.warning("capture.failed", url_key=key, again=until.isoformat(), error=str(error))
                elif future.result().outcome == "limited":
                    work.postpone(connection, self.name, [key], _later(now))
                else:
                    work.finish(connection, self.name, [key])
        return len(finished)


def _later(now: datetime) -> datetime:
    return now + _LIMITED

"""Capture: ask the fetcher for URLs that nobody has asked for yet. The outcome comes back by the fetcher's journal."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, select

from urltrap.model.capture import Capture, FetchRequest
from urltrap.model.url import UrlError, canonical
from urltrap.pipeline.errands import free_jobs, lease
from urltrap.pipeline.fetching import Fetching
from urltrap.pipeline.workshop import Workshop
from urltrap.store import work
from urltrap.store.schema import sightings, urls
from urltrap.store.sightings import newest_captures

ASKED_ELSEWHERE = timedelta(seconds=45)
"""How long the trap's own request for the same URL is waited for before the pipeline asks instead."""

_SLOTS = 48
"""Questions at once: dead hosts, which most are, hold theirs until the connection is given up."""
_MOST_ATTEMPTS = 6
_LIMITED = timedelta(seconds=60)

log = structlog.get_logger("urltrap.pipeline")


class CaptureStage:
    """Jobs: the key of a URL. A job that is asked about is lent out for a while, so that a kill repeats it later."""

    name = "capture"

    def __init__(self) -> None:
        self._fetching = Fetching(self.name, _SLOTS)

    def run(self, workshop: Workshop) -> int:
        """Take in what was answered, ask for what is due while there are free slots."""
        done = self._collect(workshop)
        due = free_jobs(workshop, self.name, self._fetching, newest_first=True)
        return done + sum(self._begin(workshop, job) for job in due)

    def waiting(self) -> list[Future[Capture]]:
        """What is being asked now."""
        return self._fetching.waiting()

    def close(self) -> None:
        """Give up what waits; it is asked again at the next start."""
        self._fetching.close()

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
                item.method in ("asked", "wire") and item.at > now - ASKED_ELSEWHERE for item in seen
            ):
                work.postpone(connection, self.name, [job.subject], now + ASKED_ELSEWHERE)
                return 1
            work.postpone(connection, self.name, [job.subject], now + lease(workshop))
            client = next((item.client for item in seen if item.client), "wget")
            request = FetchRequest(
                url=_with_log_in(row["url"], [item.raw for item in seen]),
                client=client,
                for_session=seen[0].session if seen else "",
            )
        self._fetching.ask(workshop, job.subject, request)
        return 1

    def _is_captured(self, connection: Connection, key: str, since: datetime) -> bool:
        at = newest_captures(connection, [key]).get(key)
        return at is not None and at >= since

    def _collect(self, workshop: Workshop) -> int:
        done = 0
        for key, future in self._fetching.answered():
            done += 1
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
        return done


def _later(now: datetime) -> datetime:
    return now + _LIMITED


def _with_log_in(url: str, raws: Sequence[bytes]) -> bytes:
    """An FTP URL as it was written where a log-in stands in it, which the canonical form has not."""
    if url.startswith(("ftp://", "ftps://")):
        for raw in raws:
            try:
                if b"@" in raw and canonical(raw) == url:
                    return raw
            except UrlError:
                continue
    return url.encode()

"""What a stage is, and the loop that all stages share: take what is due, write results and end of work together."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog
from sqlalchemy import Connection

from urltrap.pipeline.workshop import Workshop
from urltrap.store import StoreError, work

BATCH = 200
"""Items of one transaction: few enough that intake never waits long."""

log = structlog.get_logger("urltrap.pipeline")


class Stage(Protocol):
    """One step of the line."""

    name: str

    def run(self, workshop: Workshop) -> int:
        """Do a batch of what is due; how many items. Restartable at any moment."""
        ...


def each(
    workshop: Workshop, stage: str, handle: Callable[[Connection, work.Job], None], limit: int = BATCH
) -> int:
    """Handle due jobs of a stage one by one, in one transaction.

    A job that fails is tried again later and never stops the line: the transaction is repeated without it.
    """
    due = work.due(workshop.store, stage, workshop.now(), limit)
    done = 0
    while due:
        handled: list[str] = []
        failed: tuple[work.Job, Exception] | None = None
        try:
            with workshop.store.begin() as connection:
                for job in due:
                    try:
                        handle(connection, job)
                    except StoreError:
                        raise
                    except Exception as error:
                        failed = (job, error)
                        raise
                    handled.append(job.subject)
                work.finish(connection, stage, handled)
        except Exception as error:
            if failed is None:
                raise
            job = failed[0]
            note_failure(workshop, job, error)
            due = [other for other in due if other.subject != job.subject]
            continue
        return done + len(handled)
    return done


def note_failure(workshop: Workshop, job: work.Job, error: Exception) -> None:
    """Keep the failure with the job, which is tried again later, and log it."""
    with workshop.store.begin() as connection:
        until = work.failed(connection, job, workshop.now(), f"{type(error).__name__}: {error}")
    log.error(
        "stage.failed",
        stage=job.stage,
        subject=job.subject,
        attempts=job.attempts + 1,
        again=until.isoformat(),
        error=type(error).__name__,
        where=_where(error),
    )


def _where(error: Exception) -> str:
    """The innermost places of a failure. No values: they are attackers' bytes or settings."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)
    )

"""Decide: what people decided reaches the URLs that it is about, which are judged again with it."""

from __future__ import annotations

from sqlalchemy import Connection, select

from urltrap.model.decisions import LIST_DECISIONS
from urltrap.pipeline.stage import each
from urltrap.pipeline.workshop import Workshop
from urltrap.store import work
from urltrap.store.decisions import keys_below
from urltrap.store.schema import decisions


class DecideStage:
    """Jobs: the id of a decision's event."""

    name = "decide"

    def run(self, workshop: Workshop) -> int:
        """Make the judgement of those URLs due."""

        def handle(connection: Connection, job: work.Job) -> None:
            session, _, seq = job.subject.rpartition("/")
            made = connection.execute(
                select(decisions).where(decisions.c.session == session, decisions.c.seq == int(seq))
            ).one()
            on_list = made.decision in LIST_DECISIONS
            keys = keys_below(connection, made.subject) if on_list else [made.subject_sha256]
            work.put(connection, "judge", keys, workshop.now())

        return each(workshop, self.name, handle)

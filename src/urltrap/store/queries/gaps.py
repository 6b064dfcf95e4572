"""Which programs attackers missed: the list of what to write next."""

from __future__ import annotations

from sqlalchemy import func, select

from urltrap.model.views import GapRow, Gaps
from urltrap.store.engine import Store
from urltrap.store.schema import program_runs

_MISSED = ("not-found", "not-executable", "not-implemented")


def gaps(store: Store, limit: int) -> Gaps:
    """Program runs by outcome, and the `limit` most asked-for names that did not run."""
    outcome, name = program_runs.c.outcome, program_runs.c.name
    with store.connect() as connection:
        outcomes = {
            str(key): int(count)
            for key, count in connection.execute(select(outcome, func.count()).group_by(outcome))
        }
        missed = connection.execute(
            select(name, outcome, func.count().label("n"), func.count(program_runs.c.session.distinct()))
            .where(outcome.in_(_MISSED))
            .group_by(name, outcome)
            .order_by(func.count().desc(), name)
            .limit(limit)
        )
        rows = [GapRow(name=row[0], outcome=row[1], count=row[2], sessions=row[3]) for row in missed]
    return Gaps(outcomes=outcomes, rows=rows)

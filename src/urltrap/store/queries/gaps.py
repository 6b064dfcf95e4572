"""Which programs attackers missed: the list of what to write next."""

from __future__ import annotations

from sqlalchemy import func, select

from urltrap.model.views import GapRow, Gaps
from urltrap.store.engine import Store
from urltrap.store.rows import MISSED
from urltrap.store.schema import missing


def gaps(store: Store, limit: int) -> Gaps:
    """Program runs by outcome, and the `limit` most asked-for names that did not run; over all time."""
    with store.connect() as connection:
        totals = select(missing.c.outcome, func.sum(missing.c.n)).group_by(missing.c.outcome)
        outcomes = {str(key): int(count) for key, count in connection.execute(totals)}
        missed = connection.execute(
            select(missing)
            .where(missing.c.outcome.in_(MISSED))
            .order_by(missing.c.n.desc(), missing.c.name)
            .limit(limit)
        )
        rows = [
            GapRow(name=row.name, outcome=row.outcome, count=row.n, sessions=row.sessions) for row in missed
        ]
    return Gaps(outcomes=outcomes, rows=rows)

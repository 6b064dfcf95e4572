"""The answers after which attackers leave: what gives the machine away."""

from __future__ import annotations

from statistics import median

from sqlalchemy import case, func, select

from urltrap.judge.belief import CHECKS
from urltrap.model.conclusions import BeliefRow
from urltrap.store.engine import Store
from urltrap.store.schema_analysis import beliefs

_WAITS = 500


def beliefs_lost(store: Store, limit: int) -> list[BeliefRow]:
    """Answers by how many more attackers left after them than leave after any check; the worst first.

    Only answers after which somebody left. One session that asks the same again counts each time that it asked.
    """
    wants = {check.name: check.wants for check in CHECKS}
    left = func.sum(case((beliefs.c.afterwards == "left", 1), else_=0)).label("left")
    asked = func.count().label("asked")
    with store.connect() as connection:
        total = connection.execute(select(asked, left)).one()
        share = int(total.left or 0) / total.asked if total.asked else 0.0
        rows = connection.execute(
            select(
                beliefs.c.name, beliefs.c.answer_sha256, asked, left,
                func.count(beliefs.c.session.distinct()).label("sessions"),
            )
            .group_by(beliefs.c.name, beliefs.c.answer_sha256)
            .having(left > 0)
            .order_by((left - asked * share).desc(), beliefs.c.name, beliefs.c.answer_sha256)
            .limit(limit)
        ).all()  # fmt: skip
        found = []
        for row in rows:
            same = (beliefs.c.name == row.name, beliefs.c.answer_sha256 == row.answer_sha256)
            answer = connection.execute(select(beliefs.c.answer).where(*same).limit(1)).scalar()
            waits = connection.execute(
                select(beliefs.c.after_ms).where(*same, beliefs.c.afterwards == "left").limit(_WAITS)
            ).scalars()
            found.append(
                BeliefRow(
                    check=row.name, wants=wants.get(row.name, ""), answer=answer or b"", asked=row.asked,
                    sessions=row.sessions, left=int(row.left), excess=round(int(row.left) - row.asked * share, 2),
                    seconds=round(median(waits) / 1000, 3),
                )
            )  # fmt: skip
    return found

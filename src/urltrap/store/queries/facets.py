"""How URLs are spread over their classes: over the newest of those that match, so that it is quick with any number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from sqlalchemy import func, select

from urltrap.model.groups import FacetName, Facets, FacetValue
from urltrap.model.views import UrlFilter, UrlRow
from urltrap.store.engine import Store
from urltrap.store.queries.urls import conditions
from urltrap.store.schema import urls

AXES: tuple[FacetName, ...] = (
    "verdict", "action", "role", "target", "delivery", "hosting", "lifecycle", "kind", "family",
)  # fmt: skip
COUNTED = 2000
"""URLs that are looked at."""
_SHOWN = 12


def facets(store: Store, wanted: UrlFilter, names: Sequence[FacetName] = AXES) -> Facets:
    """The values of these columns among the newest COUNTED URLs that match."""
    columns = [urls.c[name] for name in names]
    newest = (
        select(*columns)
        .where(*conditions(wanted))
        .order_by(urls.c.last_seen.desc(), urls.c.key.desc())
        .limit(COUNTED + 1)
        .subquery()
    )
    grouped = [newest.c[name] for name in names]
    with store.connect() as connection:
        rows = connection.execute(select(*grouped, func.count().label("n")).group_by(*grouped)).all()
    return _counted(names, ((tuple(row[:-1]), row.n) for row in rows))


def of_rows(rows: Sequence[UrlRow], names: Sequence[FacetName] = AXES) -> Facets:
    """The same of a list that holds all that match, without asking the store again."""
    return _counted(names, ((tuple(getattr(row, name) for name in names), 1) for row in rows))


def _counted(names: Sequence[FacetName], rows: Iterable[tuple[tuple[str, ...], int]]) -> Facets:
    counted: dict[FacetName, Counter[str]] = {name: Counter() for name in names}
    total = 0
    for values, n in rows:
        total += n
        for name, value in zip(names, values, strict=True):
            if value:
                counted[name][value] += n
    return Facets(
        counted=min(total, COUNTED),
        whole=total <= COUNTED,
        values={
            name: [
                FacetValue(value=value, count=count)
                for value, count in sorted(found.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
            ]
            for name, found in counted.items()
        },
    )

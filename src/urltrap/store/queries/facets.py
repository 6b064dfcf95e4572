"""How URLs are spread over their classes: over the newest of those that match, so that it is quick with any number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import func, select

from urltrap.model.groups import FacetName, Facets, FacetValue
from urltrap.model.views import UrlFilter
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
    counted: dict[FacetName, Counter[str]] = {name: Counter() for name in names}
    total = 0
    with store.connect() as connection:
        for row in connection.execute(select(*grouped, func.count().label("n")).group_by(*grouped)):
            total += row.n
            for name, value in zip(names, row, strict=False):
                if value:
                    counted[name][value] += row.n
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

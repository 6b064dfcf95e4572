"""How URLs are spread over their classes: the same whether the store or a whole list is asked."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update
from tests.store.conftest import START, session_id, visit

from urltrap.model.sighting import Recovered
from urltrap.model.views import UrlFilter
from urltrap.store import Store
from urltrap.store.intake import ingest
from urltrap.store.queries import facets
from urltrap.store.queries import urls as url_queries
from urltrap.store.schema import urls
from urltrap.store.sightings import Seen, save_sightings


def test_a_whole_list_is_spread_as_the_store_says(store: Store) -> None:
    for number in range(9):
        at = START + timedelta(minutes=number)
        ingest(store, "w", visit(number, b"id", at=at), (1, number))
        raw = b"http://198.51.100.%d/x" % number
        item = Recovered(
            url=raw.decode(),
            raw=raw,
            span=(0, len(raw)),
            method="word",
            chain=[],
            client="wget",
            confidence=95,
        )
        with store.begin() as connection:
            save_sightings(connection, [Seen(session_id(number), 3, at, "ssh", "198.51.100.7", [item])])
    with store.begin() as connection:
        for number, (verdict, kind) in enumerate(
            (("unknown", "elf"), ("suspicious", ""), ("unknown", "script"))
        ):
            mine = urls.c.url.like(f"%.{number}/x")
            connection.execute(update(urls).where(mine).values(verdict=verdict, kind=kind))
    for wanted in (UrlFilter(), UrlFilter(text="198.51"), UrlFilter(kind="elf"), UrlFilter(text="nowhere")):
        page = url_queries.page(store, wanted)
        assert page.next is None
        assert facets.of_rows(page.rows) == facets.facets(store, wanted)
    assert facets.facets(store, UrlFilter()).counted == 9

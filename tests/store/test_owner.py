"""A store belongs to one installation: another one is refused, may take it over, and loses nothing by that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.store.conftest import START, visit

from urltrap.store import Store, StoreTaken, owner
from urltrap.store.intake import Mark, ingest, rewind, watermark
from urltrap.store.queries import operations, overview


def test_a_store_is_of_whoever_begins_on_it(store: Store) -> None:
    assert owner.owner(store) is None
    owner.own(store, "first")
    owner.own(store, "first")
    assert owner.owner(store) == "first"
    with pytest.raises(StoreTaken, match=r"store\.url.*journal\.ship.*fleet\.only.*db take-over"):
        owner.own(store, "second")
    assert owner.owner(store) == "first"


def test_of_two_that_begin_at_once_one_is_refused(store: Store) -> None:
    def begin(name: str) -> bool:
        try:
            owner.own(store, name)
        except StoreTaken:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(begin, ("first", "second"))) == [False, True]


def test_who_takes_a_store_over_reads_its_own_journals_from_the_beginning(store: Store) -> None:
    owner.own(store, "first")
    ingest(store, "trap-0", visit(1), (57, 1000))
    ingest(store, "campus/trap-0/stream", [], (3, 3))
    assert owner.take_over(store, "second") == ["trap-0"]
    assert watermark(store, "trap-0") is None, "a journal of that name is another one now"
    assert watermark(store, "campus/trap-0/stream") == Mark(3, 3), "sensors elsewhere go on where they stood"
    with pytest.raises(StoreTaken):
        owner.check(store, "first")
    assert operations.writers(store) == []
    ingest(store, "trap-0", visit(2), (1, 500))
    assert watermark(store, "trap-0") == Mark(1, 500)
    figures = overview.counters(store, START)
    assert figures.sessions == 2 and overview.pulse(store).events == len(visit(1)) + len(visit(2))
    assert owner.take_over(store, "second") == [], "once is enough"


def test_a_batch_that_ends_before_the_watermark_tells_of_another_reader(store: Store) -> None:
    assert not ingest(store, "trap-0", visit(1), (1, 100)).ahead
    assert not ingest(store, "trap-0", visit(1), (1, 100)).ahead, "a batch whose answer was lost comes again"
    assert ingest(store, "trap-0", visit(2), (1, 50)).ahead
    assert watermark(store, "trap-0") == Mark(1, 100)


def test_a_rewound_journal_is_read_again_and_nothing_of_it_is_taken_twice(store: Store) -> None:
    ingest(store, "trap-0", visit(1), (9, 100))
    rewind(store, "trap-0")
    assert watermark(store, "trap-0") == Mark(0, 0)
    again = ingest(store, "trap-0", [*visit(1), *visit(2)], (1, 80))
    assert (again.new, again.repeated) == (len(visit(2)), len(visit(1)))
    assert overview.pulse(store).events == len(visit(1)) + len(visit(2))

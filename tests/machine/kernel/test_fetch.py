from __future__ import annotations

from datetime import UTC, datetime

from tests.machine.kernel.support import NOW, Box

from urltrap.machine.api import Process, Run
from urltrap.machine.effects import BytesContent, Fact, Fetch, FetchReply
from urltrap.machine.kernel.signals import SIGTERM
from urltrap.model.capture import Capture, FetchRequest
from urltrap.model.event import DownloadAnswered, DownloadAsked

URL = "http://192.0.2.1/x.sh"


def reply(body: bytes = b"#!/bin/sh\n") -> FetchReply:
    capture = Capture(
        url=URL,
        at=datetime.fromtimestamp(NOW, UTC),
        outcome="fetched",
        status=200,
        sha256="ab" * 32,
        size=len(body),
    )
    return FetchReply(capture, BytesContent(body))


def getter(p: Process) -> Run:
    answer = yield from p.fetch(FetchRequest(url=URL.encode(), client="wget"), output="x.sh")
    assert answer.body is not None
    p.fs.put("/tmp/x.sh", answer.body)
    return 0


def test_a_program_waits_for_the_fetcher_and_both_sides_are_told() -> None:
    box = Box()
    job = box.start(getter)
    box.drive(job)
    asked = [each for each in box.effects if isinstance(each, Fetch)]
    assert len(asked) == 1
    assert job.waiting_for_fetch
    assert job.exit_status is None
    assert not job.runnable
    job.fetched(asked[0].id, reply())
    assert job.runnable
    assert box.drive(job) == 0
    told = [each for each in box.effects if isinstance(each, Fact)]
    assert [each.event for each in told] == [DownloadAsked, DownloadAnswered]
    assert told[0].fields == {
        "url": URL.encode(),
        "client": "wget",
        "argv": [b"sh", b"-c", b""],
        "output": b"x.sh",
    }
    assert told[1].fields["sha256"] == "ab" * 32
    assert box.closed() == [("/tmp/x.sh", b"#!/bin/sh\n")]


def test_several_fetches_may_be_answered_in_any_order() -> None:
    def program(p: Process) -> Run:
        def child(c: Process, name: str) -> Run:
            answer = yield from c.fetch(FetchRequest(url=name.encode(), client="curl"))
            yield from c.out(f"{name}={answer.body.read(0, 9).decode() if answer.body else ''} ")
            return 0

        for name in ("a", "b"):
            p.fork(lambda c, name=name: child(c, name))  # type: ignore[misc]
        yield from p.wait()
        yield from p.wait()
        return 0

    box = Box()
    job = box.start(program)
    box.drive(job)
    ids = {each.request.url: each.id for each in box.effects if isinstance(each, Fetch)}
    job.fetched(ids[b"b"], reply(b"2"))
    box.drive(job)
    job.fetched(ids[b"a"], reply(b"1"))
    assert box.drive(job) == 0
    assert box.output() == b"b=2 a=1 "


def test_an_answer_that_nobody_waits_for_is_dropped() -> None:
    def program(p: Process) -> Run:
        pid = p.fork(getter)
        yield from p.sleep(1)
        p.kill(pid, SIGTERM)
        ended = yield from p.wait(pid)
        return ended[1] if ended else 0

    box = Box()
    job = box.start(program)
    assert box.drive(job) == 128 + SIGTERM
    job.fetched(1, reply())
    job.fetched(77, reply())
    box.drive(job)
    assert box.closed() == []
    assert job.replies == {}

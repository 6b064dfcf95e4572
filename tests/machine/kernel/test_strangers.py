from __future__ import annotations

import pytest
from tests.machine.kernel.support import Box

from urltrap.machine.api import Process, Run
from urltrap.machine.effects import BytesContent
from urltrap.machine.fs.program import ProgramContent
from urltrap.machine.kernel.strangers import stranger, unwritten
from urltrap.model.event import ProgramRun


def brought(seed: bytes) -> bytes:
    return ProgramContent("bot", 6_000, seed).read(0, 6_000)


@pytest.mark.parametrize("seed", [b"%d" % number for number in range(12)])
def test_what_was_brought_seems_to_run_and_mostly_stays(seed: bytes) -> None:
    def program(p: Process) -> Run:
        p.fs.write("/tmp/bot", brought(seed), mode=0o755)
        pid = p.spawn(["/tmp/bot", "arg"])
        yield from p.sleep(2)
        ended = yield from p.wait(pid, block=False)
        alive = [row.argv for row in p.processes() if row.comm == "bot" and row.state != "Z"]
        yield from p.out(f"{ended[1] if ended else None} {alive}")
        return 0

    box = Box()
    job = box.start(program)
    while job.exit_status is None:
        box.effects += job.step(box.now)
        box.now += 1
    seen = box.output().decode()
    assert seen in ("0 [['/tmp/bot', 'arg']]", "0 []", "None [['/tmp/bot', 'arg']]")
    job.end()
    runs = [fields for fields in box.facts(ProgramRun) if fields["path"] == "/tmp/bot"]
    assert all(fields["outcome"] == "ran" for fields in runs)


def test_most_go_to_the_background_and_the_same_file_does_the_same_each_time() -> None:
    kinds = [stranger(BytesContent(brought(b"%d" % number))).__name__ for number in range(40)]
    again = [stranger(BytesContent(brought(b"%d" % number))).__name__ for number in range(40)]
    assert kinds == again
    assert kinds.count("_daemonises") > 20


def test_a_program_that_nobody_wrote_is_silent_or_crashes() -> None:
    box = Box()
    assert box.run(unwritten("sync")) == 0
    assert box.run(unwritten("frobnicate")) == 139
    assert box.output(1) + box.output(2) == b""

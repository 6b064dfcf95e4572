"""Coverage-guided fuzzing of the shell with atheris: every input is parsed in three dialects and run in a machine.

What must never happen: an exception that is no answer of the shell's (`ShellSyntaxError`, `BudgetError`), a program of
ours that crashes, a step that takes longer than its budget allows by far.

    pip install --group dev  # atheris is in it
    python bench/fuzz_shell.py -max_total_time=600 -max_len=400 [CORPUS_FOLDER]
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

try:
    import atheris
except ImportError:
    raise SystemExit("this needs atheris: pip install --group dev") from None

with atheris.instrument_imports(include=["urltrap.machine.shell"]):
    from tests.machine.programs.support import CONNECTION, NOW, installation

    from urltrap.machine.api import decode
    from urltrap.machine.effects import Fetch, ProgramCrashed
    from urltrap.machine.errors import BudgetError
    from urltrap.machine.machine import Machine
    from urltrap.machine.shell.dialect import DIALECTS
    from urltrap.machine.shell.errors import ShellSyntaxError
    from urltrap.machine.shell.parser import next_command, open_parser
    from urltrap.model.settings import SessionLimits

LIMITS = SessionLimits(steps_per_command=15_000, output_bytes=200_000, memory_bytes=4_000_000, processes=12)
SLOWEST = 2.0
PERSONA, IMAGE = installation("debian-12")
COMMANDS = {"bash": "", "dash": "/bin/dash -s", "ash": "/bin/busybox ash -s"}


def parse(text: str) -> None:
    """All commands of a text, in each dialect."""
    for dialect in DIALECTS.values():
        parser = open_parser(text, dialect, line=1, extglob=True, aliases={"ll": "ls -l", "a": "a "})
        try:
            while next_command(parser) is not None:
                pass
        except (ShellSyntaxError, BudgetError):
            pass


def run(text: str, shell: str) -> None:
    """The text as a command, or as standard input of another shell; nothing of ours may crash."""
    counter = itertools.count(7)
    machine = Machine(
        IMAGE, PERSONA, entropy=lambda below: next(counter) * 2_654_435_761 % below, limits=LIMITS
    )
    login = machine.login("root", CONNECTION, NOW)
    job = login.exec(text if not COMMANDS[shell] else COMMANDS[shell])
    if COMMANDS[shell]:
        job.receive(text.encode("utf-8", "surrogateescape"))
    job.receive_eof()
    now = NOW
    for _ in range(300):
        for effect in job.step(now):
            if isinstance(effect, ProgramCrashed):
                raise AssertionError(f"{effect.name} crashed: {effect.traceback}")
            if isinstance(effect, Fetch):
                job.end()
                return
        if job.runnable:
            continue
        if job.wake_at is None or now > NOW + 100:
            break
        now = max(now, job.wake_at)
    job.end()


def one_input(data: bytes) -> None:
    """One input: its first byte chooses the shell that runs it."""
    if not data:
        return
    text = decode(data[1:]).replace("\0", "")
    began = time.process_time()
    parse(text)
    run(text, ("bash", "dash", "ash")[data[0] % 3])
    took = time.process_time() - began
    if took > SLOWEST:
        raise AssertionError(f"{took:.2f} s of CPU for {text!r}")


def main() -> None:
    """Hand over to libFuzzer."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

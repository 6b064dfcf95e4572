"""sleep and usleep."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._system import gnu_usage, is_device
from urltrap.machine.programs.env import seconds_of
from urltrap.machine.programs.registry import program


@program("sleep")
def sleep(p: Process) -> Run:
    """Wait for the sum of the durations."""
    words = [word for word in p.argv[1:] if word != "--"]
    if words[:1] == ["--version"]:
        yield from p.out("sleep (GNU coreutils) 9.1\n")
        return 0
    if words[:1] == ["--help"]:
        yield from p.out(f"Usage: {p.argv[0]} NUMBER[SUFFIX]...\n  or:  {p.argv[0]} OPTION\n")
        return 0
    if not words:
        return (yield from gnu_usage(p, "missing operand"))
    total = 0.0
    for word in words:
        value = seconds_of(word)
        if value is None:
            if word.startswith("--"):
                return (yield from gnu_usage(p, f"unrecognized option '{word}'"))
            if word.startswith("-") and len(word) > 1:
                return (yield from gnu_usage(p, f"invalid option -- '{word[1]}'"))
            if is_device(p):
                yield from p.err(f"sleep: invalid number '{word}'\n")
                return 1
            return (yield from gnu_usage(p, f"invalid time interval '{word}'"))
        total += value
    yield from p.sleep(min(total, 1e9))
    return 0


@program("usleep")
def usleep(p: Process) -> Run:
    """Wait for microseconds (BusyBox)."""
    if len(p.argv) < 2 or not p.argv[1].isdigit():
        yield from p.err(f"usleep: invalid number '{p.argv[1] if len(p.argv) > 1 else ''}'\n")
        return 1
    yield from p.sleep(min(int(p.argv[1]), 10**12) / 1e6)
    return 0

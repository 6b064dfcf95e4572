"""dmesg: the kernel's messages since the start."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._bootlog import boot_lines
from urltrap.machine.programs._system import option_problem
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.registry import program

_DMESG_OPTIONS = (
    "clear read-clear console-off console-on show-delta decode reltime file: facility: human json "
    "kernel color:: level: "
    "console-level: nopager force-prefix raw noescape syslog buffer-size: ctime notime time-format: userspace follow "
    "follow-new since: until:"
)


@program("dmesg")
def dmesg(p: Process) -> Run:
    """The kernel's messages since the start."""
    words = p.argv[1:]
    if problem := option_problem(p, "CcDdEeF:f:HhJkLl:n:PprSs:TtuwWxVU:", _DMESG_OPTIONS):
        yield from p.err(f"{problem}Try 'dmesg --help' for more information.\n")
        return 1
    if p.uid and p.persona.is_server:
        yield from p.err("dmesg: read kernel buffer failed: Operation not permitted\n")
        return 1
    if any(word in ("-C", "--clear") for word in words):
        return 0
    stamps = any(word in ("-T", "--ctime") for word in words)
    for when, text in boot_lines(p.persona):
        if stamps:
            clock = local(p, p.boot_time + when).clock
            yield from p.out(f"[{clock:%a %b} {clock.day:2d} {clock:%H:%M:%S %Y}] {text}\n")
        else:
            yield from p.out(f"[{when:12.6f}] {text}\n")
    return 0

"""brctl: a router's bridge (bridge-utils and BusyBox; what there is to change is taken without a word)."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.persona.lan import bridged
from urltrap.machine.programs._cmd import bb_usage
from urltrap.machine.programs.registry import program


@program("brctl")
def brctl(p: Process) -> Run:
    """Show or change bridges."""
    words = p.argv[1:]
    if not words:
        yield from p.err(bb_usage(p, "brctl"))
        return 1
    if words[0] != "show":
        if p.uid:
            yield from p.err("brctl: bridge br-lan: Operation not permitted\n")
            return 1
        return 0
    yield from p.out("bridge name\tbridge id\t\tSTP enabled\tinterfaces\n")
    bridge = p.persona.network.interfaces[1]
    if p.persona.is_server or words[1:2] not in ([], [bridge.name]):
        return 0
    first, *others = bridged(p.persona)
    number = bridge.mac.replace(":", "")
    yield from p.out(f"{bridge.name}\t\t7fff.{number}\tno\t\t{first}\n")
    yield from p.out("".join(f"\t\t\t\t\t\t\t{name}\n" for name in others))
    return 0

"""Running traps: of signals that arrived, of the shell's exit, of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.shell.errors import DiscardLine, ExitShell, ReturnFrom
from urltrap.machine.shell.signals import name_of

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


def run_action(sh: Shell, action: str) -> Gen[None]:
    """Run a trap's commands; ``$?`` is kept."""
    from urltrap.machine.shell.interpreter.script import run_text

    status = sh.status
    was = sh.in_trap
    before = sh.extra.get("trap_status")
    sh.in_trap = True
    sh.extra["trap_status"] = (status, sh.function_depth)
    try:
        yield from run_text(sh, action, origin="trap")
    finally:
        sh.in_trap = was
        sh.extra["trap_status"] = before
    sh.status = status


def run_pending(sh: Shell) -> Gen[None]:
    """Run the traps of signals that arrived since the last look."""
    for number in sh.p.pending_signals():
        action = sh.traps.get(name_of(number) or "")
        if action:
            yield from run_action(sh, action)
        elif number == 2 and sh.interactive:
            yield from sh.p.err("\n")
            sh.status = 130
            raise DiscardLine(130)


def run_exit(sh: Shell) -> Gen[None]:
    """Run the EXIT trap once; an ``exit`` inside it sets the status."""
    action = sh.traps.pop("EXIT", "")
    if action:
        try:
            yield from run_action(sh, action)
        except ExitShell as leave:
            sh.status = leave.status
        except ReturnFrom:
            return


def run_error(sh: Shell) -> Gen[None]:
    """Run the ERR trap."""
    action = sh.traps.get("ERR", "")
    if action and not sh.in_trap:
        yield from run_action(sh, action)

"""Foreground children of an interactive shell: their own group, the terminal, ^C and ^Z."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.api import STOPPED
from urltrap.machine.errors import SysError
from urltrap.machine.shell.errors import DiscardLine
from urltrap.machine.shell.messages import child_died
from urltrap.machine.shell.signals import name_of
from urltrap.machine.shell.traps import run_action

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell
    from urltrap.machine.shell.jobs import Job


def give_terminal(sh: Shell, group: int) -> None:
    """Make `group` the one that the terminal's keys signal."""
    try:
        sh.p.set_foreground(group)
    except SysError:
        pass  # no terminal: nothing to give


def wait_foreground(
    sh: Shell, pids: list[int], text: str, job: Job | None = None, *, own_group: bool = False
) -> Gen[int]:
    """Wait for a foreground job; a stopped one joins the table. The last status. ^C that ended it drops the rest of
    the command line (DiscardLine)."""
    from urltrap.machine.shell.builtins.jobs import note

    if own_group:
        give_terminal(sh, pids[0])
    statuses: dict[int, int] = {}
    interrupted = False
    try:
        while len(statuses) < len(pids):
            waiting = next(pid for pid in pids if pid not in statuses)
            try:
                ended = yield from sh.p.wait(waiting)
            except SysError as problem:
                if problem.errno == 4:
                    interrupted = (yield from _take_signals(sh)) or interrupted
                    continue
                statuses[waiting] = sh.jobs.ended.get(waiting, 127)
                continue
            if ended is None:
                continue
            pid, status = ended
            if status >= STOPPED:
                if job is None:
                    job = sh.jobs.add(pids, text)
                job.stopped = True
                yield from sh.p.err(
                    "\n" + f"[{job.number}]+  {'Stopped':<23} {text}\n"
                    if sh.dialect.bash
                    else f"\n[{job.number}]+  Stopped                    {text}\n"
                )
                return 128 + status - STOPPED
            statuses[pid] = status
            note(sh, pid, status)
    finally:
        if own_group:
            give_terminal(sh, sh.p.group)
    if job is not None:
        job.reported = True
        sh.jobs.remove_reported()
    sh.pipe_status = [statuses[pid] for pid in pids]
    last = statuses[pids[-1]]
    if last > 128:
        yield from child_died(sh, pids[-1], last, text)
    if interrupted and last == 130:
        sh.status = 130
        raise DiscardLine(130)
    return last & 255


def _take_signals(sh: Shell) -> Gen[bool]:
    """Run the traps of what arrived; True for a ^C that nobody traps."""
    interrupted = False
    for number in sh.p.pending_signals():
        action = sh.traps.get(name_of(number) or "")
        if action:
            yield from run_action(sh, action)
        elif number == 2:
            interrupted = True
    return interrupted

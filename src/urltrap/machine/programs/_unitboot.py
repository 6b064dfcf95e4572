"""A start of the machine: systemd starts what somebody enabled (the links in /etc/systemd/system/*.wants/).

Nothing is stepped for it: a service whose program is there is a row of the process table, one without it is failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from urltrap.machine.api import ProcessInfo
from urltrap.machine.errors import SysError
from urltrap.machine.programs._system import Reader, account
from urltrap.machine.programs._unitexec import EXEC
from urltrap.machine.programs._unitrun import locate, service_of, title, words_of
from urltrap.machine.programs._units import OWN, unit_file
from urltrap.machine.units import UnitRun

_AFTER = 5.4
"""Seconds from the kernel's start until multi-user.target wants its services."""


def enabled(p: Reader) -> list[str]:
    """The services that a start brings up besides those of the packages."""
    found = []
    for folder in _names(p, OWN):
        if folder.endswith((".wants", ".requires")):
            found += [name for name in _names(p, f"{OWN}/{folder}") if name.endswith(".service")]
    return [name for name in dict.fromkeys(found) if unit_file(p, name) == f"{OWN}/{name}"]


def started(
    p: Reader, boot: float, next_pid: Callable[[], int]
) -> Iterator[tuple[str, UnitRun, ProcessInfo | None]]:
    """Each enabled unit with its state, and its main process where that goes on; `boot` in unix seconds."""
    for number, unit in enumerate(enabled(p)):
        service, run, when = service_of(p, unit), UnitRun(), boot + _AFTER + number * 0.03
        if service.problem:
            run.say(when, "systemd[1]", f"{unit}: {service.problem}")
            run.become("inactive", 0.0, "bad-setting")
            yield unit, run, None
            continue
        argv = words_of(unit, service.starts[0] if service.starts else "/bin/true") or ["/bin/true"]
        path = locate(p, argv[0])
        oneshot = service.kind == "oneshot"
        run.command, run.began, run.pid = " ".join(argv), when, next_pid()
        run.say(
            when,
            "systemd[1]",
            f"{'Starting' if oneshot else 'Started'} {title(p, unit)}{'...' if oneshot else '.'}",
        )
        if not path:
            run.status = EXEC
            run.say(when + 0.01, "systemd[1]", f"{unit}: Main process exited, code=exited, status=203/EXEC")
            run.say(when + 0.01, "systemd[1]", f"{unit}: Failed with result 'exit-code'.")
            run.become("failed", when + 0.01, "exit-code")
            yield unit, run, None
        elif oneshot:
            run.status = 0
            run.say(when + 0.2, "systemd[1]", f"Finished {title(p, unit)}.")
            run.become("active" if service.remains else "inactive", when + 0.2)
            yield unit, run, None
        else:
            run.become("active", when)
            fields = account(p, service.setting.user) if service.setting.user else None
            name = path.rpartition("/")[2][:15]
            yield unit, run, ProcessInfo(
                run.pid, 1, argv, name, int(fields[2]) if fields else 0, "Ss", when, "?", path, "/", run.pid,
                {}, 0.02, 2_600, 5_800,
            )  # fmt: skip


def _names(p: Reader, folder: str) -> list[str]:
    try:
        return p.fs.listdir(folder)
    except SysError:
        return []

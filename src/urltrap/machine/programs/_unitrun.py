"""Starting and stopping units: systemd forks what ExecStart= names, and remembers how it ended (systemd.service(5)).

What a unit runs is a process of the machine like any other; the state in `units` says how it went.
"""

from __future__ import annotations

import errno
import shlex
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from urltrap.machine.api import Process
from urltrap.machine.errors import SysError
from urltrap.machine.programs._system import Reader, text_of
from urltrap.machine.programs._unitexec import (
    CHDIR,
    EXEC,
    PATH,
    STDOUT,
    STEPS,
    USER,
    Setting,
    program,
    setting_of,
)
from urltrap.machine.programs._units import sections, unit_file
from urltrap.machine.units import Result, UnitRun, known

_LIMIT, _WITHIN = 5, 10.0
_CLEAN = (0, 128 + 1, 128 + 2, 128 + 13, 128 + 15)
_JOB_FAILED = (
    'Job for {0} failed because {1}.\nSee "systemctl status {0}" and "journalctl -xeu {0}" for details.\n'
)


@dataclass(frozen=True, slots=True)
class Service:
    """What the file of a service says, as far as it matters here."""

    kind: str
    starts: tuple[str, ...]
    stops: tuple[str, ...]
    restart: str
    remains: bool
    setting: Setting
    problem: str
    """Why it is not started at all; empty where it can be."""


def service_of(p: Reader, unit: str) -> Service:
    """Read a service's file."""
    found = sections(text_of(p, unit_file(p, unit))).get("Service", {})

    def last(key: str, default: str = "") -> str:
        return (found.get(key) or [default])[-1]

    starts = tuple(found.get("ExecStart", []))
    kind = last("Type", "simple" if starts else "oneshot")
    problem = ""
    if not starts and not found.get("ExecStop") and not last("SuccessAction"):
        problem = "Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing."
    elif not starts and kind != "oneshot":
        problem = (
            "Service has no ExecStart= setting, which is only allowed for Type=oneshot services. Refusing."
        )
    elif len(starts) > 1 and kind != "oneshot":
        problem = (
            "Service has more than one ExecStart= setting, which is only allowed for Type=oneshot services. "
        )
        problem += "Refusing."
    return Service(
        kind, starts, tuple(found.get("ExecStop", [])), last("Restart", "no"),
        last("RemainAfterExit") in ("yes", "true", "1", "on"), setting_of(found), problem,
    )  # fmt: skip


def title(p: Reader, unit: str) -> str:
    """ "x.service - Description" as the journal names units."""
    text = sections(text_of(p, unit_file(p, unit))).get("Unit", {}).get("Description", [])
    return f"{unit} - {text[-1]}" if text else unit


def alive(p: Process, run: UnitRun) -> bool:
    """Whether the main process of a unit runs still."""
    row = p.process_row(run.pid) if run.pid else None
    return row is not None and not row.state.startswith("Z")


def settle(p: Process, unit: str, run: UnitRun) -> None:
    """A unit whose process went without telling (an earlier visit's, or with its machine) is over; one that a signal
    ended and that wants to run again does."""
    if run.due:
        run.due = False
        _launch(p, unit, service_of(p, unit), run)
    elif run.active == "active" and run.pid and run.status < 0 and not alive(p, run):
        run.become("inactive", p.now())


def start(p: Process, unit: str) -> Generator[Any, Any, int]:
    """Start a unit by hand; the status of systemctl, which complains itself."""
    run = known(p.units, unit)
    settle(p, unit, run)
    if not unit.endswith(".service"):
        run.become("active", p.now())
        return 0
    if run.active == "active" and alive(p, run):
        return 0
    service = service_of(p, unit)
    if service.problem:
        run.say(p.now(), "systemd[1]", f"{unit}: {service.problem}")
        run.become("inactive", 0.0, "bad-setting")
        yield from p.err(
            f"Failed to start {unit}: Unit {unit} has a bad unit file setting.\n"
            f"See system logs and 'systemctl status {unit}' for details.\n"
        )
        return 1
    run.starts.clear()
    yield from p.sleep(0.05 + p.random(60) / 1000)
    _launch(p, unit, service, run)
    waits = service.kind in ("oneshot", "forking", "exec", "notify", "notify-reload", "dbus")
    if not waits:
        yield from p.sleep(0.02)
        return 0
    pid = run.pid
    if service.kind in ("oneshot", "forking"):
        while run.pid == pid and run.status < 0 and alive(p, run):
            yield from p.sleep(0.1)
    else:
        yield from p.sleep(0.05)
    if run.active != "failed" and not (run.status > 0 and run.pid == pid):
        return 0
    reason = "a fatal signal was delivered to the control process" if run.killed else (
        "the control process exited with error code")  # fmt: skip
    yield from p.err(_JOB_FAILED.format(unit, reason))
    return 1


def stop(p: Process, unit: str) -> None:
    """Stop a unit: its process gets SIGTERM."""
    run = known(p.units, unit)
    if run.active == "active":
        run.say(p.now(), "systemd[1]", f"Stopping {title(p, unit)}...")
        pid, run.pid = run.pid, 0  # what ends now was asked to
        try:
            if pid:
                p.kill(pid, 15)
        except SysError:
            pass  # it is gone already
        run.pid, run.status, run.killed = pid, 128 + 15, True
        run.say(p.now(), "systemd[1]", f"{unit}: Deactivated successfully.")
        run.say(p.now(), "systemd[1]", f"Stopped {title(p, unit)}.")
    run.become("inactive", p.now())


def words_of(unit: str, line: str) -> list[str]:
    """The words of a command line, specifiers filled in."""
    plain = (
        line.lstrip("-@:+!|").replace("%n", unit).replace("%N", unit.rpartition(".")[0]).replace("%%", "%")
    )
    try:
        return shlex.split(plain)
    except ValueError:
        return plain.split()


def _launch(p: Process, unit: str, service: Service, run: UnitRun) -> None:
    """Fork the main process; how it ends is written down by itself."""
    run.starts = [when for when in run.starts if p.now() - when < _WITHIN] + [p.now()]
    name = title(p, unit)
    oneshot = service.kind == "oneshot"
    run.say(p.now(), "systemd[1]", f"{'Starting' if oneshot or service.kind == 'forking' else 'Started'} {name}"
            + ("..." if oneshot or service.kind == "forking" else "."))  # fmt: skip
    command = service.starts[0] if service.starts else "/bin/true"
    argv = words_of(unit, command) or ["/bin/true"]
    path = locate(p, argv[0])

    def say(who: str, text: str) -> None:
        run.say(p.now(), who, text)

    entry = program(p, service.setting, argv, path, say)
    run.command, run.began, run.status, run.killed = " ".join(argv), p.now(), -1, False
    run.pid = pid = p.fork(entry, comm=(path or argv[0]).rpartition("/")[2][:15])
    p.watch(pid, lambda status: _over(p, unit, service, run, pid, status, path or argv[0]))
    if not oneshot:
        run.become("active", p.now())


def locate(p: Reader, name: str) -> str:
    """The file of a program that systemd would run; empty where there is none."""
    places = [name] if "/" in name else [f"{folder}/{name}" for folder in PATH.split(":")]
    return next((place for place in places if _runs(p, place)), "")


def _runs(p: Reader, path: str) -> bool:
    try:
        return not p.fs.stat(path).is_dir and p.fs.access(path, 1)
    except SysError:
        return False


def _over(p: Process, unit: str, service: Service, run: UnitRun, pid: int, status: int, path: str) -> None:
    """The main process ended: write down how, and start it again where the unit wants that."""
    if run.pid != pid:
        return  # it was stopped by hand, or another one has taken its place
    now = p.now()
    killed = status - 128 in _SIGNAL_NAMES
    run.status, run.killed = status, killed
    clean = run.status in _CLEAN if killed or not status else False
    tell = _ending(p, unit, run, pid, path)
    for who, text in tell:
        run.say(now, who, text)
    forked = service.kind == "forking" and status == 0
    child = next(
        (row for row in p.processes() if forked and row.session == p.session and row.pid != p.pid), None
    )
    if child is not None:
        run.pid, run.status, run.began = child.pid, -1, now
        run.say(now, "systemd[1]", f"Started {title(p, unit)}.")
        run.become("active", now)
        return
    if clean:
        if service.kind == "oneshot":
            if not service.remains:
                run.say(now, "systemd[1]", f"{unit}: Deactivated successfully.")
            run.say(now, "systemd[1]", f"Finished {title(p, unit)}.")
        else:
            run.say(now, "systemd[1]", f"{unit}: Deactivated successfully.")
        run.become("active" if service.remains else "inactive", now)
    else:
        how: Result = "signal" if killed else "exit-code"
        run.say(now, "systemd[1]", f"{unit}: Failed with result '{how}'.")
        if service.kind in ("oneshot", "forking"):
            run.say(now, "systemd[1]", f"Failed to start {title(p, unit)}.")
        run.become("failed", now, how)
    wanted = {"always": True, "on-success": clean, "on-failure": not clean, "on-abnormal": killed and not clean,
              "on-abort": killed and not clean, "on-watchdog": False}.get(service.restart, False)  # fmt: skip
    if not wanted or service.kind == "oneshot":
        return
    if now - run.began >= 1.0:
        run.due = True  # whoever looks next finds it started again
        return
    # What ends at once does so each time: systemd tries it up to its limit.
    for count in range(len(run.starts), _LIMIT + 1):
        run.say(now, "systemd[1]", f"{unit}: Scheduled restart job, restart counter is at {count}.")
        run.say(now, "systemd[1]", f"Stopped {title(p, unit)}.")
        if count == _LIMIT:
            break
        run.say(now, "systemd[1]", f"Started {title(p, unit)}.")
        for who, text in tell if not clean else []:
            run.say(now, who, text)
        ended = "Deactivated successfully." if clean else f"Failed with result '{run.result}'."
        run.say(now, "systemd[1]", f"{unit}: {ended}")
    result: Result = "start-limit-hit" if clean else run.result
    run.say(now, "systemd[1]", f"{unit}: Start request repeated too quickly.")
    run.say(now, "systemd[1]", f"{unit}: Failed with result '{result}'.")
    run.say(now, "systemd[1]", f"Failed to start {title(p, unit)}.")
    run.become("failed", now, result)


def _ending(p: Process, unit: str, run: UnitRun, pid: int, path: str) -> list[tuple[str, str]]:
    """The lines about how the main process ended: who says it, and what; none where all went well."""
    found = []
    if run.status in STEPS:
        me = f"systemd[{pid}]" if p.persona.kind != "debian-13" else f"({path.rpartition('/')[2][:8]})[{pid}]"
        if run.status == EXEC:
            reason = (
                errno.ENOENT if not _there(p, path) else errno.EACCES if not _runs(p, path) else errno.ENOEXEC
            )
            if reason != errno.ENOEXEC:
                found.append((me, f"{unit}: Failed to locate executable {path}: {SysError(reason).words}"))
        else:
            reason = errno.ESRCH if run.status == USER else errno.ENOENT
            what = {USER: "Failed to determine user credentials", CHDIR: "Changing to the requested working directory"
                    " failed", STDOUT: "Failed to set up standard output"}.get(run.status, "Failed")  # fmt: skip
            found.append((me, f"{unit}: {what}: {SysError(reason).words}"))
        words = SysError(reason).words
        found.append((me, f"{unit}: Failed at step {STEPS[run.status]} spawning {path}: {words}"))
    if run.status:
        code = "killed" if run.killed else "exited"
        found.append(("systemd[1]", f"{unit}: Main process exited, code={code}, status={status_words(run)}"))
    return found


def _there(p: Reader, path: str) -> bool:
    try:
        p.fs.stat(path)
    except SysError:
        return False
    return True


_EXIT_NAMES = {0: "SUCCESS", 1: "FAILURE", 2: "INVALIDARGUMENT", 126: "n/a", 127: "n/a", **STEPS}
_SIGNAL_NAMES = {1: "HUP", 2: "INT", 6: "ABRT", 9: "KILL", 11: "SEGV", 13: "PIPE", 15: "TERM"}


def status_words(run: UnitRun) -> str:
    """ "203/EXEC" or "15/TERM"."""
    if run.killed:
        number = run.status - 128
        return f"{number}/{_SIGNAL_NAMES.get(number, 'n/a')}"
    return f"{run.status}/{_EXIT_NAMES.get(run.status, 'n/a')}"

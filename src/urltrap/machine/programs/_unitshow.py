"""What systemctl shows of units: status, lists, timers, the whole machine."""

from __future__ import annotations

import fnmatch
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, ProcessInfo, Run
from urltrap.machine.persona import Resident
from urltrap.machine.proc.pids import threads
from urltrap.machine.programs._journal import entries
from urltrap.machine.programs._release import package_version
from urltrap.machine.programs._system import text_of
from urltrap.machine.programs._unitrun import alive, service_of, settle, status_words, title
from urltrap.machine.programs._units import in_utf8, sections, state_of, unit_file
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.journalctl import short_line
from urltrap.machine.units import UnitRun

_DAY, _MONTH = 86_400.0, 2_629_800.0
_EXITED = (
    "ifupdown-pre", "kmod-static-nodes", "networking", "systemd-journal-flush", "systemd-modules-load",
    "systemd-random-seed", "systemd-remount-fs", "systemd-sysctl", "systemd-sysusers", "systemd-tmpfiles-setup-dev",
    "systemd-tmpfiles-setup", "systemd-udev-trigger", "systemd-update-utmp", "systemd-user-sessions",
    "systemd-binfmt", "cloud-init-local", "cloud-init", "cloud-config", "cloud-final",
)  # fmt: skip
_SOCKETS = (
    "dbus.socket", "systemd-initctl.socket", "systemd-journald-audit.socket", "systemd-journald-dev-log.socket",
    "systemd-journald.socket", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket", "acpid.socket",
    "cloud-init-hotplugd.socket",
)  # fmt: skip
_TARGETS = (
    "basic", "cryptsetup", "getty", "graphical", "integritysetup", "local-fs-pre", "local-fs", "multi-user",
    "network-online", "network", "nss-user-lookup", "paths", "remote-fs", "slices", "sockets", "swap", "sysinit",
    "time-set", "timers", "veritysetup", "cloud-config", "cloud-init",
)  # fmt: skip
_TIMERS = (
    ("apt-daily.timer", 43_200.0, 24_200.0), ("apt-daily-upgrade.timer", _DAY, 22_300.0),
    ("dpkg-db-backup.timer", _DAY, 0.0), ("e2scrub_all.timer", 7 * _DAY, 11_420.0), ("fstrim.timer", 7 * _DAY, 1_930.0),
    ("logrotate.timer", _DAY, 0.0), ("systemd-tmpfiles-clean.timer", _DAY, 900.0),
)  # fmt: skip
"""Timers of Debian: how often, and how long after midnight (systemd.timer(5)); the cleaner's counts from the start."""
_SUBS = {"service": "exited", "socket": "listening", "target": "active", "timer": "waiting", "slice": "active",
         "mount": "mounted", "path": "waiting", "swap": "active", "scope": "running"}  # fmt: skip


def settled(p: Process) -> dict[str, str]:
    """Units that are active since the start without a process of their own, with their sub-state."""
    found = {f"{name}.service": "exited" for name in _EXITED} | dict.fromkeys(_SOCKETS, "listening")
    found |= {f"{name}.target": "active" for name in _TARGETS} | {name: "waiting" for name, _, _ in _TIMERS}
    found |= {"acpid.path": "waiting", "systemd-ask-password-console.path": "waiting",
              "systemd-ask-password-wall.path": "waiting"}  # fmt: skip
    running = ("dbus.socket", "systemd-journald-audit.socket", "systemd-journald-dev-log.socket",
               "systemd-journald.socket", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket")  # fmt: skip
    found |= dict.fromkeys(running, "running")
    there = {name: sub for name, sub in found.items() if unit_file(p, name)}
    for name in ("-.slice", "system.slice", "user.slice", "system-getty.slice", "system-modprobe.slice"):
        there[name] = "active"
    there["-.mount"] = "mounted"
    return there


def resident_of(p: Process, unit: str) -> Resident | None:
    """The process that the installation runs for a unit."""
    return next((each for each in p.persona.residents if each.unit == unit), None)


def main_pid(p: Process, unit: str) -> int:
    """The main process of a unit that runs; 0 where none does."""
    run = p.units.get(unit)
    if run is not None:
        settle(p, unit, run)
        return run.pid if run.active == "active" and alive(p, run) else 0
    each = resident_of(p, unit)
    return each.pid if each is not None and p.process_row(each.pid) is not None else 0


def description(p: Process, unit: str) -> str:
    """What the unit's file calls it."""
    fixed = {"-.slice": "Root Slice", "-.mount": "Root Mount", "system.slice": "System Slice", "user.slice":
             "User and Session Slice", "system-getty.slice": "Slice /system/getty", "system-modprobe.slice":
             "Slice /system/modprobe"}  # fmt: skip
    text = fixed.get(unit) or title(p, unit).partition(" - ")[2] or unit
    return text.replace("%I", unit.partition("@")[2].rpartition(".")[0])


def state(p: Process, unit: str) -> str:
    """What is-active says."""
    run = p.units.get(unit)
    if run is not None:
        settle(p, unit, run)
        return run.active
    if resident_of(p, unit) is not None:
        return "active" if main_pid(p, unit) else "inactive"
    return "active" if unit in settled(p) else "inactive"


def is_active(p: Process, unit: str) -> bool:
    """Whether it is active."""
    return state(p, unit) == "active"


def failed(p: Process) -> list[str]:
    """Units that failed."""
    return sorted(name for name in list(p.units) if state(p, name) == "failed")


def ago(seconds: float) -> str:
    """How long ago, as systemd's format_timestamp_relative says it."""

    def some(number: float, word: str) -> str:
        return f"{int(number)} {word}{'s' if int(number) != 1 else ''}"

    if seconds >= 12 * _MONTH:
        return (
            f"{some(seconds // (12 * _MONTH), 'year')} {some(seconds % (12 * _MONTH) // _MONTH, 'month')} ago"
        )
    if seconds >= _MONTH:
        return f"{some(seconds // _MONTH, 'month')} {some(seconds % _MONTH // _DAY, 'day')} ago"
    if seconds >= 7 * _DAY:
        return f"{some(seconds // (7 * _DAY), 'week')} {some(seconds % (7 * _DAY) // _DAY, 'day')} ago"
    if seconds >= 2 * _DAY:
        return f"{int(seconds // _DAY)} days ago"
    if seconds >= 25 * 3600:
        return f"1 day {int((seconds - _DAY) // 3600)}h ago"
    if seconds >= 6 * 3600:
        return f"{int(seconds // 3600)}h ago"
    if seconds >= 3600:
        return f"{int(seconds // 3600)}h {int(seconds % 3600 // 60)}min ago"
    if seconds >= 300:
        return f"{int(seconds // 60)}min ago"
    if seconds >= 60:
        return f"{int(seconds // 60)}min {int(seconds % 60)}s ago"
    return f"{int(seconds)}s ago" if seconds >= 1 else f"{max(1, int(seconds * 1000))}ms ago"


def spent(seconds: float) -> str:
    """Processor time as status shows it."""
    if seconds < 1:
        return f"{max(1, round(seconds * 1000))}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    head = f"{hours}h " if hours else ""
    return f"{head}{f'{minutes}min ' if minutes or hours else ''}{rest:.3f}s"


def since(p: Process, when: float) -> str:
    """ "since Tue 2026-11-24 16:00:00 CET; 3s ago"."""
    at = local(p, when)
    return f"since {at.clock:%a %Y-%m-%d %H:%M:%S} {at.zone}; {ago(p.now() - when)}"


def _family(p: Process, pid: int) -> list[ProcessInfo]:
    rows = {row.pid: row for row in p.processes()}
    found = [rows[pid]] if pid in rows else []
    for row in rows.values():
        if row.ppid in {each.pid for each in found} and row.pid != pid and row.comm != "sshd":
            found.append(row)
    return found


def status(p: Process, unit: str) -> Generator[Any, Any, int]:
    """``systemctl status UNIT``."""
    path = unit_file(p, unit)
    if not path and unit not in settled(p):
        yield from p.err(f"Unit {unit} could not be found.\n")
        return 4
    wide = in_utf8(p)
    run = p.units.get(unit)
    now_is = state(p, unit)
    problem = service_of(p, unit).problem if unit.endswith(".service") and path else ""
    bullet = (
        {"active": "●", "failed": "×"}.get(now_is, "○")
        if wide
        else {"active": "*", "failed": "x"}.get(now_is, "*")
    )
    enabled = state_of(p, unit)
    preset = "" if enabled in ("static", "alias") or not enabled else "; preset: enabled"
    loaded = f"loaded ({path}; {enabled}{preset})"
    if problem:
        loaded = f"bad-setting (Reason: Unit {unit} has a bad unit file setting.)"
    elif enabled == "masked":
        loaded = f"masked (Reason: Unit {unit} is masked.)"
    lines = [f"{bullet} {unit} - {description(p, unit)}" if description(p, unit) != unit else f"{bullet} {unit}",
             f"     Loaded: {loaded}", f"     Active: {_active_line(p, unit, run, now_is)}"]  # fmt: skip
    settings = sections(text_of(p, path)).get("Unit", {}) if path else {}
    docs = " ".join(settings.get("Documentation", [])).split()
    lines += [f"{'             ' if number else '       Docs: '}{word}" for number, word in enumerate(docs)]
    pid = main_pid(p, unit)
    if run is not None and run.command and run.status >= 0 and not pid:
        code = "killed, signal" if run.killed else "exited, status"
        text = run.command.split()[0]
        if run.since > run.began:
            lines.append(f"   Duration: {_duration(run.since - run.began)}")
        starts = (service_of(p, unit).starts or (text,))[0]
        shown = status_words(run).partition("/")[2] if run.killed else status_words(run)
        lines += [f"    Process: {run.pid} ExecStart={starts} (code={code}={shown})",
                  f"   Main PID: {run.pid} (code={code}={shown})", f"        CPU: {spent(0.003)}"]  # fmt: skip
    lines += _processes(p, unit, pid, wide) if pid else []
    shown_lines = [each for each in entries(p) if each.unit == unit][-10:] if not p.uid else []
    yield from p.out("\n".join(lines) + "\n")
    if shown_lines:
        yield from p.out("\n" + "".join(short_line(p, each) for each in shown_lines))
    return 0 if now_is == "active" else 3


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms" if seconds < 1 else spent(seconds)


def _active_line(p: Process, unit: str, run: UnitRun | None, now_is: str) -> str:
    kind = unit.rpartition(".")[2]
    if now_is == "failed" and run is not None:
        return f"failed (Result: {run.result}) {since(p, run.since)}"
    if now_is != "active":
        return (
            f"inactive (dead) {since(p, run.since)}" if run is not None and run.since else "inactive (dead)"
        )
    each = resident_of(p, unit)
    if run is not None:
        sub = (
            ("running" if main_pid(p, unit) else "exited") if kind == "service" else _SUBS.get(kind, "active")
        )
        return f"active ({sub}) {since(p, run.since)}"
    sub = "running" if each is not None else settled(p).get(unit, "exited")
    when = p.boot_time + (each.after if each is not None else 2.6)
    line = f"active ({sub}) {since(p, when)}"
    if kind == "timer":
        upcoming = next((row for row in timers(p) if row[2] == unit), None)
        if upcoming is not None:
            at = local(p, upcoming[0])
            line += f"\n    Trigger: {at.clock:%a %Y-%m-%d %H:%M:%S} {at.zone}; {left(upcoming[0] - p.now())}"
    return line


def _processes(p: Process, unit: str, pid: int, wide: bool) -> list[str]:
    rows = _family(p, pid)
    main = rows[0]
    limit = p.persona.memory.total_kb // 880
    corner, tee = ("└─", "├─") if wide else ("`-", "|-")
    lines = [
        f"   Main PID: {pid} ({main.comm})", f"      Tasks: {sum(threads(row) for row in rows)} (limit: {limit})",
        f"     Memory: {_size(sum(row.rss_kb for row in rows))}",
        f"        CPU: {spent(sum(row.cpu_seconds for row in rows))}", f"     CGroup: /{_slice(unit)}/{unit}",
    ]  # fmt: skip
    for number, row in enumerate(rows):
        command = " ".join(row.argv)
        command = f'"{command}"' if command.startswith("sshd:") else command
        lines.append(f"             {corner if number == len(rows) - 1 else tee}{row.pid} {command}")
    return lines


def _slice(unit: str) -> str:
    return "system.slice/system-getty.slice" if unit.startswith("getty@") else "system.slice"


def _size(kilobytes: int) -> str:
    return f"{kilobytes:.1f}K" if kilobytes < 1024 else f"{kilobytes / 1024:.1f}M"


def overview(p: Process) -> Run:
    """``systemctl status`` of the whole machine."""
    bad = failed(p)
    wide = in_utf8(p)
    loaded = len(settled(p)) + len({each.unit for each in p.persona.residents}) + 118 + len(p.units)
    version = package_version(p, "systemd") or "252"
    yield from p.out(
        f"{'●' if wide else '*'} {p.hostname}\n    State: {'degraded' if bad else 'running'}\n"
        f"    Units: {loaded} loaded (incl. loaded aliases)\n     Jobs: 0 queued\n   Failed: {len(bad)} units\n"
        f"    Since: {since(p, p.boot_time).removeprefix('since ')}\n  systemd: {version}\n   CGroup: /\n"
    )
    corner, tee, bar = ("└─", "├─", "│ ") if wide else ("`-", "|-", "| ")
    yield from p.out(
        f"           {tee}init.scope\n           {bar}{corner}1 /sbin/init\n           {corner}system.slice\n"
    )
    units = sorted({each.unit for each in p.persona.residents if each.unit.endswith(".service")})
    running = [(unit, main_pid(p, unit)) for unit in units if main_pid(p, unit)]
    for number, (unit, pid) in enumerate(running):
        last = number == len(running) - 1
        row = p.process_row(pid)
        command = " ".join(row.argv) if row is not None else ""
        yield from p.out(f"             {corner if last else tee}{unit}\n"
                         f"             {'  ' if last else bar}{corner}{pid} {command}\n")  # fmt: skip
    return 0


def list_units(p: Process, flags: list[str], patterns: list[str], kinds: list[str], states: list[str]) -> Run:
    """``systemctl list-units``."""
    wide, heads = in_utf8(p), "--no-legend" not in flags
    if "--failed" in flags:
        states = ["failed"]
    rows = {unit: (state(p, unit), sub) for unit, sub in settled(p).items()}
    for unit in {each.unit for each in p.persona.residents if each.unit.endswith((".service", ".scope"))}:
        rows[unit] = (state(p, unit), "running" if main_pid(p, unit) else "dead")
    for unit, run in list(p.units.items()):
        if unit_file(p, unit):
            subs = {
                "active": "running" if main_pid(p, unit) else "exited",
                "failed": "failed",
                "inactive": "dead",
            }
            rows[unit] = (state(p, unit), subs[run.active])
    show_all = bool({"-a", "--all"} & set(flags))
    chosen = []
    for unit in sorted(rows):
        active, sub = rows[unit]
        if states and not {active, sub} & set(states):
            continue
        if (not states and active == "inactive" and not show_all) or (
            kinds and unit.rpartition(".")[2] not in kinds
        ):
            continue
        if not patterns or any(fnmatch.fnmatch(unit, each if "." in each or "*" in each else f"{each}.service")
                               for each in patterns):  # fmt: skip
            chosen.append((unit, active, sub))
    if not chosen:
        yield from p.out(
            ("  UNIT LOAD ACTIVE SUB DESCRIPTION\n" if heads else "")
            + ("0 loaded units listed.\n" if heads else "")
        )
        return 0
    width = max(len(unit) for unit, _, _ in chosen)
    broad, narrow = (
        max(6, *(len(active) for _, active, _ in chosen)),
        max(3, *(len(sub) for *_, sub in chosen)),
    )
    dot = "●" if wide else "*"
    if heads:
        yield from p.out(f"  {'UNIT':<{width}} LOAD   {'ACTIVE':<{broad}} {'SUB':<{narrow}} DESCRIPTION\n")
    for unit, active, sub in chosen:
        mark = dot if active == "failed" else " "
        yield from p.out(
            f"{mark} {unit:<{width}} loaded {active:<{broad}} {sub:<{narrow}} {description(p, unit)}\n"
        )
    if heads:
        yield from p.out(
            "\nLOAD   = Reflects whether the unit definition was properly loaded.\n"
            "ACTIVE = The high-level unit activation state, i.e. generalization of SUB.\n"
            "SUB    = The low-level unit activation state, values depend on unit type.\n"
            f"{len(chosen)} loaded units listed."
            + (
                " Pass --all to see loaded but inactive units, too.\n"
                if not show_all and not states
                else "\n"
            )
            + "To show all installed unit files use 'systemctl list-unit-files'.\n"
        )
    return 0


def timers(p: Process) -> list[tuple[float, float, str]]:
    """Timers that are active: next and last moment (0 where it did not elapse yet), and name; the next one first."""
    found = []
    for name, period, offset in _TIMERS:
        if not unit_file(p, name) or (name in p.units and p.units[name].active != "active"):
            continue
        if name == "systemd-tmpfiles-clean.timer":
            base = p.boot_time + offset
        else:
            shift = local(p, p.now()).offset
            base = (p.now() + shift) // _DAY * _DAY - shift + offset - (3 * _DAY if period > _DAY else 0)
        coming = base + ((p.now() - base) // period + 1) * period
        last = coming - period
        found.append((coming, last if last > p.boot_time else 0.0, name))
    return sorted(found)


def left(seconds: float) -> str:
    """ "5h 13min left"."""
    return ago(seconds).removesuffix(" ago") + " left"


def list_timers(p: Process, heads: bool) -> Run:
    """``systemctl list-timers``."""
    rows = [("NEXT", "LEFT", "LAST", "PASSED", "UNIT", "ACTIVATES")] if heads else []
    for coming, last, name in timers(p):
        first, before = local(p, coming), local(p, last)
        rows.append((
            f"{first.clock:%a %Y-%m-%d %H:%M:%S} {first.zone}", left(coming - p.now()),
            f"{before.clock:%a %Y-%m-%d %H:%M:%S} {before.zone}" if last else "-", ago(p.now() - last) if last else "-",
            name, name.replace(".timer", ".service"),
        ))  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(6)] if rows else []
    for row in rows:
        yield from p.out(
            " ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
        )
    if heads:
        yield from p.out(
            f"\n{len(rows) - 1} timers listed.\nPass --all to see loaded but inactive timers, too.\n"
        )
    return 0

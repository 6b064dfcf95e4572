"""timedatectl, loginctl: what systemd's other tools tell."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.proc.sockets import session_number
from urltrap.machine.programs._database import exists
from urltrap.machine.programs._system import account, option_problem
from urltrap.machine.programs._zone import local, zone_of
from urltrap.machine.programs.registry import program
from urltrap.machine.programs.uptime import logged_in


@program("timedatectl")
def timedatectl(p: Process) -> Run:
    """Show the time settings, or set the zone."""
    if problem := option_problem(
        p,
        "aH:M:p:",
        "all no-pager no-ask-password host: machine: property: value monitor adjust-system-clock",
    ):
        yield from p.err(problem)
        return 1
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if words[:1] == ["set-timezone"] and len(words) > 1:
        path = f"/usr/share/zoneinfo/{words[1]}"
        if ".." in words[1] or not exists(p, path):
            yield from p.err(f"Failed to set time zone: Invalid or not installed time zone '{words[1]}'\n")
            return 1
        if exists(p, "/etc/localtime"):
            p.fs.unlink("/etc/localtime")
        p.fs.symlink(path, "/etc/localtime")
        p.fs.write("/etc/timezone", f"{words[1]}\n".encode())
        return 0
    if words[:1] in (["set-time"], ["set-ntp"], ["set-local-rtc"]):
        if words[0] == "set-time":
            yield from p.err("Failed to set time: Automatic time synchronization is enabled\n")
            return 1
        return 0
    if words and words[0] not in ("status", "show", "timesync-status", "list-timezones"):
        yield from p.err(f"Unknown command verb {words[0]}.\n")
        return 1
    now = p.now()
    here, there = local(p, now), local(p, now, "UTC0")
    name = _zone_name(p)
    offset = (
        f"{'-' if here.offset < 0 else '+'}{abs(here.offset) // 3600:02d}{abs(here.offset) % 3600 // 60:02d}"
    )
    yield from p.out(
        f"               Local time: {here.clock:%a %Y-%m-%d %H:%M:%S} {here.zone}\n"
        f"           Universal time: {there.clock:%a %Y-%m-%d %H:%M:%S} UTC\n"
        f"                 RTC time: {there.clock:%a %Y-%m-%d %H:%M:%S}\n"
        f"                Time zone: {name} ({here.zone}, {offset})\n"
        "System clock synchronized: yes\n              NTP service: active\n          RTC in local TZ: no\n"
    )
    return 0


def _zone_name(p: Process) -> str:
    zone_of(p)
    target = p.fs.realpath("/etc/localtime")
    return target.partition("/zoneinfo/")[2] or "Etc/UTC"


@program("loginctl")
def loginctl(p: Process) -> Run:
    """Show sessions and users."""
    if problem := option_problem(
        p,
        "ah:H:M:n:o:p:ls:",
        "all full no-pager no-legend no-ask-password kill-whom: signal: host: machine: property: "
        "value lines: output:",
    ):
        yield from p.err(problem)
        return 1
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    verb = words[0] if words else "list-sessions"
    people = list(p.connections)
    if verb == "list-users":
        users = sorted({each.user for each in people})
        yield from p.out(" UID USER\n")
        for name in users:
            fields = account(p, name)
            yield from p.out(f"{fields[2] if fields else 0:>4} {name}\n")
        yield from p.out(f"\n{len(users)} users listed.\n")
        return 0
    if verb != "list-sessions":
        yield from p.err(f"Unknown command verb {verb}.\n" if verb not in ("show-session", "session-status",
        "user-status", "show-user",
                         "kill-session", "terminate-session") else "")  # fmt: skip
        return 1
    shown = {each.client_port: each for each in logged_in(p)}
    yield from p.out("SESSION  UID USER SEAT TTY  \n")
    for number, each in enumerate(people, 1):
        fields = account(p, each.user)
        tty = shown[each.client_port].tty if each.client_port in shown else ""
        yield from p.out(
            f"{session_number(p.persona, number - 1):>7} {fields[2] if fields else 0:>4} {each.user:<4}      {tty:<5}\n"
        )
    yield from p.out(f"\n{len(people)} sessions listed.\n")
    return 0

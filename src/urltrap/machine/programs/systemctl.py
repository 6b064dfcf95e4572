"""systemctl, service, reboot and their kin: units of the persona's residents and of /lib/systemd/system."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, cast

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.power import Kind
from urltrap.machine.programs._database import exists
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import text_of
from urltrap.machine.programs._units import KINDS, change, list_files, state_of, unit_file
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.power import reboot, shutdown, telinit, through_logind
from urltrap.machine.programs.registry import program

_VERBS = frozenset({
    "start", "stop", "restart", "reload", "try-restart", "reload-or-restart", "enable", "disable", "mask",
    "unmask", "is-active", "is-enabled", "is-failed", "status", "show", "cat", "list-units",
    "list-unit-files", "list-timers", "daemon-reload", "daemon-reexec", "reboot", "poweroff", "halt",
    "kill", "reset-failed", "edit", "get-default", "set-default", "isolate", "is-system-running",
    "list-sockets", "list-jobs", "preset", "reenable", "link", "revert", "condrestart", "list-dependencies",
})  # fmt: skip
_CHANGES = ("enable", "disable", "reenable", "preset", "mask", "unmask")
_LETTERS = "ht:p:P:alqfn:o:H:M:rT.s:i"
_LONG = {
    "help": "", "version": "", "type": ":", "property": ":", "value": "", "all": "", "full": "", "quiet": "", "now": "",
    "force": "", "no-pager": "", "no-legend": "", "legend": ":", "failed": "", "lines": ":", "output": ":",
    "state": ":",
    "no-block": "", "system": "", "user": "", "global": "", "runtime": "", "root": ":", "host": ":", "machine": ":",
    "signal": ":", "kill-whom": ":", "kill-who": ":", "no-reload": "", "no-wall": "", "recursive": "", "plain": "",
    "no-ask-password": "", "job-mode": ":", "reverse": "", "after": "", "before": "", "wait": "", "message": ":",
    "check-inhibitors": ":", "what": ":", "timestamp": ":", "preset-mode": ":", "dry-run": "", "show-types": "",
    "ignore-inhibitors": "", "firmware-setup": "", "mkdir": "", "read-only": "", "marked": "", "with-dependencies": "",
}  # fmt: skip
STATES = "/run/systemd/units-stopped"
"""Units that somebody stopped, one a line (kept in the machine's own file tree)."""


def _unit(name: str) -> str:
    return name if name.endswith(KINDS) else f"{name}.service"


def _pid(p: Process, unit: str) -> int:
    alive = {row.pid for row in p.processes()}
    if unit in text_of(p, STATES).split():
        return 0
    return next((each.pid for each in p.persona.residents if each.unit == unit and each.pid in alive), 0)


def _description(p: Process, unit: str) -> str:
    for line in text_of(p, unit_file(p, unit)).splitlines():
        if line.startswith("Description="):
            return line.partition("=")[2]
    return unit


def _started(p: Process) -> set[str]:
    return {line[1:] for line in text_of(p, STATES).split() if line.startswith("+")}


def _active(p: Process, unit: str) -> bool:
    return bool(_pid(p, unit)) or unit in _started(p)


_POWER = {"reboot": reboot, "poweroff": reboot, "halt": reboot, "shutdown": shutdown, "telinit": telinit}


@program("systemctl", "runlevel")
def systemctl(p: Process) -> Run:
    """Control units; called as reboot, shutdown and so on (by links to it), end the machine's run."""
    name = p.argv[0].rpartition("/")[2]
    if name in _POWER:
        return (yield from _POWER[name](p))
    if name == "runlevel":
        yield from p.out("N 5\n")
        return 0
    try:
        options, words = getopt(p.argv[1:], _LETTERS, _LONG)
    except OptionError as problem:
        yield from p.err(f"{p.argv[0]}: {problem}\n")
        return 1
    flags = [option if option.startswith("--") else f"-{option}" for option, _ in options]
    if "--version" in flags:
        yield from p.out("systemd 252 (252.39-1~deb12u2)\n+PAM +AUDIT +SELINUX +APPARMOR +IMA +SMACK +SECCOMP "
        "+GCRYPT -GNUTLS +OPENSSL "
                         "+ACL +BLKID +CURL +ELFUTILS +FIDO2 +IDN2 -IDN +IPTC +KMOD +LIBCRYPTSETUP +LIBFDISK "
                         "+PCRE2 -PWQUALITY "
                         "+P11KIT +QRENCODE +TPM2 +BZIP2 +LZ4 +XZ +ZLIB +ZSTD -BPF_FRAMEWORK -XKBCOMMON +UTMP "
                         "+SYSVINIT "
                         "default-hierarchy=unified\n")  # fmt: skip
        return 0
    verb = words[0] if words else "list-units"
    if verb not in _VERBS:
        yield from p.err(f"Unknown command verb {verb}.\n")
        return 1
    if verb in ("reboot", "poweroff", "halt"):
        return (yield from through_logind(p, cast(Kind, verb)))
    units = [_unit(word) for word in words[1:]]
    if verb == "list-unit-files":
        kinds = [word for option, value in options if option in ("t", "--type") for word in value.split(",")]
        return (yield from list_files(p, words[1:], kinds, not {"--no-legend", "--legend"} & set(flags)))
    if verb == "list-units":
        return (yield from _list(p, flags))
    if verb == "is-system-running":
        yield from p.out("running\n")
        return 0
    if verb == "get-default":
        yield from p.out("graphical.target\n")
        return 0
    if verb in (
        "daemon-reload",
        "daemon-reexec",
        "reset-failed",
        "list-timers",
        "list-sockets",
        "list-jobs",
        "set-default",
        "isolate",
    ):
        if p.uid and verb.startswith("daemon"):
            yield from p.err("Failed to reload daemon: Interactive authentication required.\n")
            return 1
        if verb == "list-jobs":
            yield from p.out("No jobs running.\n")
        return 0
    if verb == "status" and not units:
        return (yield from _overview(p))
    if not units:
        yield from p.err("Too few arguments.\n")
        return 1
    quiet = bool({"-q", "--quiet"} & set(flags))
    if verb in _CHANGES and not p.uid:
        status = yield from change(p, verb, units, quiet)
        if status or "--now" not in flags:
            return status
        verb = {"enable": "start", "reenable": "start"}.get(verb, "stop")
    if verb == "is-enabled":
        return (yield from _are_enabled(p, units, quiet))
    status = 0
    for unit in units:
        status = max(status, (yield from _one(p, verb, unit, quiet)))
    return status


def _one(p: Process, verb: str, unit: str, quiet: bool) -> Generator[Any, Any, int]:
    path = unit_file(p, unit)
    if verb in ("is-active", "is-failed"):
        active = _active(p, unit)
        if not quiet:
            yield from p.out(f"{'active' if active else 'inactive'}\n")
        return 0 if active == (verb == "is-active") else 3 if verb == "is-active" else 1
    if verb == "status":
        return (yield from _status(p, unit))
    if verb == "cat":
        if not path:
            yield from p.err(f"No files found for {unit}.\n")
            return 1
        yield from p.out(f"# {path}\n{text_of(p, path)}")
        return 0
    if verb == "show":
        yield from p.out(f"Type=simple\nMainPID={_pid(p, unit)}\nId={unit}\nNames={unit}\n")
        load, state = "loaded" if path else "not-found", "active" if _active(p, unit) else "inactive"
        yield from p.out(f"Description={_description(p, unit)}\nLoadState={load}\nActiveState={state}\n")
        return 0
    if p.uid:
        what = {"enable": "enable unit", "disable": "disable unit"}.get(verb, f"{verb} {unit}")
        yield from p.err(f"Failed to {what}: Interactive authentication required.\n")
        return 1
    if not path:
        yield from p.err(
            f"Failed to {verb} {unit}: Unit {unit} not {'loaded' if verb in ('stop', 'kill') else 'found'}.\n"
        )
        return 5
    if verb in ("stop", "kill"):
        _mark(p, unit, stopped=True)
    elif verb in ("start", "restart", "reload-or-restart", "try-restart"):
        yield from p.sleep(0.15)
        _mark(p, unit, stopped=False)
    return 0


def _mark(p: Process, unit: str, *, stopped: bool) -> None:
    words = [word for word in text_of(p, STATES).split() if word not in (unit, f"+{unit}")]
    words.append(unit if stopped else f"+{unit}")
    try:
        p.fs.write(STATES, ("\n".join(words) + "\n").encode("utf-8", "surrogateescape"))
        if stopped and unit != "ssh.service":
            pid = next((each.pid for each in p.persona.residents if each.unit == unit), 0)
            if pid:
                p.kill(pid, 15)
    except SysError:
        pass  # the process is gone already, or the disk is full: stop says nothing of either


def _are_enabled(p: Process, units: list[str], quiet: bool) -> Generator[Any, Any, int]:
    """is-enabled: 0 where one of them is."""
    enabled = False
    for unit in units:
        state = state_of(p, unit)
        if not state:
            yield from p.err(f"Failed to get unit file state for {unit}: No such file or directory\n")
            return 1
        enabled = enabled or state in ("enabled", "static", "alias")
        if not quiet:
            yield from p.out(f"{state}\n")
    return 0 if enabled else 1


def _status(p: Process, unit: str) -> Generator[Any, Any, int]:
    path = unit_file(p, unit)
    if not path:
        yield from p.err(f"Unit {unit} could not be found.\n")
        return 4
    pid = _pid(p, unit)
    active = _active(p, unit)
    enabled = state_of(p, unit)
    clock = local(p, p.boot_time + 6)
    age = p.now() - p.boot_time - 6
    since = f"{clock.clock:%a %Y-%m-%d %H:%M:%S} {clock.zone}; {_ago(age)} ago"
    state = f"active (running) since {since}" if active else "inactive (dead)"
    preset = f"; preset: {'enabled' if enabled != 'static' else 'disabled'}" if enabled != "static" else ""
    yield from p.out(f"{'●' if active else '○'} {unit} - {_description(p, unit)}\n     Loaded: loaded ({path}; "
    f"{enabled}{preset})\n"
                     f"     Active: {state}\n")  # fmt: skip
    if pid:
        row = next(row for row in p.processes() if row.pid == pid)
        command = " ".join(row.argv)
        shown = f'"{command}"' if command.startswith("sshd:") else command
        limit = p.persona.memory.total_kb // 880
        yield from p.out(
            f"   Main PID: {pid} ({row.comm})\n      Tasks: 1 (limit: {limit})\n     Memory: {row.rss_kb / 1024:.1f}M\n"
            f"        CPU: {_spent(row.cpu_seconds)}\n     CGroup: /system.slice/{unit}\n             └─{pid} {shown}\n"
        )
    return 0 if active else 3


def _spent(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    head = f"{hours}h " if hours else ""
    return f"{head}{f'{minutes}min ' if minutes or hours else ''}{rest:.3f}s"


def _ago(seconds: float) -> str:
    days = int(seconds // 86_400)
    if days >= 60:
        return f"{days // 30} months {days % 30} days"
    if days >= 7:
        return f"{days // 7} week{'s' if days >= 14 else ''} {days % 7} day{'s' if days % 7 != 1 else ''}"
    return f"{days} day{'s' if days != 1 else ''}" if days else f"{int(seconds // 3600)}h"


def _overview(p: Process) -> Run:
    clock = local(p, p.boot_time)
    yield from p.out(f"● {p.hostname}\n    State: running\n    Units: 241 loaded (incl. loaded aliases)\n     "
    f"Jobs: 0 queued\n"
                     f"   Failed: 0 units\n    Since: {clock.clock:%a %Y-%m-%d %H:%M:%S} {clock.zone}; "
                     f"{_ago(p.now() - p.boot_time)} ago\n  systemd: 252.39-1~deb12u2\n   CGroup: /\n")  # fmt: skip
    return 0


def _list(p: Process, flags: list[str]) -> Run:
    heads = "--no-legend" not in flags
    if "--failed" in flags:
        yield from p.out("  UNIT LOAD ACTIVE SUB DESCRIPTION\n0 loaded units listed.\n")
        return 0
    units = sorted(
        {each.unit for each in p.persona.residents if each.unit.endswith(".service") and _pid(p, each.unit)}
    )
    width = max(map(len, units), default=10)
    if heads:
        yield from p.out(f"  {'UNIT':<{width}} LOAD   ACTIVE SUB     DESCRIPTION\n")
    for unit in units:
        yield from p.out(f"  {unit:<{width}} loaded active running {_description(p, unit)}\n")
    if heads:
        yield from p.out(
            "\nLOAD   = Reflects whether the unit definition was properly loaded.\n"
            "ACTIVE = The high-level unit activation state, i.e. generalization of SUB.\n"
            "SUB    = The low-level unit activation state, values depend on unit type.\n"
            f"{len(units)} loaded units listed. Pass --all to see loaded but inactive units, too.\n"
            "To show all installed unit files use 'systemctl list-unit-files'.\n"
        )
    return 0


@program("service")
def service(p: Process) -> Run:
    """The old way to control services."""
    words = p.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        yield from p.err(
            "Usage: service < option > | --status-all | [ service_name [ command | --full-restart ] ]\n"
        )
        return 1
    if words[0] == "--status-all":
        for name in sorted(p.fs.listdir("/etc/init.d")):
            if name not in ("README", "skeleton", "rc.local"):
                mark = "+" if _active(p, _unit(name)) else "-"
                yield from p.out(f" [ {mark} ]  {name}\n")
        return 0
    name, verb = words[0], words[1] if len(words) > 1 else ""
    if not verb:
        yield from p.err(
            "Usage: service < option > | --status-all | [ service_name [ command | --full-restart ] ]\n"
        )
        return 1
    unit = _unit(name)
    if not unit_file(p, unit):
        if not exists(p, f"/etc/init.d/{name}"):
            if verb == "status":
                yield from p.err(f"Unit {unit} could not be found.\n")
                return 4
            what = "loaded" if verb == "stop" else "found"
            yield from p.err(f"Failed to {verb} {unit}: Unit {unit} not {what}.\n")
            return 5
        return 0
    if verb not in ("start", "stop", "restart", "status", "reload", "force-reload", "try-restart"):
        yield from p.err(
            f"Usage: /etc/init.d/{name} {{start|stop|reload|force-reload|restart|try-restart|status}}\n"
        )
        return 1
    return (yield from _one(p, "restart" if verb == "force-reload" else verb, unit, False))

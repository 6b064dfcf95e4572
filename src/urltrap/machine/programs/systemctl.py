"""systemctl, service, reboot and their kin: units of the persona's residents and of /lib/systemd/system."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, cast

from urltrap.machine.api import Process, Run
from urltrap.machine.persona import Resident
from urltrap.machine.power import Kind
from urltrap.machine.programs._database import exists
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import text_of
from urltrap.machine.programs._unitrun import start, stop, title
from urltrap.machine.programs._units import KINDS, change, list_files, masked, state_of, unit_file
from urltrap.machine.programs._unitshow import (
    description,
    failed,
    is_active,
    list_timers,
    list_units,
    main_pid,
    overview,
    resident_of,
    settled,
    state,
    status,
)
from urltrap.machine.programs.power import reboot, shutdown, telinit, through_logind
from urltrap.machine.programs.registry import program
from urltrap.machine.units import known

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


def _unit(name: str) -> str:
    return name if name.endswith(KINDS) else f"{name}.service"


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
        kinds = [word for option, value in options if option in ("t", "--type") for word in value.split(",")]
        states = [
            word for option, value in options if option in ("s", "--state") for word in value.split(",")
        ]
        return (yield from list_units(p, flags, words[1:], kinds, states))
    if verb == "is-system-running":
        bad = failed(p)
        yield from p.out("degraded\n" if bad else "running\n")
        return 1 if bad else 0
    if verb == "list-timers":
        return (yield from list_timers(p, not {"--no-legend", "--legend"} & set(flags)))
    if verb == "list-dependencies":
        return 0
    if verb == "get-default":
        yield from p.out("graphical.target\n")
        return 0
    if verb in (
        "daemon-reload",
        "daemon-reexec",
        "reset-failed",
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
        if verb == "reset-failed" and not p.uid:
            for name in units or failed(p):
                if name in p.units and p.units[name].active == "failed":
                    p.units[name].become("inactive", 0.0)
        return 0
    if verb == "status" and not units:
        return (yield from overview(p))
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
    ended = []
    for unit in units:
        ended.append((yield from _one(p, verb, unit, quiet)))
    return min(ended) if verb in ("is-active", "is-failed") else max(ended)  # one that is suffices


def _one(p: Process, verb: str, unit: str, quiet: bool) -> Generator[Any, Any, int]:
    path = unit_file(p, unit)
    if verb in ("is-active", "is-failed"):
        found = state(p, unit)
        if not quiet:
            yield from p.out(f"{found}\n")
        if verb == "is-failed":
            return 0 if found == "failed" else 1
        return 0 if found == "active" else 3
    if verb == "status":
        return (yield from status(p, unit))
    if verb == "cat":
        if not path:
            yield from p.err(f"No files found for {unit}.\n")
            return 1
        yield from p.out(f"# {path}\n{text_of(p, path)}")
        return 0
    if verb == "show":
        yield from p.out(f"Type=simple\nMainPID={main_pid(p, unit)}\nId={unit}\nNames={unit}\n")
        load = "loaded" if path else "not-found"
        yield from p.out(
            f"Description={description(p, unit)}\nLoadState={load}\nActiveState={state(p, unit)}\n"
        )
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
    if verb in ("start", "restart", "reload-or-restart") and masked(p, unit):
        yield from p.err(f"Failed to {verb} {unit}: Unit {unit} is masked.\n")
        return 1
    if verb in ("stop", "kill"):
        _stop(p, unit)
    elif verb == "start" and is_active(p, unit):
        pass  # it runs already
    elif verb in ("start", "restart", "reload-or-restart") or (verb == "try-restart" and is_active(p, unit)):
        if is_active(p, unit):
            _stop(p, unit)
        each = resident_of(p, unit)
        return (yield from start(p, unit)) if each is None else (yield from _again(p, each))
    return 0


def _stop(p: Process, unit: str) -> None:
    if unit not in p.units and (pid := main_pid(p, unit)):
        run = known(p.units, unit)
        run.active, run.pid = "active", pid
    if unit in p.units or unit in settled(p):
        if unit == "ssh.service":  # the visitors' own sessions go on, and the listener is the trap's
            run = known(p.units, unit)
            run.pid = 0
        stop(p, unit)


def _again(p: Process, each: Resident) -> Run:
    """Start a service of the installation: what runs then is known by name, and its process is the machine's own."""
    yield from p.sleep(0.1 + p.random(120) / 1000)
    run = known(p.units, each.unit)
    alive_again = p.process_row(each.pid) is not None
    if not alive_again:
        argv = list(each.argv)

        def entry(child: Process) -> Run:
            child.new_session()
            child.argv = argv
            fd, _ = child.pipe()
            yield from child.read(fd)  # what it waits for never comes: a signal ends it
            return 0

        run.pid = p.fork(entry, comm=each.comm)
    else:
        run.pid = each.pid
    run.command, run.began, run.status = " ".join(each.argv), p.now(), -1
    run.say(p.now(), "systemd[1]", f"Starting {title(p, each.unit)}...")
    run.say(p.now(), "systemd[1]", f"Started {title(p, each.unit)}.")
    run.become("active", p.now())
    return 0


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
                mark = "+" if is_active(p, _unit(name)) else "-"
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

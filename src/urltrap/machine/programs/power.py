"""reboot, poweroff, halt, shutdown, init, telinit: turning the machine off, a server (systemd) or a device."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.power import Kind, PowerPlan, planned
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import is_device
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.registry import program

_CALLS: dict[str, Kind] = {"reboot": "reboot", "poweroff": "poweroff", "halt": "halt"}
_METHODS = {"reboot": "Reboot", "poweroff": "PowerOff", "halt": "Halt"}
_LEVELS: dict[str, Kind | None] = {
    "0": "poweroff", "6": "reboot", "1": None, "2": None, "3": None, "4": None, "5": None, "s": None,
    "S": None, "q": None, "Q": None, "u": None, "U": None,
}  # fmt: skip
_SERVER_SECONDS, _DEVICE_SECONDS = 0.7, 2.6
"""How long sshd lives on after the word: systemd stops units at once, procd's and BusyBox' init send TERM first."""


def go(p: Process, kind: Kind, *, after: float | None = None) -> PowerPlan:
    """Plan to go down `after` seconds (None: as soon as a real machine ends its sessions)."""
    soon = _SERVER_SECONDS if p.persona.is_server else _DEVICE_SECONDS
    seconds = after if after is not None else soon + p.random(600) / 1000
    plan = planned(kind, p.now() + seconds, p.random)
    p.set_power(plan)
    return plan


def through_logind(p: Process, kind: Kind) -> Run:
    """systemctl's way: asked of logind, which refuses other users where nobody can be asked for a password."""
    if p.uid:
        yield from p.err(
            "Failed to set wall message, ignoring: Interactive authentication required.\n"
            f"Call to {_METHODS[kind]} failed: Interactive authentication required.\n"
        )
        return 1
    go(p, kind)
    return 0


@program("reboot", "poweroff", "halt")
def reboot(p: Process) -> Run:
    """Go down now."""
    name = p.argv[0].rpartition("/")[2]
    kind = _CALLS[name]
    if is_device(p):
        return (yield from _busybox(p, name, kind))
    try:
        options, _ = getopt(
            p.argv[1:], "pfwdnh",
            {"help": "", "halt": "", "poweroff": "", "reboot": "", "force": "", "wtmp-only": "", "no-wtmp": "",
             "no-wall": "", "no-sync": ""},
        )  # fmt: skip
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\n")
        return 1
    given = {option.lstrip("-") for option, _ in options}
    if "help" in given:
        yield from p.out(_HELP.format(name=name, arg=" [ARG]" if name == "reboot" else "", what=_DOES[name]))
        return 0
    if given & {"w", "wtmp-only"}:
        return 0
    kind = "reboot" if "reboot" in given else "halt" if "halt" in given else kind
    kind = "poweroff" if given & {"p", "poweroff"} else kind
    if given & {"f", "force"}:
        if p.uid:
            yield from p.err("Must be root.\n")
            return 1
        go(p, kind, after=0.05)
        return 0
    return (yield from through_logind(p, kind))


_DOES = {"reboot": "Reboot the system.", "poweroff": "Power off the system.", "halt": "Halt the system."}
_HELP = """\
{name} [OPTIONS...]{arg}

{what}

Options:
     --help      Show this help
     --halt      Halt the machine
  -p --poweroff  Switch off the machine
     --reboot    Reboot the machine
  -f --force     Force immediate halt/power-off/reboot
  -w --wtmp-only Don't halt/power-off/reboot, just write wtmp record
  -d --no-wtmp   Don't write wtmp record
     --no-wall   Don't send wall message before halt/power-off/reboot

See the halt(8) man page for details.
"""


def _busybox(p: Process, name: str, kind: Kind) -> Run:
    """BusyBox' halt: without -f it only signals process 1, which is systemd on a server and does not care."""
    try:
        options, _ = getopt(p.argv[1:], "d:nfw")
    except OptionError as error:
        from urltrap.machine.programs._cmd import bb_usage

        yield from p.err(f"{name}: {error}\n{bb_usage(p, name)}")
        return 1
    given = dict(options)
    delay = given.get("d", "0")
    if delay.isdigit() and int(delay):
        yield from p.sleep(float(min(int(delay), 3600)))
    if "w" in given:
        return 0
    if p.uid:
        yield from p.err(f"{name}: Operation not permitted\n")
        return 1
    if "f" in given or not p.persona.is_server:
        go(p, kind, after=0.05 if "f" in given else None)
    return 0


@program("telinit", "init", "systemd")
def telinit(p: Process) -> Run:
    """Change the run level; 0 and 6 end the machine's run."""
    name = p.argv[0].rpartition("/")[2]
    if is_device(p):
        yield from p.err(f"{name}: must be run as PID 1\n")
        return 1
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if "--version" in p.argv[1:]:
        return (yield from p.exec(["systemctl", "--version"]))
    if "--help" in p.argv[1:]:
        yield from p.out(_TELINIT)
        return 0
    if name == "systemd":
        yield from p.err("Explicit --user argument required to run as user manager.\n")
        return 1
    level = words[0] if words else ""
    problem = (
        f"{name}: required argument missing." if not words
        else "Too many arguments." if len(words) > 1
        else "Expected single character argument." if len(level) != 1
        else "" if level in _LEVELS else f"Unknown command '{level}'."
    )  # fmt: skip
    if problem:
        yield from p.err(problem + "\n")
        return 1
    if p.uid:
        yield from p.err("Failed to start unit: Interactive authentication required.\n")
        return 1
    kind = _LEVELS[level]
    if kind is not None:
        go(p, kind)
    return 0


_TELINIT = """\
telinit [OPTIONS...] COMMAND

Send control commands to the init daemon.

Commands:
  0              Power-off the machine
  6              Reboot the machine
  2, 3, 4, 5     Start runlevelX.target unit
  1, s, S        Enter rescue mode
  q, Q           Reload init daemon configuration
  u, U           Reexecute init daemon

Options:
     --help      Show this help
     --no-wall   Don't send wall message before halt/power-off/reboot

See the telinit(8) man page for details.
"""


@program("shutdown")
def shutdown(p: Process) -> Run:
    """Go down later, or call it off."""
    try:
        options, words = getopt(
            p.argv[1:], "HPrhkKat:fFc",
            {"help": "", "halt": "", "poweroff": "", "reboot": "", "kexec": "", "no-wall": "", "show": ""},
        )  # fmt: skip
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\n")
        return 1
    given = {option.lstrip("-") for option, _ in options}
    if "help" in given:
        yield from p.out(_SHUTDOWN)
        return 0
    if p.uid:
        yield from p.err(
            "Failed to set wall message, ignoring: Interactive authentication required.\n"
            f"{'Failed to cancel' if 'c' in given else 'Failed to schedule'} shutdown: "
            "Interactive authentication required.\n"
        )
        return 1
    if "c" in given:
        p.set_power(None)
        return 0
    plan = p.power
    if "show" in given:
        if plan is None:
            yield from p.err("No scheduled shutdown.\n")
            return 1
        yield from p.err(_announced(p, plan))
        return 0
    kind: Kind = "reboot" if given & {"r", "reboot"} else "halt" if given & {"H", "halt"} else "poweroff"
    seconds = _moment(p, words[0]) if words else 60.0
    if seconds is None:
        yield from p.err(f"Failed to parse time specification: {words[0]}\n")
        return 1
    if "k" in given:
        return 0
    if seconds <= 0:
        go(p, kind)
        return 0
    yield from p.err(_announced(p, go(p, kind, after=seconds)))
    return 0


def _announced(p: Process, plan: PowerPlan) -> str:
    clock = local(p, plan.at)
    what = {"reboot": "Reboot", "poweroff": "Shutdown", "halt": "Halt"}[plan.kind]
    stamp = f"{clock.clock:%a %Y-%m-%d %H:%M:%S} {clock.zone}"
    return f"{what} scheduled for {stamp}, use 'shutdown -c' to cancel.\n"


def _moment(p: Process, word: str) -> float | None:
    """Seconds from now of ``now``, ``+MINUTES``, ``MINUTES`` or ``HH:MM``; None where it is none of them."""
    if word == "now":
        return 0.0
    if word.removeprefix("+").isdigit() and len(word) < 8:
        return 60.0 * int(word.removeprefix("+"))
    hours, colon, minutes = word.partition(":")
    if not colon or not hours.isdigit() or not minutes.isdigit() or int(hours) > 23 or int(minutes) > 59:
        return None
    clock = local(p, p.now()).clock
    wanted = (int(hours) * 60 + int(minutes)) * 60 - (clock.hour * 3600 + clock.minute * 60 + clock.second)
    return float(wanted if wanted >= 0 else wanted + 86_400)


_SHUTDOWN = """\
shutdown [OPTIONS...] [TIME] [WALL...]

Shut down the system.

Options:
     --help      Show this help
  -H --halt      Halt the machine
  -P --poweroff  Power-off the machine
  -r --reboot    Reboot the machine
  -h             Equivalent to --poweroff, overridden by --halt
  -k             Don't halt/power-off/reboot, just send warnings
     --no-wall   Don't send wall message before halt/power-off/reboot
  -c             Cancel a pending shutdown
     --show      Show pending shutdown

See the shutdown(8) man page for details.
"""

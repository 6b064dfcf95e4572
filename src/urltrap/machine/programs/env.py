"""env, printenv, nohup, timeout, setsid, nice: run a program in changed circumstances."""

from __future__ import annotations

import errno
import re

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._signals import NAMES, number_of
from urltrap.machine.programs._system import gnu_usage
from urltrap.machine.programs.registry import program


def _exec(p: Process, argv: list[str], env: dict[str, str] | None = None) -> Run:
    """Become `argv`, or say why not, with env's and nohup's statuses."""
    try:
        return (yield from p.exec(argv, env=env))
    except SysError as error:
        missing = error.errno == errno.ENOENT
        name = p.argv[0].rpartition("/")[2]
        if name in ("setsid", "ionice", "chrt"):
            yield from p.err(f"{p.argv[0]}: failed to execute {argv[0]}: {error.words}\n")
        else:
            verb = "" if name in ("env", "nice") else "failed to run command "
            yield from p.err(f"{p.argv[0]}: {verb}'{argv[0]}': {error.words}\n")
        return 127 if missing else 126


@program("env")
def env(p: Process) -> Run:
    """Show or change the environment of a program."""
    try:
        options, words = getopt(
            p.argv[1:], "+iu:0C:S:v",
            {"ignore-environment": "", "unset": ":", "null": "", "chdir": ":", "split-string": ":", "debug": "",
            "help": "",
             "version": ""},
        )  # fmt: skip
    except OptionError as error:
        yield from gnu_usage(p, error)
        return 125
    values = dict(p.env)
    end = "\n"
    for name, value in options:
        if name in ("i", "--ignore-environment"):
            values = {}
        elif name in ("u", "--unset"):
            values.pop(value, None)
        elif name in ("0", "--null"):
            end = "\0"
        elif name in ("S", "--split-string"):
            words = value.split() + words
        elif name in ("C", "--chdir"):
            try:
                p.chdir(value)
            except SysError as error:
                yield from p.err(f"{p.argv[0]}: cannot change directory to '{value}': {error.words}\n")
                return 125
        elif name == "--version":
            yield from p.out("env (GNU coreutils) 9.1\n")
            return 0
    if words[:1] == ["-"]:
        values, words = {}, words[1:]
    while words and "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        values[name] = value
    if not words:
        for name, value in values.items():
            yield from p.out(f"{name}={value}{end}")
        return 0
    return (yield from _exec(p, words, values))


@program("printenv")
def printenv(p: Process) -> Run:
    """Show variables."""
    try:
        options, words = getopt(p.argv[1:], "+0", {"null": "", "help": "", "version": ""})
    except OptionError as error:
        yield from gnu_usage(p, error)
        return 2
    end = "\0" if any(name in ("0", "--null") for name, _ in options) else "\n"
    if not words:
        for name, value in p.env.items():
            yield from p.out(f"{name}={value}{end}")
        return 0
    status = 0
    for word in words:
        if word in p.env:
            yield from p.out(p.env[word] + end)
        else:
            status = 1
    return status


@program("nohup")
def nohup(p: Process) -> Run:
    """Run a program that a hang-up does not end."""
    words = p.argv[1:]
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        yield from gnu_usage(p, "missing operand")
        return 125
    if words[0] == "--version":
        yield from p.out("nohup (GNU coreutils) 9.1\n")
        return 0
    p.trap_signal(1, "ignore")
    ignoring = p.is_tty(0)
    if p.is_tty(1):
        where = "nohup.out"
        try:
            fd = p.open(where, 0o1 | 0o100 | 0o2000, 0o600)
        except SysError:
            where = f"{p.env.get('HOME', '')}/nohup.out"
            try:
                fd = p.open(where, 0o1 | 0o100 | 0o2000, 0o600)
            except SysError as error:
                yield from p.err(f"{p.argv[0]}: failed to open 'nohup.out': {error.words}\n")
                return 125
        yield from p.err(
            f"{p.argv[0]}: {'ignoring input and ' if ignoring else ''}appending output to '{where}'\n"
        )
        p.dup2(fd, 1)
        if p.is_tty(2):
            p.dup2(fd, 2)
        p.close(fd)
    elif ignoring:
        yield from p.err(f"{p.argv[0]}: ignoring input\n")
    if ignoring:
        null = p.open("/dev/null", 0)
        p.dup2(null, 0)
        p.close(null)
    return (yield from _exec(p, words))


@program("setsid")
def setsid(p: Process) -> Run:
    """Run a program in a session of its own."""
    try:
        _, words = getopt(
            p.argv[1:], "+cfwhV", dict.fromkeys(("ctty", "fork", "wait", "help", "version"), "")
        )
    except OptionError as error:
        return (yield from gnu_usage(p, error))
    if not words:
        return (yield from gnu_usage(p, "no command specified"))
    try:
        p.new_session()
    except SysError:
        pass  # a group leader stays in its session, which nobody can tell from outside
    return (yield from _exec(p, words))


@program("nice")
def nice(p: Process) -> Run:
    """Run a program with another priority."""
    words = list(p.argv[1:])
    if words and re.fullmatch(r"--?\d+", words[0]):
        words[0] = f"-n{words[0][1:]}"  # -5 and --5: the way from before -n
    try:
        options, words = getopt(words, "+n:", {"adjustment": ":", "help": "", "version": ""})
    except OptionError as error:
        yield from gnu_usage(p, error)
        return 125
    for _, value in options:
        if not re.fullmatch(r"[+-]?\d{1,6}", value):
            yield from p.err(f"{p.argv[0]}: invalid adjustment '{value}'\n")
            return 125
    if not words:
        if options:
            yield from gnu_usage(p, "a command must be given with an adjustment")
            return 125
        yield from p.out("0\n")
        return 0
    return (yield from _exec(p, words))


@program("ionice", "chrt")
def ionice(p: Process) -> Run:
    """Run a program in another class of the schedulers."""
    words = list(p.argv[1:])
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word in ("-n", "-c", "-p") and words:
            words.pop(0)
    if not words:
        yield from p.out("none: prio 0\n")
        return 0
    return (yield from _exec(p, words))


def seconds_of(text: str) -> float | None:
    """A duration as sleep and timeout take it; None where it is none."""
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86_400}.get(text[-1:], 0)
    number = text[:-1] if unit else text
    try:
        value = float(number)
    except ValueError:
        return float("inf") if number in ("inf", "infinity") else None
    return value * (unit or 1) if value >= 0 and value == value else None


@program("timeout")
def timeout(p: Process) -> Run:
    """Run a program for a limited time."""
    try:
        options, words = getopt(
            p.argv[1:], "+k:s:v",
            {"kill-after": ":", "signal": ":", "preserve-status": "", "foreground": "", "verbose": "", "help": "",
            "version": ""},
        )  # fmt: skip
    except OptionError as error:
        yield from gnu_usage(p, error)
        return 125
    given = {
        name.lstrip("-")[0] if name not in ("--preserve-status",) else "P": value for name, value in options
    }
    if len(words) < 2:
        yield from p.err(f"Try '{p.argv[0]} --help' for more information.\n")
        return 125
    limit = seconds_of(words[0])
    if limit is None:
        yield from gnu_usage(p, f"invalid time interval '{words[0]}'")
        return 125
    signal = number_of(given.get("s", "TERM"))
    if signal is None:
        yield from gnu_usage(p, f"'{given['s']}': invalid signal")
        return 125
    try:
        child = p.spawn(words[1:])
    except SysError as error:
        yield from p.err(f"{p.argv[0]}: failed to run command '{words[1]}': {error.words}\n")
        return 127 if error.errno == errno.ENOENT else 126
    told = (
        f"{p.argv[0]}: sending signal {NAMES[signal - 1]} to command '{words[1]}'\n" if "v" in given else ""
    )
    return (yield from _guard(p, child, limit, signal, "P" in given, told))


def _guard(p: Process, child: int, limit: float, signal: int, keep: bool, told: str) -> Run:
    def watch(watcher: Process) -> Run:
        yield from watcher.sleep(limit)
        yield from watcher.err(told)
        try:
            watcher.kill(child, signal)
        except SysError:
            return 0
        return 124

    if limit in (0.0, float("inf")):
        ended = yield from p.wait(child)
        return ended[1] if ended else 0
    guard = p.fork(watch, comm="timeout")
    ended = yield from p.wait(child)
    fired = yield from p.wait(guard, block=False)
    if fired is None:
        p.kill(guard, 9)
        yield from p.wait(guard)
    status = ended[1] if ended else 0
    if status == 128 + signal and not keep:
        return 124 if signal != 9 else 137
    return status

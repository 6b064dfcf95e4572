# ruff: noqa: E501 - tables and messages read best with several on a line
"""POSIX, Time::HiRes, Time::Local, Fcntl, Errno, Config, Getopt::Long, Term::ANSIColor."""

from __future__ import annotations

import calendar
import datetime
import errno
import math
import re
from typing import Any

from urltrap.machine.programs._signals import NAMES
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.perl import _calls
from urltrap.machine.programs.perl._attention import pause, set_alarm
from urltrap.machine.programs.perl._library import plain
from urltrap.machine.programs.perl._modules import Native, constants, module
from urltrap.machine.programs.perl._values import (
    Array,
    Code,
    Gen,
    Hash,
    Leave,
    Ref,
    Scalar,
    Unsupported,
    num,
    string,
    values,
    whole,
)
from urltrap.machine.programs.perl._vm import Vm

_LETTERS = frozenset("aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%")
_FCNTL = {
    "O_RDONLY": 0, "O_WRONLY": 1, "O_RDWR": 2, "O_CREAT": 64, "O_EXCL": 128, "O_TRUNC": 512, "O_APPEND": 1024,
    "O_NONBLOCK": 2048, "LOCK_SH": 1, "LOCK_EX": 2, "LOCK_NB": 4, "LOCK_UN": 8, "SEEK_SET": 0, "SEEK_CUR": 1,
    "SEEK_END": 2, "F_GETFL": 3, "F_SETFL": 4, "F_GETFD": 1, "F_SETFD": 2, "FD_CLOEXEC": 1,
}  # fmt: skip
_ERRNO = {name: number for number, name in errno.errorcode.items()}
_POSIX = {
    "WNOHANG": 1, "WUNTRACED": 2, "EXIT_SUCCESS": 0, "EXIT_FAILURE": 1, "INT_MAX": 2**31 - 1, "UINT_MAX": 2**32 - 1,
    "LONG_MAX": 2**63 - 1, "DBL_MAX": 1.7976931348623157e308, "RAND_MAX": 2**31 - 1, "STDIN_FILENO": 0, "BUFSIZ": 8192,
    "STDOUT_FILENO": 1, "STDERR_FILENO": 2, "LC_ALL": 6, "LC_CTYPE": 0, "EOF": -1, "PATH_MAX": 4096,
    **{f"SIG{name}": at for at, name in enumerate(NAMES, 1)}, **_FCNTL,
    **{name: number for name, number in _ERRNO.items() if name in (
        "ENOENT", "EACCES", "EEXIST", "EINTR", "EAGAIN", "EWOULDBLOCK", "EINPROGRESS", "ECONNREFUSED", "ETIMEDOUT", "EPERM")},
}  # fmt: skip


def _strftime(vm: Vm, form: Any, *parts: Any) -> str:
    second, minute, hour, day, month, year = (whole(each) for each in (*parts, 0, 0, 0, 1, 0, 70)[:6])
    text = string(form)
    if any(each not in _LETTERS for each in re.findall(r"%[-_0^#EO]?(.)", text)):
        raise Unsupported("strftime")
    try:
        base = datetime.datetime(year + 1900 + month // 12, month % 12 + 1, 1)
        clock = base + datetime.timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)
    except (ValueError, OverflowError):
        raise Unsupported("strftime") from None
    if "%s" in text or "%z" in text or "%Z" in text:
        here = local(vm.p, calendar.timegm(clock.timetuple()))
        sign = "-" if here.offset < 0 else "+"
        offset = abs(here.offset) // 60
        text = text.replace("%s", str(calendar.timegm(clock.timetuple()) - here.offset))
        text = text.replace("%z", f"{sign}{offset // 60:02}{offset % 60:02}").replace("%Z", here.zone)
    text = text.replace("%c", "%a %b %e %H:%M:%S %Y").replace("%x", "%m/%d/%y").replace("%X", "%H:%M:%S")
    return clock.strftime(text)


def _mktime(vm: Vm, *parts: Any) -> Any:
    second, minute, hour, day, month, year = (whole(each) for each in parts[:6])
    try:
        when = calendar.timegm((year + 1900, month + 1, day, hour, minute, second))
    except (ValueError, OverflowError):
        return None
    return when - local(vm.p, when).offset


def _exit(vm: Vm, status: Any = 0) -> None:
    raise Leave(whole(status) & 255)


def _setsid(vm: Vm) -> int:
    vm.p.new_session()
    return vm.p.pid


def _start_posix(vm: Vm) -> None:
    constants(vm, "POSIX", _POSIX)


@module(
    "POSIX",
    "floor ceil fmod pow strftime mktime setsid _exit getpid strtol isatty dup2 uname ttyname tolower toupper "
    + " ".join(_POSIX),
    "nice access setuid setgid getuid geteuid getcwd INT_MAX round trunc fmin fmax strerror isdigit isalpha isspace",
    start=_start_posix,
    tags={"sys_wait_h": ("WNOHANG", "WUNTRACED", "WIFEXITED", "WEXITSTATUS", "WIFSIGNALED", "WTERMSIG"),
          "signal_h": tuple(f"SIG{name}" for name in NAMES), "fcntl_h": tuple(_FCNTL),
          "unistd_h": ("setsid", "_exit", "dup2", "access", "getcwd")},
)  # fmt: skip
def _posix() -> dict[str, Native]:
    def rounded(does: Any) -> Native:
        return plain(lambda vm, v: num(v) if not math.isfinite(num(v)) else does(num(v)))

    def uname(vm: Vm) -> list[str]:
        kernel = vm.p.persona.kernel
        return ["Linux", vm.p.hostname, kernel.release, kernel.version, kernel.machine]

    def long(vm: Vm, text: Any, base: Any = 10) -> Any:
        found = re.match(r"\s*([+-]?)(?:0[xX])?(\w*)", string(text))
        digits = ""
        for each in found[2] if found else "":
            if each.lower() not in "0123456789abcdefghijklmnopqrstuvwxyz"[: whole(base) or 10]:
                break
            digits += each
        return int(digits or "0", whole(base) or 10) * (-1 if found and found[1] == "-" else 1)

    def dup2(vm: Vm, old: Any, new: Any) -> Any:
        vm.p.dup2(whole(old), whole(new))
        return whole(new) or "0 but true"

    return {
        "floor": rounded(math.floor), "ceil": rounded(math.ceil), "fmod": plain(lambda vm, a, b: math.fmod(num(a), num(b))),
        "pow": plain(lambda vm, a, b: float(num(a)) ** float(num(b))), "strftime": plain(_strftime), "mktime": plain(_mktime),
        "setsid": plain(_setsid), "_exit": plain(_exit), "getpid": plain(lambda vm: vm.p.pid), "strtol": plain(long),
        "dup2": plain(dup2), "uname": plain(uname), "nice": plain(lambda vm, n: "0 but true"),
        "isatty": plain(lambda vm, fd: 1 if vm.p.is_tty(whole(fd)) else ""), "getuid": plain(lambda vm: vm.p.uid),
        "geteuid": plain(lambda vm: vm.p.uid), "getcwd": plain(lambda vm: vm.p.cwd),
        "tolower": plain(lambda vm, v: string(v).lower()), "toupper": plain(lambda vm, v: string(v).upper()),
        "WIFEXITED": plain(lambda vm, v: 1 if not whole(v) & 127 else ""), "WEXITSTATUS": plain(lambda vm, v: whole(v) >> 8 & 255),
        "WIFSIGNALED": plain(lambda vm, v: 1 if whole(v) & 127 not in (0, 127) else ""), "WTERMSIG": plain(lambda vm, v: whole(v) & 127),
        "round": rounded(lambda v: math.floor(abs(v) + 0.5) * (1 if v >= 0 else -1)), "trunc": rounded(math.trunc),
    }  # fmt: skip


@module("Fcntl", " ".join(each for each in _FCNTL if not each.startswith(("LOCK", "SEEK"))), "LOCK_SH LOCK_EX LOCK_NB LOCK_UN",
        start=lambda vm: constants(vm, "Fcntl", _FCNTL),
        tags={"flock": ("LOCK_SH", "LOCK_EX", "LOCK_NB", "LOCK_UN"), "seek": ("SEEK_SET", "SEEK_CUR", "SEEK_END")})  # fmt: skip
def _fcntl() -> dict[str, Native]:
    return {}


@module("Errno", "", " ".join(_ERRNO), start=lambda vm: constants(vm, "Errno", _ERRNO))
def _errno() -> dict[str, Native]:
    return {}


@module("Time::HiRes", "", "time sleep usleep nanosleep gettimeofday tv_interval alarm ualarm")
def _hires() -> dict[str, Native]:
    def pausing(scale: float) -> Native:
        def run(vm: Vm, seconds: Any = 0) -> Gen:
            yield from pause(vm, max(0.0, float(num(seconds)) * scale))
            return seconds

        return plain(run)

    def gettimeofday(vm: Vm, args: list[Any], want: Any) -> Any:
        now = vm.p.now()
        return [int(now), int(now % 1 * 1_000_000)] if want else now

    def interval(vm: Vm, first: Any, second: Any = None) -> float:
        start = [num(each.v) for each in first.t.a]
        now = vm.p.now()
        end = (
            [num(each.v) for each in second.t.a]
            if second is not None
            else [int(now), int(now % 1 * 1_000_000)]
        )
        return end[0] - start[0] + (end[1] - start[1]) / 1_000_000

    return {
        "time": plain(lambda vm: vm.p.now()), "sleep": pausing(1.0), "usleep": pausing(1e-6), "nanosleep": pausing(1e-9),
        "gettimeofday": gettimeofday, "tv_interval": plain(interval), "alarm": plain(set_alarm),
        "ualarm": plain(lambda vm, v=0: set_alarm(vm, float(num(v)) / 1e6)),
    }  # fmt: skip


@module("Time::Local", "timelocal timegm")
def _time_local() -> dict[str, Native]:
    def gm(vm: Vm, *parts: Any) -> Any:
        second, minute, hour, day, month, year = (whole(each) for each in parts[:6])
        year += 1900 if year < 1000 else 0
        return calendar.timegm((year, month + 1, day, hour, minute, second))

    def here(vm: Vm, *parts: Any) -> Any:
        when = gm(vm, *parts)
        return when - local(vm.p, when).offset

    return {"timegm": plain(gm), "timelocal": plain(here)}


def _start_config(vm: Vm) -> None:
    vm.hashes["Config::Config"] = Hash({name: Scalar(value) for name, value in configuration(vm).items()})


def configuration(vm: Vm) -> dict[str, Any]:
    """What perl -V:NAME and %Config tell, as far as scripts ask."""
    version = ".".join(map(str, vm.version))
    return {
        "version": version, "archname": "x86_64-linux-gnu-thread-multi", "osname": "linux", "perlpath": "/usr/bin/perl",
        "path_sep": ":", "ivsize": "8", "ptrsize": "8", "uvsize": "8", "nvsize": "8", "byteorder": "12345678",
        "useithreads": "define", "usethreads": "define", "d_fork": "define", "cc": "x86_64-linux-gnu-gcc", "sh": "/bin/sh",
        "sig_name": "ZERO " + " ".join(NAMES), "sig_num": " ".join(map(str, range(len(NAMES) + 1))), "so": "so",
        "startperl": "#!/usr/bin/perl", "api_versionstring": version, "PERL_VERSION": str(vm.version[1]), "dlext": "so",
        "privlibexp": f"/usr/share/perl/{vm.version[0]}.{vm.version[1]}", "longsize": "8", "intsize": "4",
    }  # fmt: skip


@module("Config", "%Config", start=_start_config)
def _config() -> dict[str, Native]:
    return {}


def _get_options(vm: Vm, args: list[Any], want: Any) -> Gen:
    given = values(args)
    wanted: dict[str, tuple[str, Any]] = {}
    at = 0
    if given and type(given[0]) is Ref and isinstance(given[0].t, Hash):
        table = given.pop(0).t
        for spec in given:
            names, kind = _spec(string(spec))
            wanted.update({name: (kind, Ref(table.at(names[0]))) for name in names})
    else:
        while at + 1 < len(given):
            names, kind = _spec(string(given[at]))
            wanted.update(dict.fromkeys(names, (kind, given[at + 1])))
            at += 2
    argv = vm.av("main::ARGV")
    rest: list[Any] = []
    ok = 1
    words = [string(each.v) for each in argv.a]
    while words:
        word = words.pop(0)
        if word == "--":
            rest += words
            break
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        found = [each for each in wanted if each == name] or [
            each for each in wanted if each.startswith(name)
        ]
        negated = not found and name.startswith("no") and wanted.get(name[2:].lstrip("-"), ("",))[0] == "!"
        if negated:
            found = [name[2:].lstrip("-")]
        if not found:
            yield from vm.warn(f"Unknown option: {name}\n")
            ok = 0
            continue
        kind, target = wanted[found[0]]
        final: Any = 0 if negated else 1
        if kind[:1] in ("=", ":"):
            if not equals and words and not (kind[0] == ":" and words[0].startswith("-")):
                value = words.pop(0)
            elif not equals and kind[0] == "=":
                yield from vm.warn(f"Option {name} requires an argument\n")
                ok = 0
                continue
            if "i" in kind and not re.fullmatch(r"[-+]?\d+", value):
                yield from vm.warn(f'Value "{value}" invalid for option {name} (number expected)\n')
                ok = 0
                continue
            final = int(value) if "i" in kind else value
        what = target.t if type(target) is Ref else None
        if isinstance(what, Code):
            yield from _calls.call_code(vm, what, [found[0], final], False)
        elif isinstance(what, Array):
            what.a.append(Scalar(final))
        elif isinstance(what, Scalar):
            if "@" in kind:
                if type(what.v) is not Ref:
                    what.v = Ref(Array())
                what.v.t.a.append(Scalar(final))
            else:
                what.v = final
        else:
            raise Unsupported("a target of GetOptions")
    argv.a = [Scalar(each) for each in rest]
    return ok if ok else ""


def _spec(text: str) -> tuple[list[str], str]:
    found = re.fullmatch(r"([\w?|-]+)([=:!+].*)?", text)
    if found is None:
        raise Unsupported("a description of GetOptions")
    return found[1].split("|"), found[2] or ""


@module("Getopt::Long", "GetOptions", "GetOptionsFromArray", tags={"config": ()})
def _getopt_long() -> dict[str, Native]:
    return {"GetOptions": _get_options, "Configure": plain(lambda vm, *words: None)}


@module("Getopt::Std", "getopts getopt")
def _getopt_std() -> dict[str, Native]:
    def getopts(vm: Vm, letters: Any, table: Any = None) -> Gen:
        wanted = string(letters)
        argv = vm.av("main::ARGV")
        ok = 1
        while argv.a and re.match(r"-.", string(argv.a[0].v), re.DOTALL):
            word = string(argv.a.pop(0).v)[1:]
            if word == "-":
                break
            while word:
                letter, word = word[0], word[1:]
                if letter not in wanted or letter == ":":
                    yield from vm.warn(f"Unknown option: {letter}\n")
                    ok = 0
                    continue
                value: Any = 1
                if wanted[wanted.index(letter) + 1 : wanted.index(letter) + 2] == ":":
                    value = word or (argv.a.pop(0).v if argv.a else None)
                    word = ""
                place = table.t.at(letter) if table is not None else vm.sv(f"main::opt_{letter}")
                place.v = value
        return ok if ok else ""

    return {"getopts": plain(getopts)}


_COLORS = {
    name: number
    for number, name in enumerate(["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"], 30)
}
_ATTRIBUTES = {"reset": 0, "clear": 0, "bold": 1, "dark": 2, "faint": 2, "italic": 3, "underline": 4, "underscore": 4,
               "blink": 5, "reverse": 7, "concealed": 8}  # fmt: skip


def _color(vm: Vm, *names: Any) -> str:
    codes = []
    for name in " ".join(string(each) for each in names).replace(",", " ").lower().split():
        plain_name = name.removeprefix("bright_").removeprefix("on_")
        if name in _ATTRIBUTES:
            codes.append(_ATTRIBUTES[name])
        elif plain_name.removeprefix("bright_") in _COLORS:
            base = _COLORS[plain_name.removeprefix("bright_")]
            codes.append(base + 10 * ("on_" in name) + 60 * ("bright" in name))
        else:
            raise vm.die(f"Invalid attribute name {name}")
    return "\x1b[" + ";".join(map(str, codes)) + "m" if codes else ""


def _start_colors(vm: Vm) -> None:
    names = {"BOLD": 1, "RESET": 0, "UNDERLINE": 4, "BLINK": 5, "DARK": 2, "REVERSE": 7}
    names.update({name.upper(): number for name, number in _COLORS.items()})
    for name, number in names.items():

        def native(vm: Vm, args: list[Any], want: Any, code: int = number) -> str:
            return f"\x1b[{code}m" + "".join(map(string, values(args)))

        vm.subs[f"Term::ANSIColor::{name}"] = Code(name, "Term::ANSIColor", native=native)


@module("Term::ANSIColor", "color colored", start=_start_colors,
        tags={"constants": ("BOLD", "RESET", "UNDERLINE", "BLINK", "DARK", "REVERSE", *(each.upper() for each in _COLORS))})  # fmt: skip
def _ansi() -> dict[str, Native]:
    def colored(vm: Vm, text: Any, *names: Any) -> str:
        if type(text) is Ref:
            return _color(vm, *(each.v for each in text.t.a)) + "".join(map(string, names)) + "\x1b[0m"
        return _color(vm, *names) + string(text) + "\x1b[0m"

    return {"color": plain(_color), "colored": plain(colored)}

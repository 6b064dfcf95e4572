"""tar: GNU's and BusyBox's."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._cmd import APPLETS, Cmd, guard
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs.registry import program
from urltrap.machine.programs.tar._create import create
from urltrap.machine.programs.tar._read import read

_SHORT = "ctxruAdvf:C:zjJZaphkmoOPSWX:T:wb:g:K:N:lhUB"
_LONG = {
    "create": "", "list": "", "extract": "", "get": "", "file": ":", "directory": ":", "verbose": "", "gzip": "",
    "gunzip": "", "bzip2": "", "xz": "", "auto-compress": "", "exclude": ":", "strip-components": ":", "to-stdout": "",
    "overwrite": "", "keep-old-files": "", "no-same-owner": "", "same-owner": "", "preserve-permissions": "",
    "absolute-names": "", "files-from": ":", "version": "", "help": "", "append": "", "wildcards": "", "touch": "",
    "no-same-permissions": "", "totals": "", "numeric-owner": "", "transform": ":", "owner": ":", "group": ":",
    "zstd": "", "lzma": "", "warning": ":", "checkpoint": "::", "exclude-vcs": "", "ignore-failed-read": "",
    "one-file-system": "", "show-transformed-names": "", "delete": "", "update": "",
}  # fmt: skip
_NAMES = {
    "create": "c", "list": "t", "extract": "x", "get": "x", "file": "f", "directory": "C", "verbose": "v", "gzip": "z",
    "gunzip": "z", "bzip2": "j", "xz": "J", "auto-compress": "a", "to-stdout": "O", "keep-old-files": "k",
    "absolute-names": "P", "files-from": "T", "append": "r", "update": "u",
}  # fmt: skip
_HINT = "Try '{0} --help' or '{0} --usage' for more information.\n"


@program("tar")
def tar(p: Process) -> Run:
    """Make, list and unpack archives."""
    return (yield from _run(p, False))


def tar_applet(p: Process) -> Run:
    """Make, list and unpack archives, as BusyBox does."""
    return (yield from _run(p, True))


APPLETS["tar"] = tar_applet


def _run(p: Process, busybox: bool) -> Run:
    words = list(p.argv[1:])
    try:
        if words and not words[0].startswith("-"):
            words = _old_style(words)
        found, args = getopt(words, _SHORT, _LONG)
    except OptionError as problem:
        c = Cmd(p, [], [], busybox)
        c.hint = _HINT
        return (yield from c.usage(str(problem), 64))
    opts = [
        (_NAMES.get(name[2:], name[2:]) if name.startswith("--") else name, value) for name, value in found
    ]
    c = Cmd(p, opts, args, busybox)
    c.hint = _HINT
    return (yield from guard(c, _tar))


def _old_style(words: list[str]) -> list[str]:
    """``tar xzf a.tar`` with its values taken from the words behind. OptionError."""
    letters, rest = words[0], words[1:]
    out: list[str] = []
    for letter in letters:
        out.append("-" + letter)
        at = _SHORT.find(letter)
        if at >= 0 and _SHORT[at + 1 : at + 2] == ":":
            if not rest:
                raise OptionError(f"Old option '{letter}' requires an argument.")
            out.append(rest.pop(0))
    return out + rest


def _tar(c: Cmd) -> Run:
    if c.has("version"):
        yield from c.p.out("tar (GNU tar) 1.34\n" if not c.bb else "tar (busybox) 1.35.0\n")
        return 0
    if c.has("help"):
        yield from c.p.out(f"Usage: {c.name} [OPTION...] [FILE]...\n")
        return 0
    modes = [name for name in ("c", "t", "x", "r", "u", "delete") if c.has(name)]
    if not modes and c.bb:
        return (yield from c.usage())
    if not modes:
        return (
            yield from c.usage(
                "You must specify one of the '-Acdtrux', '--delete' or '--test-label' options", 2
            )
        )
    if len(modes) > 1:
        words = "You may not specify more than one '-Acdtrux', '--delete' or  '--test-label' option"
        return (yield from c.usage(words, 2))
    if modes[0] in ("t", "x"):
        return (yield from read(c, modes[0] == "x"))
    return (yield from create(c, modes[0]))

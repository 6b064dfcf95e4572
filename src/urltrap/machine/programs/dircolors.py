"""dircolors: the colours of ls as shell code, from coreutils' own database as it was recorded."""

from __future__ import annotations

import fnmatch

from urltrap.machine.api import Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command

_KINDS = {
    "NORMAL": "no", "NORM": "no", "FILE": "fi", "RESET": "rs", "DIR": "di", "LNK": "ln", "LINK": "ln",
    "SYMLINK": "ln", "ORPHAN": "or", "MISSING": "mi", "FIFO": "pi", "PIPE": "pi", "SOCK": "so", "BLK": "bd",
    "BLOCK": "bd", "CHR": "cd", "CHAR": "cd", "DOOR": "do", "EXEC": "ex", "LEFT": "lc", "LEFTCODE": "lc",
    "RIGHT": "rc", "RIGHTCODE": "rc", "END": "ec", "ENDCODE": "ec", "SUID": "su", "SETUID": "su", "SGID": "sg",
    "SETGID": "sg", "STICKY": "st", "OTHER_WRITABLE": "ow", "OWR": "ow", "STICKY_OTHER_WRITABLE": "tw", "OWT": "tw",
    "CAPABILITY": "ca", "MULTIHARDLINK": "mh", "CLRTOEOL": "cl",
}  # fmt: skip


@command(
    "dircolors",
    short="bcp",
    long={
        "sh": "b", "bourne-shell": "b", "csh": "c", "c-shell": "c", "print-database": "p",
        "print-ls-colors": "--print-ls-colors",
    },
    bb=False,
)  # fmt: skip
def dircolors(c: Cmd) -> Run:
    """Print the database, or what sets LS_COLORS."""
    if c.has("p"):
        if c.args:
            return (yield from c.usage(f"extra operand {c.lq(c.args[0])}"))
        yield from c.say(_database(c))
        return 0
    if len(c.args) > 1:
        return (yield from c.usage(f"extra operand {c.lq(c.args[1])}"))
    shell = c.p.env.get("SHELL", "")
    if not c.has("b", "c") and not shell and not c.has("--print-ls-colors"):
        yield from c.fail("no SHELL environment variable, and no shell type option given")
        return 1
    text = _database(c)
    if c.args:
        try:
            text = decode((yield from c.load(c.args[0], 1_000_000)))
        except SysError as problem:
            yield from c.bad_file(c.args[0], problem)
            return 1
    colours = _colours(c, text)
    if c.has("--print-ls-colors"):
        for each in colours.split(":")[:-1]:
            name, _, code = each.partition("=")
            yield from c.say(f"\033[{code}m{name}\t{code}\033[0m\n")
        return 0
    if c.last("bc") == "c" or (not c.has("b") and shell.rpartition("/")[2] in ("csh", "tcsh")):
        yield from c.say(f"setenv LS_COLORS '{colours}'\n")
    else:
        yield from c.say(f"LS_COLORS='{colours}';\nexport LS_COLORS\n")
    return 0


def _database(c: Cmd) -> str:
    row = c.p.recorded_answer("dircolors", "-p")
    return str(row[1]) if row is not None else ""


def _colours(c: Cmd, text: str) -> str:
    """What the lines give for this terminal."""
    terminal = c.p.env.get("TERM") or "none"
    colour = c.p.env.get("COLORTERM", "")
    state = "global"  # global, no (terminal named, not ours), yes
    out = []
    for line in text.splitlines():
        words = (
            line.partition("#")[0].split(None, 1) if line[:1] == "#" else line.split(" #")[0].split(None, 1)
        )
        if len(words) < 2:
            continue
        keyword, value = words[0], words[1].strip()
        upper = keyword.upper()
        if upper in ("TERM", "COLORTERM"):
            matches = fnmatch.fnmatchcase(terminal if upper == "TERM" else colour, value)
            state = "yes" if matches else ("no" if state != "yes" else state)
            continue
        if state == "yes":
            state = "ours"
        if state == "no":
            continue
        if keyword.startswith("."):
            out.append(f"*{keyword}={value}:")
        elif keyword.startswith("*"):
            out.append(f"{keyword}={value}:")
        elif upper in _KINDS:
            out.append(f"{_KINDS[upper]}={value}:")
    return "".join(out)

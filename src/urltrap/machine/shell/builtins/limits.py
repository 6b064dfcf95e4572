"""umask and ulimit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from urltrap.machine.shell.builtins.registry import builtin
from urltrap.machine.shell.errors import ExitShell

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_SYMBOLIC = re.compile(r"([ugoa]*)([-+=])([rwxXst]*)\Z")

# letter: (bash's words, unit, soft limit, hard limit); None is unlimited. What Debian gives a root shell under sshd.
_LIMITS: dict[str, tuple[str, str, int | None, int | None]] = {
    "R": ("real-time non-blocking time ", "microseconds", None, None),
    "c": ("core file size         ", "blocks", 0, None),
    "d": ("data seg size          ", "kbytes", None, None),
    "e": ("scheduling priority            ", "", 0, 0),
    "f": ("file size              ", "blocks", None, None),
    "i": ("pending signals                ", "", 0, 0),
    "l": ("max locked memory      ", "kbytes", 0, 0),
    "m": ("max memory size        ", "kbytes", None, None),
    "n": ("open files                     ", "", 1024, 1_048_576),
    "p": ("pipe size           ", "512 bytes", 8, 8),
    "q": ("POSIX message queues    ", "bytes", 819_200, 819_200),
    "r": ("real-time priority             ", "", 0, 0),
    "s": ("stack size             ", "kbytes", 8192, None),
    "t": ("cpu time              ", "seconds", None, None),
    "u": ("max user processes             ", "", 0, 0),
    "v": ("virtual memory         ", "kbytes", None, None),
    "x": ("file locks                     ", "", None, None),
}
_PLAIN = {
    "t": "time(seconds)", "f": "file(blocks)", "d": "data(kb)", "s": "stack(kb)", "c": "coredump(blocks)",
    "m": "memory(kb)", "l": "locked memory(kb)", "p": "process", "n": "nofiles", "v": "vmemory(kb)", "w": "locks",
    "r": "rtprio",
}  # fmt: skip
_ASH_ROWS = (
    ("f", "file size (blocks)            ", ), ("t", "cpu time (seconds)            ",),
    ("d", "data seg size (kb)            ",), ("s", "stack size (kb)               ",),
    ("c", "core file size (blocks)       ",), ("m", "resident set size (kb)        ",),
    ("l", "locked memory (kb)            ",), ("p", "processes                     ",),
    ("n", "file descriptors              ",), ("v", "address space (kb)            ",),
    ("w", "locks                         ",), ("e", "scheduling priority           ",),
    ("r", "real-time priority            ",),
)  # fmt: skip


def _table(sh: Shell) -> dict[str, list[int | None]]:
    """The limits of this session: letter to [soft, hard]. What depends on the memory comes from the persona."""
    kept = sh.extra.get("limits")
    if kept is not None:
        return dict(kept)
    memory_kb = _memory_kb(sh)
    processes = max(512, memory_kb // 256)
    table: dict[str, list[int | None]] = {letter: [row[2], row[3]] for letter, row in _LIMITS.items()}
    table["u"] = [processes, processes]
    table["i"] = [processes, processes]
    table["l"] = [memory_kb // 8, memory_kb // 8]
    sh.extra["limits"] = table
    return table


def _memory_kb(sh: Shell) -> int:
    from urltrap.machine.errors import SysError

    try:
        text = sh.p.fs.read("/proc/meminfo", 4096).decode("ascii", "replace")
    except SysError:
        return 4_000_000
    match = re.search(r"MemTotal:\s+(\d+)", text)
    return int(match[1]) if match else 4_000_000


def _words(value: int | None) -> str:
    return "unlimited" if value is None else str(value)


@builtin("ulimit")
def ulimit(sh: Shell, argv: list[str]) -> Gen[int]:
    """Show and set limits (they are only shown back: the session has its own)."""
    letters: list[str] = []
    values: list[str] = []
    which = 0
    both = True
    everything = False
    for word in argv[1:]:
        if word.startswith("-") and len(word) > 1 and not word[1:].isdecimal():
            for letter in word[1:]:
                if letter == "H":
                    which, both = 1, False
                elif letter == "S":
                    which, both = 0, False
                elif letter == "a":
                    everything = True
                elif letter in _LIMITS or letter in "bkPTw":
                    letters.append(letter)
                else:
                    if sh.dialect.bash:
                        yield from sh.complain(f"-{letter}: invalid option", "ulimit")
                        yield from sh.p.err("ulimit: usage: ulimit [-SHabcdefiklmnpqrstuvxPRT] [limit]\n")
                        return 2
                    if sh.dialect.name == "ash":
                        yield from sh.p.err(f"ulimit: invalid option -- '{letter}'\n")
                        return 1
                    yield from sh.complain(f"Illegal option -{letter}", "ulimit")
                    raise ExitShell(2)
        else:
            values.append(word)
    table = _table(sh)
    if everything:
        yield from sh.p.out(_all(sh, table, which))
        return 0
    letters = letters or ["f"]
    if values:
        return (yield from _set(sh, table, letters[-1], values[0], which, both))
    for letter in letters:
        shown = _words(
            table.get("u" if letter == "p" and not sh.dialect.bash else letter, [None, None])[which]
        )
        if len(letters) > 1 and sh.dialect.bash:
            words, unit, _, _ = _LIMITS[letter]
            yield from sh.p.out(f"{words}({unit + ', ' if unit else ''}-{letter}) {shown}\n")
        else:
            yield from sh.p.out(shown + "\n")
    return 0


def _set(
    sh: Shell, table: dict[str, list[int | None]], letter: str, value: str, which: int, both: bool
) -> Gen[int]:
    new: int | None
    if value in ("unlimited", "hard", "soft"):
        new = None if value == "unlimited" else table.get(letter, [None, None])[1 if value == "hard" else 0]
    elif value.isdecimal():
        new = int(value[:18])
    else:
        yield from sh.complain(f"{value}: invalid number" if sh.dialect.bash else "bad number", "ulimit")
        if not sh.dialect.bash:
            raise ExitShell(2)
        return 1
    row = table.setdefault(letter, [None, None])
    hard = row[1]
    if hard is not None and (new is None or new > hard) and sh.p.uid != 0:
        text = f"{_LIMITS[letter][0].strip()}: cannot modify limit: Operation not permitted"
        yield from sh.complain(
            text if sh.dialect.bash else "error setting limit: Operation not permitted", "ulimit"
        )
        return 1
    if both:
        row[0] = row[1] = new
    else:
        row[which] = new
    sh.extra["limits"] = table
    return 0


def _all(sh: Shell, table: dict[str, list[int | None]], which: int) -> str:
    if sh.dialect.bash:
        return "".join(
            f"{words}({unit + ', ' if unit else ''}-{letter}) {_words(table[letter][which])}\n"
            for letter, (words, unit, _, _) in _LIMITS.items()
        )
    if sh.dialect.name == "dash":
        return "".join(
            f"{words:<20} {_words(table.get('u' if letter == 'p' else letter, [None, None])[which])}\n"
            for letter, words in _PLAIN.items()
        )
    return "".join(
        f"-{row[0]}: {row[1]}  {_words(table.get('u' if row[0] == 'p' else row[0], [None, None])[which])}\n"
        for row in _ASH_ROWS
    )


@builtin("umask")
def umask(sh: Shell, argv: list[str]) -> Gen[int]:
    """Show or set the file mode mask."""
    words = [word for word in argv[1:] if word not in ("-S", "-p", "--")]
    symbolic, again = "-S" in argv[1:], "-p" in argv[1:]
    if not words:
        if symbolic:
            text = ",".join(
                f"{who}={_letters(sh.p.umask >> shift)}" for who, shift in (("u", 6), ("g", 3), ("o", 0))
            )
            yield from sh.p.out(f"{'umask -S ' if again else ''}{text}\n")
        else:
            yield from sh.p.out(f"{'umask ' if again else ''}{sh.p.umask:04o}\n")
        return 0
    text = words[0]
    if text.isdecimal():
        if any(digit in "89" for digit in text) or int(text, 8) > 0o7777:
            if sh.dialect.bash:
                yield from sh.complain(f"{text}: octal number out of range", "umask")
                return 1
            yield from sh.complain(
                f"Illegal number: {text}" if sh.dialect.name == "dash" else f"illegal mode: {text}", "umask"
            )
            raise ExitShell(2)
        sh.p.umask = int(text, 8) & 0o777
        return 0
    mask = 0o777 & ~sh.p.umask
    for clause in text.split(","):
        match = _SYMBOLIC.match(clause)
        if match is None:
            if sh.dialect.bash:
                bad = clause.lstrip("ugoa").lstrip("=+-") if clause.lstrip("ugoa")[:1] in tuple("=+-") else ""
                char, what = (bad.lstrip("rwxXst")[:1], "character") if bad else (clause[-1:], "operator")
                yield from sh.complain(f"`{char}': invalid symbolic mode {what}", "umask")
                return 1
            yield from sh.complain(
                f"{'Illegal' if sh.dialect.name == 'dash' else 'illegal'} mode: {text}", "umask"
            )
            raise ExitShell(2)
        who, op, perms = match.groups()
        bits = sum({"r": 4, "w": 2, "x": 1, "X": 1}.get(letter, 0) for letter in set(perms))
        shifts = [{"u": 6, "g": 3, "o": 0}[letter] for letter in ("ugo" if not who or "a" in who else who)]
        for shift in shifts:
            if op == "=":
                mask = (mask & ~(7 << shift)) | bits << shift
            elif op == "+":
                mask |= bits << shift
            else:
                mask &= ~(bits << shift)
    sh.p.umask = 0o777 & ~mask
    return 0


def _letters(mask: int) -> str:
    allowed = 7 & ~mask
    return ("r" if allowed & 4 else "") + ("w" if allowed & 2 else "") + ("x" if allowed & 1 else "")

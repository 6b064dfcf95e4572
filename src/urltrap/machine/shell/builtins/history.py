"""history and fc."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.api import decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.shell.builtins.registry import builtin
from urltrap.machine.shell.errors import DiscardLine

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


def history_file(sh: Shell) -> str:
    """$HISTFILE; empty where history is not kept."""
    return sh.getvar("HISTFILE")


@builtin("history", dialects="bash ash")
def history(sh: Shell, argv: list[str]) -> Gen[int]:
    """Show or change the list of entered lines."""
    words = argv[1:]
    if words and words[0] == "-c":
        sh.history.clear()
        return 0
    if words and words[0].startswith("-") and len(words[0]) == 2 and sh.dialect.bash:
        return (yield from _flagged(sh, words))
    if words and words[0].startswith("-") and sh.dialect.bash:
        yield from sh.complain(f"{words[0][:2]}: invalid option", "history")
        yield from sh.p.err("history: usage: history [-c] [-d offset] [n] or history -anrw [filename] or history -ps "
                            "arg [arg...]\n")  # fmt: skip
        return 2
    count = len(sh.history)
    if words:
        if len(words) > 1 and sh.dialect.bash:
            yield from sh.complain("too many arguments", "history")
            raise DiscardLine(1)  # bash jumps out of the whole line
        if not words[0].isdecimal():
            yield from sh.complain(f"{words[0]}: numeric argument required", "history")
            return 1
        count = int(words[0][:9])
    begin = max(0, len(sh.history) - count)
    first, width, gap = (1, 5, "  ") if sh.dialect.bash else (0, 4, " ")  # ash counts from 0
    rows = (
        f"{number + first:{width}d}{gap}{sh.history[number]}\n" for number in range(begin, len(sh.history))
    )
    yield from sh.p.out("".join(rows))
    return 0


def _flagged(sh: Shell, words: list[str]) -> Gen[int]:
    flag, rest = words[0][1], words[1:]
    path = rest[0] if rest else history_file(sh)
    if flag in "wa":
        text = "".join(
            line + "\n" for line in sh.history[sh.extra.get("history_saved", 0) if flag == "a" else 0 :]
        )
        if flag == "a" and not text:
            return 0
        try:
            sh.p.fs.write(path, encode(text), mode=0o600, append=flag == "a")
        except SysError:
            return 1  # bash says nothing either
        sh.extra["history_saved"] = len(sh.history)
        return 0
    if flag in "rn":
        try:
            if not sh.p.fs.stat(path).is_file:
                return 1
            data = sh.p.fs.read(path)
        except SysError:
            return 1  # bash says nothing either
        sh.history.extend(line for line in decode(data).split("\n") if line)
        return 0
    if flag == "s":
        sh.history.append(" ".join(rest))
        return 0
    if flag == "p":
        for word in rest:
            yield from sh.p.out(word + "\n")
        return 0
    if flag == "d":
        text = rest[0] if rest else ""
        number = int(text) if text.lstrip("-").isdecimal() and len(text) < 10 else 0
        index = number - 1 if number > 0 else len(sh.history) + number
        if not number or not 0 <= index < len(sh.history):
            yield from sh.complain(f"{text}: history position out of range", "history")
            return 1
        del sh.history[index]
        return 0
    yield from sh.complain(f"-{flag}: invalid option", "history")
    yield from sh.p.err("history: usage: history [-c] [-d offset] [n] or history -anrw [filename] or history -ps "
                        "arg [arg...]\n")  # fmt: skip
    return 2


@builtin("fc", dialects="bash")
def fix_command(sh: Shell, argv: list[str]) -> Gen[int]:
    """List earlier lines (-l) or run one again (-s)."""
    words = argv[1:]
    flags = ""
    while words and words[0].startswith("-") and len(words[0]) > 1 and not words[0][1:].isdecimal():
        flags += words.pop(0)[1:]
    if "s" in flags:
        if not sh.history:
            yield from sh.complain("no command found", "fc")
            return 1
        from urltrap.machine.shell.interpreter.script import run_text

        prefix = words[0] if words else ""
        line = next((item for item in reversed(sh.history) if item.startswith(prefix)), None)
        if line is None:
            yield from sh.complain("no command found", "fc")
            return 1
        yield from sh.p.err(line + "\n")
        return (yield from run_text(sh, line, origin="eval"))
    if "l" not in flags:
        yield from sh.complain("history specification out of range", "fc")
        return 1
    size = len(sh.history)
    begin = max(0, size - 16)
    if words and words[0].lstrip("-").isdecimal():
        number = int(words[0][:9])
        begin = max(0, number - 1 if number > 0 else size + number)
    order = range(begin, size)
    rows = [("" if "n" in flags else f"{number + 1}") + f"\t {sh.history[number]}\n" for number in order]
    yield from sh.p.out("".join(reversed(rows) if "r" in flags else rows))
    return 0

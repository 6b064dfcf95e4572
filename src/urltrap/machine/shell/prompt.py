"""Prompts: bash's backslash escapes, then parameter and command expansion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.programs._zone import local
from urltrap.machine.shell.dialect import BASH
from urltrap.machine.shell.errors import ExpansionError, ShellSyntaxError
from urltrap.machine.shell.timeformat import strftime

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


def _directory(sh: Shell) -> str:
    from urltrap.machine.shell.builtins.directories import logical_pwd

    path = logical_pwd(sh)
    home = sh.vars.get("HOME")
    if home and home != "/" and (path == home or path.startswith(home.rstrip("/") + "/")):
        path = "~" + path[len(home.rstrip("/")) :]
    trim = sh.vars.get("PROMPT_DIRTRIM") or ""
    if trim.isdecimal() and int(trim):
        parts = path.split("/")
        if len(parts) > int(trim) + 1:
            path = f"{'~' if path.startswith('~') else ''}/.../".replace("//", "/") + "/".join(
                parts[-int(trim) :]
            )
    return path


def _quote(text: str) -> str:
    """Text from an escape is not expanded again."""
    return text.replace("\\", "\\\\").replace("$", "\\$").replace("`", "\\`")


def expand_escapes(sh: Shell, template: str, *, quote: bool = False) -> str:
    """The escapes of PS1 (and ``${x@P}``); with `quote` their results are protected from the expansion that follows."""
    if "\\" not in template:
        return template
    if not sh.dialect.bash:
        return _ash_escapes(sh, template)
    out: list[str] = []
    pos, size = 0, len(template)
    keep = _quote if quote else str
    while pos < size:
        char = template[pos]
        if char != "\\" or pos + 1 >= size:
            out.append(char)
            pos += 1
            continue
        letter = template[pos + 1]
        pos += 2
        if letter in "01234567":
            end = pos
            while end < size and end < pos + 2 and template[end] in "01234567":
                end += 1
            out.append(chr(int(template[pos - 1 : end], 8) & 255))
            pos = end
        elif letter == "D" and template[pos : pos + 1] == "{":
            end = template.find("}", pos)
            end = size if end < 0 else end
            out.append(keep(_clock(sh, template[pos + 1 : end] or "%X")))
            pos = end + 1
        elif letter == "\\":
            out.append("\\\\" if quote else "\\")
        else:
            text = _escape(sh, letter)
            out.append(("\\" + letter if not quote else "\\\\" + letter) if text is None else keep(text))
    return "".join(out)


def _escape(sh: Shell, letter: str) -> str | None:
    version = sh.getvar("BASH_VERSION", "5.2.15(1)-release")
    host = sh.p.hostname
    simple = {
        "a": "\a", "e": "\x1b", "n": "\n", "r": "\r", "[": "", "]": "", "u": sh.p.user, "h": host.partition(".")[0],
        "H": host, "s": sh.arg0.lstrip("-").rpartition("/")[2], "v": ".".join(version.split(".")[:2]),
        "V": version.partition("(")[0], "#": str(sh.extra.get("command_number", 1)), "!": str(len(sh.history) + 1),
        "$": "#" if sh.p.uid == 0 else "$", "j": str(len(sh.jobs.jobs)), "l": "0",
    }  # fmt: skip
    if letter in simple:
        return simple[letter]
    if letter in "wW":
        path = _directory(sh)
        return path if letter == "w" or path in ("/", "~") else path.rpartition("/")[2]
    times = {"t": "%H:%M:%S", "T": "%I:%M:%S", "@": "%I:%M %p", "A": "%H:%M", "d": "%a %b %d"}
    return _clock(sh, times[letter]) if letter in times else None


def _clock(sh: Shell, template: str) -> str:
    at = local(sh.p, sh.p.now(), sh.getvar("TZ", "") or None)
    return strftime(template, sh.p.now(), at.zone, at.offset)


def _ash_escapes(sh: Shell, template: str) -> str:
    """BusyBox's line editor knows a few of bash's; dash knows none."""
    if sh.dialect.name == "dash":
        return template
    out: list[str] = []
    pos = 0
    while pos < len(template):
        if template[pos] != "\\" or pos + 1 >= len(template):
            out.append(template[pos])
            pos += 1
            continue
        letter = template[pos + 1]
        text = _escape(sh, letter) if letter in "uhHwWt$!TA@ane[]r" else None
        out.append("\\" + letter if text is None else text)
        pos += 2
    return "".join(out)


def expand_prompt_text(sh: Shell, template: str) -> Gen[str]:
    """A prompt variable's value, ready to print."""
    text = expand_escapes(sh, template, quote=sh.dialect.bash)
    if "$" not in text and "`" not in text and "\\" not in text:
        return text
    if not sh.dialect.bash and "\\" in text and "$" not in text:
        return text
    from urltrap.machine.shell.ast import DoubleQuoted, Word
    from urltrap.machine.shell.compound import Parser
    from urltrap.machine.shell.expansion.fields import expand_string

    status = sh.status
    try:
        parts = Parser(text, sh.dialect).whole_dq()
        return (yield from expand_string(sh, Word((DoubleQuoted(parts),), None, None, text)))
    except (ExpansionError, ShellSyntaxError):
        return text
    finally:
        sh.status = status


__all__ = ["BASH", "expand_escapes", "expand_prompt_text"]

"""The colon commands of vi that people and scripts use."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from urltrap.machine.api import decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._regex import BadRegex, Found, compile_posix

if TYPE_CHECKING:
    from urltrap.machine.programs.vi import Vi

_ADDRESS = r"(?:\d+|[.$%]|/[^/]*/)(?:[-+]\d*)*|[-+]\d*"
_COMMAND = re.compile(
    rf"[\s:]*(?P<first>{_ADDRESS})?(?:,(?P<last>{_ADDRESS}))?\s*(?P<name>[a-z]+|[!&<>=])?(?P<rest>.*)", re.S
)
_SILENT = (
    "set",
    "se",
    "syntax",
    "sy",
    "syn",
    "noh",
    "nohlsearch",
    "colorscheme",
    "let",
    "map",
    "autocmd",
    "filetype",
)
_QUITS = {
    "q": False,
    "quit": False,
    "qa": False,
    "qall": False,
    "x": True,
    "wq": True,
    "xit": True,
    "xa": True,
    "wqa": True,
}
_WRITES = ("w", "write", "wa", "x", "xit", "xa", "wq", "wqa", "up", "update")
_UNSAVED = "E37: No write since last change (add ! to override)"


class Refused(Exception):
    """The command cannot be done; the text is vi's message."""


def execute(vi: Vi, text: str) -> Generator[Any, Any, str]:
    """Do one command; the message for the last line. `vi.over` is set where it ends the editor. Refused."""
    match = _COMMAND.fullmatch(text)
    if match is None or not text.strip(" :"):
        return ""
    name, rest = match["name"] or "", match["rest"]
    if (
        name
        and name not in _SILENT
        and name[0] in "sg"
        and len(name) > 1
        and match["rest"][:1] != "!"
        and (name not in ("global", "substitute", "sh", "shell"))
    ):
        name, rest = name[0], name[1:] + rest
    first, last = _range(vi, match["first"], match["last"])
    given = match["first"] is not None
    if not name:
        if rest.strip():
            raise Refused(f"E492: Not an editor command: {text}")
        vi.text.row, vi.text.column = last, 0
        return ""
    if name in _WRITES or name in _QUITS:
        return _leave(vi, name, rest, (first, last) if given else None)
    if name == "!":
        yield from vi.shell(rest)
        return ""
    if name in ("d", "delete"):
        vi.register, vi.linewise = "\n".join(vi.text.drop(first, last)), True
    elif name in ("s", "substitute"):
        return _substitute(vi, rest, first, last)
    elif name in ("g", "global", "v"):
        if not given:
            first, last = 0, len(vi.text.lines) - 1
        yield from _global(vi, rest, first, last, name == "v")
    elif name in ("norm", "normal", "normal!"):
        yield from vi.replay(rest.removeprefix("!").lstrip(" "))
    elif name in ("r", "read"):
        return _read(vi, rest.strip(), last if given else vi.text.row)
    elif name in ("e", "edit"):
        if vi.text.changed and not rest.startswith("!"):
            raise Refused(_UNSAVED)
        vi.text.path = rest.removeprefix("!").strip() or vi.text.path
        vi.text.load(vi.text.path)
        return vi.greeting()
    elif name not in _SILENT:
        raise Refused(f"E492: Not an editor command: {text}")
    return ""


def _range(vi: Vi, first: str | None, last: str | None) -> tuple[int, int]:
    if first == "%":
        return 0, len(vi.text.lines) - 1
    begin = _address(vi, first) if first is not None else vi.text.row
    end = _address(vi, last) if last is not None else begin
    if not (0 <= begin < len(vi.text.lines) and 0 <= end < len(vi.text.lines)):
        raise Refused("E16: Invalid range")
    return min(begin, end), max(begin, end)


def _address(vi: Vi, text: str) -> int:
    match = re.match(r"(\d+|[.$]|/[^/]*/)?(.*)", text)
    assert match is not None  # the expression matches everything
    base = match[1]
    if base is None or base == ".":
        place = vi.text.row
    elif base == "$":
        place = len(vi.text.lines) - 1
    elif base.startswith("/"):
        place = vi.find(base[1:-1], forward=True)[0]
    else:
        place = max(0, int(base[:9]) - 1)
    for sign, digits in re.findall(r"([-+])(\d*)", match[2]):
        place += (1 if sign == "+" else -1) * int(digits[:9] or 1)
    return place


def _leave(vi: Vi, name: str, rest: str, some: tuple[int, int] | None) -> str:
    force = rest.startswith("!")
    target = rest.removeprefix("!").strip()
    text = vi.text
    if name in _WRITES:
        append = target.startswith(">>")
        path = target.removeprefix(">>").strip() or text.path
        if not path:
            raise Refused("E32: No file name")
        lines = text.lines if some is None else text.lines[some[0] : some[1] + 1]
        if append:
            lines = [*_lines_of(vi, path), *lines]
        words = text.save(path, lines)
        if words:
            raise Refused(f'"{path}" E212: Can\'t open file for writing')
        if some is None and not append and path == (text.path or path):
            text.path, text.changed = path, False
        vi.over = name in _QUITS
        return f'"{path}" {len(lines)}L, {sum(len(line) + 1 for line in lines)}B written'
    if text.changed and not force:
        raise Refused(_UNSAVED)
    vi.over = True
    return ""


def _lines_of(vi: Vi, path: str) -> list[str]:
    try:
        return decode(vi.text.p.fs.read(path, 2_000_000)).removesuffix("\n").split("\n")
    except SysError:
        raise Refused(f"E484: Can't open file {path}") from None


def _read(vi: Vi, path: str, behind: int) -> str:
    lines = _lines_of(vi, path or vi.text.path)
    vi.text.lines[behind + 1 : behind + 1] = lines
    vi.text.row, vi.text.column, vi.text.changed = behind + 1, 0, True
    return ""


def _parts(rest: str, most: int = 3) -> list[str]:
    """What stands between the delimiters, at most so many parts."""
    if not rest:
        return []
    mark, parts, at = rest[0], [""], 1
    while at < len(rest):
        if rest[at] == "\\" and at + 1 < len(rest):
            parts[-1] += rest[at + 1] if rest[at + 1] == mark else rest[at : at + 2]
            at += 2
            continue
        if rest[at] == mark and len(parts) < most:
            parts.append("")
        else:
            parts[-1] += rest[at]
        at += 1
    return parts


def _substitute(vi: Vi, rest: str, first: int, last: int) -> str:
    parts = [*_parts(rest.lstrip()), "", "", ""][:3]
    if not parts[0]:
        raise Refused("E35: No previous regular expression")
    try:
        matcher = compile_posix(parts[0], fold="i" in parts[2])
    except BadRegex:
        raise Refused(f"E486: Pattern not found: {parts[0]}") from None
    done = 0
    for number in range(first, min(last, len(vi.text.lines) - 1) + 1):
        line, out, at = vi.text.lines[number], "", 0
        for found in matcher.all(line):
            out += line[at : found.start] + _filled(parts[1], line, found)
            at = found.end
            done += 1
            if "g" not in parts[2]:
                break
        if at or out:
            vi.text.lines[number] = out + line[at:]
            vi.text.row, vi.text.column, vi.text.changed = number, 0, True
    if not done:
        raise Refused(f"E486: Pattern not found: {parts[0]}")
    return f"{done} substitutions on {last - first + 1} lines" if done > 2 else ""


def _filled(pattern: str, line: str, found: Found) -> str:
    def part(match: re.Match[str]) -> str:
        if match[0] == "&":
            return line[found.start : found.end]
        if match[1].isdigit():
            start, end = found.spans[int(match[1])] if int(match[1]) < len(found.spans) else (-1, -1)
            return line[start:end] if start >= 0 else ""
        return {"n": "\0", "r": "\n", "t": "\t"}.get(match[1], match[1])

    return re.sub(r"\\(.)|&", part, pattern)


def _global(vi: Vi, rest: str, first: int, last: int, inverse: bool) -> Generator[Any, Any, None]:
    inverse, rest = inverse or rest.startswith("!"), rest.removeprefix("!")
    pattern, command = [*_parts(rest, 2), "", ""][:2]
    try:
        matcher = compile_posix(pattern)
    except BadRegex:
        raise Refused(f"E486: Pattern not found: {pattern}") from None
    marked = [
        number for number in range(first, last + 1)
        if (matcher.search(vi.text.lines[number]) is not None) != inverse
    ]  # fmt: skip
    gone = 0
    for number in marked:
        yield from vi.text.p.tick(4)
        before = len(vi.text.lines)
        vi.text.row, vi.text.column = max(0, min(number - gone, before - 1)), 0
        yield from execute(vi, command or "p")
        gone += before - len(vi.text.lines)

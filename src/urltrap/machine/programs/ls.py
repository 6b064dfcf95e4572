"""ls, dir and vdir."""

from __future__ import annotations

import errno
import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Run, Stat, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._choices import bad_choice
from urltrap.machine.programs._cmd import Cmd, Gen, command, shell_quote
from urltrap.machine.programs._columns import columns
from urltrap.machine.programs._modes import mode_text
from urltrap.machine.programs._system import group_names, human, names
from urltrap.machine.programs._zone import local
from urltrap.machine.shell.glob import compile_pattern
from urltrap.machine.shell.timeformat import strftime

_LONG = {
    "all": "a", "almost-all": "A", "author": "author", "escape": "b", "block-size:": "block-size",
    "ignore-backups": "B", "color::": "color", "directory": "d", "classify::": "F", "file-type": "file-type",
    "format:": "format", "full-time": "full-time", "group-directories-first": "gdf", "no-group": "G",
    "human-readable": "h", "si": "si", "dereference": "L", "dereference-command-line": "H", "hide:": "hide",
    "indicator-style:": "indicator", "inode": "i", "ignore:": "I", "kibibytes": "k", "numeric-uid-gid": "n",
    "literal": "N", "hide-control-chars": "q", "show-control-chars": "show", "quote-name": "Q",
    "quoting-style:": "quoting", "reverse": "r", "recursive": "R", "size": "s", "sort:": "sort", "time:": "time",
    "time-style:": "time-style", "tabsize:": "T", "width:": "w", "zero": "zero", "context": "Z",
}  # fmt: skip
_SHORT = "abcdfghiklmnopqrstuvw:xABCDFGHI:LNQRST:UXZ1"
_HALF_YEAR = 31_556_952 / 2
_MAX_ENTRIES = 200_000


class _Listing:
    def __init__(self, c: Cmd) -> None:
        self.c = c
        p = c.p
        letters = {name for name, _ in c.opts}
        self.letters = letters
        self.tty = p.is_tty(1)
        wanted = c.last("lgnoCxm") or ("l" if c.value("format") in ("long", "verbose") else "")
        self.long = "full-time" in letters or wanted in tuple("lgno")
        self.all = bool(letters & set("af"))
        self.almost = "A" in letters
        self.users = names(p)
        self.groups = group_names(p)
        color = c.value("color")
        # Without LS_COLORS a terminal that dircolors does not know gets no colours, not even with "always".
        known = bool(p.env.get("LS_COLORS") or p.env.get("COLORTERM") or p.env.get("TERM", "dumb") != "dumb")
        wanted_color = color in ("", "always", "yes", "force") or (
            color in ("auto", "tty", "if-tty") and self.tty
        )
        self.color = wanted_color and (known or c.bb)
        # What dircolors lists; ls itself has no colour for archives and for links that lead nowhere.
        self.listed_colors = bool(p.env.get("LS_COLORS")) or c.bb
        self.orphan = "40;31;01" if self.listed_colors else "01;36"
        self.now = p.now()
        self.listed = 0

    # -- looking

    def stat(self, path: str, top: bool = False) -> Stat:
        """lstat, or stat where asked for."""
        follow = "L" in self.letters or (top and "H" in self.letters)
        if follow:
            try:
                return self.c.p.fs.stat(path)
            except SysError:
                if top:
                    raise
        return self.c.p.fs.stat(path, follow=False)

    def sort(self, entries: list[tuple[str, Stat]]) -> list[tuple[str, Stat]]:
        """In the order of the options."""
        letters = self.letters
        order = self.c.value("sort") or ""
        by = self.c.last("tSUfXv")
        if by in ("U", "f") or order == "none":
            return entries
        locale = (
            self.c.p.env.get("LC_ALL") or self.c.p.env.get("LC_COLLATE") or self.c.p.env.get("LANG") or "C"
        )
        if locale.startswith(("C", "POSIX")):
            entries.sort(key=lambda each: encode(each[0]))
        else:
            entries.sort(key=lambda each: (_collate(each[0]), encode(each[0])))
        if by == "t" or order == "time":
            which = "atime" if "u" in letters else "ctime" if "c" in letters else "mtime"
            entries.sort(key=lambda each: -getattr(each[1], which))
        elif (letters & {"u", "c"}) and not self.long and by != "S":
            which = "atime" if "u" in letters else "ctime"
            entries.sort(key=lambda each: -getattr(each[1], which))
        elif by == "S" or order == "size":
            entries.sort(key=lambda each: -each[1].size)
        elif by == "X" or order == "extension":
            entries.sort(key=lambda each: "." + each[0].rpartition(".")[2] if "." in each[0] else "")
        elif by == "v" or order == "version":
            entries.sort(key=lambda each: version_key(each[0]))
        if "r" in letters:
            entries.reverse()
        if "gdf" in letters:
            entries.sort(key=lambda each: not each[1].is_dir)
        return entries

    # -- showing

    def shown(self, name: str) -> str:
        """A name, quoted for a terminal."""
        if "Q" in self.letters:
            return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if "N" in self.letters or not self.tty or self.c.bb:
            if self.tty and "show" not in self.letters:
                return "".join(char if ord(char) >= 32 and ord(char) != 127 else "?" for char in name)
            return name
        return shell_quote(name)

    def suffix(self, stat: Stat) -> str:
        """What -F and -p put behind a name."""
        style = self.c.value("indicator")
        if "F" in self.letters or style == "classify" or "file-type" in self.letters:
            marks = {"d": "/", "l": "@", "p": "|", "s": "="}
            mark = marks.get(mode_text(stat.mode)[0], "")
            if not mark and stat.is_file and stat.mode & 0o111 and "file-type" not in self.letters:
                mark = "*"
            return mark
        return "/" if ("p" in self.letters or style == "slash") and stat.is_dir else ""

    def painted(self, text: str, path: str, stat: Stat) -> str:
        """A name in its colour."""
        if not self.color:
            return text
        code = _colour(stat, text, self.listed_colors)
        if stat.is_link:
            try:
                self.c.p.fs.stat(path)
            except SysError:
                code = self.orphan
        if not code:
            return text
        reset = "" if self.painted_before else "\x1b[0m"  # once, before the first colour
        self.painted_before = True
        return f"{reset}\x1b[{code}m{text}\x1b[0m"

    def cell(self, name: str, path: str, stat: Stat) -> tuple[str, int]:
        """A name for columns, and its width."""
        prefix = ""
        if "i" in self.letters:
            prefix += f"{stat.inode} "
        if "s" in self.letters:
            prefix += f"{self.size(stat.blocks * 512) if 'h' in self.letters else (stat.blocks + 1) // 2} "
        plain = self.shown(name)
        if self.tty and plain == name and self._some_quoted and not self.c.bb:
            plain = " " + plain
        tail = self.suffix(stat)
        return prefix + self.painted(plain, path, stat) + tail, len(prefix) + len(plain) + len(tail)

    _some_quoted = False
    painted_before = False

    def size(self, value: int) -> str:
        """A size, for people where asked for."""
        if "h" in self.letters:
            return human(value).removesuffix("B") if value < 1024 else human(value)
        if "si" in self.letters:
            return (
                human(value, "BkMGTPE", 1000).removesuffix("B")
                if value < 1000
                else human(value, "BkMGTPE", 1000)
            )
        if self.c.value("block-size") in ("M", "1M"):
            return str(-(-value // 1048576))
        return str(value)

    def when(self, stat: Stat) -> str:
        """A time as -l shows it."""
        moment = stat.atime if "u" in self.letters else stat.ctime if "c" in self.letters else stat.mtime
        at = local(self.c.p, moment)
        wall = moment + at.offset
        style = self.c.value("time-style") or ""
        if "full-time" in self.letters or style == "full-iso":
            nano = round((moment % 1) * 1e9) % 1_000_000_000
            sign, minutes = ("-" if at.offset < 0 else "+"), abs(at.offset) // 60
            return (
                strftime("%Y-%m-%d %H:%M:%S", wall)
                + f".{nano:09d} {sign}{minutes // 60:02d}{minutes % 60:02d}"
            )
        if style == "long-iso":
            return strftime("%Y-%m-%d %H:%M", wall)
        if style.startswith("+"):
            return strftime(style[1:], wall)
        recent = self.now - _HALF_YEAR < moment <= self.now
        if style == "iso":
            return strftime("%m-%d %H:%M" if recent else "%Y-%m-%d ", wall)
        return strftime("%b %e %H:%M" if recent else "%b %e  %Y", wall)

    def rows(self, entries: list[tuple[str, str, Stat]]) -> list[str]:
        """Lines of -l."""
        table: list[list[str]] = []
        devices = [stat.rdev for _, _, stat in entries if mode_text(stat.mode)[0] in "bc"]
        major, minor = (max((len(str(rdev[n])) for rdev in devices), default=0) for n in (0, 1))
        for _, _, stat in entries:
            numeric = "n" in self.letters
            row = [mode_text(stat.mode), str(stat.nlink)]
            if "g" not in self.letters:
                row.append(str(stat.uid) if numeric else self.users.get(stat.uid, str(stat.uid)))
            if not self.letters & {"o", "G"}:
                row.append(str(stat.gid) if numeric else self.groups.get(stat.gid, str(stat.gid)))
            kind = row[0][0]
            numbers = f"{stat.rdev[0]:>{major}}, {stat.rdev[1]:>{minor}}"
            row.append(numbers if kind in "bc" else self.size(stat.size))
            table.append(row)
        if not table:
            return []
        widths = [max(len(row[n]) for row in table) for n in range(len(table[0]))]
        inode = max((len(str(each[2].inode)) for each in entries), default=0)
        blocks = [
            self.size(each[2].blocks * 512) if "h" in self.letters else str((each[2].blocks + 1) // 2)
            for each in entries
        ]
        block_width = max(map(len, blocks))
        lines = []
        for number, (row, (name, path, stat)) in enumerate(zip(table, entries, strict=True)):
            last = len(row) - 1
            cells = [
                row[n].ljust(widths[n]) if 1 < n < last or n == 0 else row[n].rjust(widths[n])
                for n in range(len(row))
            ]
            text = " ".join([*cells, self.when(stat), ""])
            plain = self.shown(name)
            if self.tty and plain == name and self._some_quoted and not self.c.bb:
                plain = " " + plain
            text += self.painted(plain, path, stat)
            if stat.is_link:
                text += " -> " + self.target(path)
            else:
                text += self.suffix(stat)
            if "s" in self.letters:
                text = blocks[number].rjust(block_width) + " " + text
            if "i" in self.letters:
                text = str(stat.inode).rjust(inode) + " " + text
            lines.append(text)
        return lines

    def target(self, path: str) -> str:
        """Where a link points to."""
        try:
            goal = self.c.p.fs.readlink(path)
        except SysError:
            return "?"
        try:
            stat = self.c.p.fs.stat(path)
        except SysError:
            return (
                f"\x1b[{self.orphan}m{goal}\x1b[0m" if self.color and self.listed_colors else self.shown(goal)
            )
        shown = self.shown(goal)
        if self.color and (code := _colour(stat, goal, self.listed_colors)):
            shown = f"\x1b[{code}m{shown}\x1b[0m"
        return shown + (self.suffix(stat) if "F" in self.letters else "")

    def show(self, entries: list[tuple[str, str, Stat]]) -> Gen:
        """A group of entries in the wanted format."""
        c = self.c
        yield from c.p.tick(1 + len(entries) // 4)
        self._some_quoted = self.tty and any(self.shown(name) != name for name, _, _ in entries)
        if self.long:
            for line in self.rows(entries):
                yield from c.say(line + "\n")
            return
        form = c.last("1Cxm") or c.value("format") or ""
        cells = [self.cell(*each) for each in entries]
        if form == "m" or form == "commas":
            yield from c.say(", ".join(text for text, _ in cells) + ("\n" if cells else ""))
        elif (form in ("C", "x", "vertical", "across")) or (not form and self.tty):
            asked = c.value("w") or ""
            width = int(asked) if asked.isdecimal() else self.width()
            for line in columns(cells, width or 10_000_000, across=form in ("x", "across")):
                yield from c.say(line + "\n")
        else:
            for text, _ in cells:
                yield from c.say(text + ("\0" if "zero" in self.letters else "\n"))

    def width(self) -> int:
        """The width to fill."""
        asked = self.c.p.env.get("COLUMNS", "")
        return int(asked) if asked.isdecimal() and len(asked) < 6 else self.c.p.window()[0]


def _colour(stat: Stat, name: str, archives: bool) -> str:
    if stat.is_dir:
        if stat.mode & 0o1002 == 0o1002:
            return "30;42"
        return "34;42" if stat.mode & 0o002 else "37;44" if stat.mode & 0o1000 else "01;34"
    kind = mode_text(stat.mode)[0]
    if kind in "lpsbc":
        return {"l": "01;36", "p": "40;33", "s": "01;35", "b": "40;33;01", "c": "40;33;01"}[kind]
    if stat.mode & 0o4000:
        return "37;41"
    if stat.mode & 0o2000:
        return "30;43"
    if stat.mode & 0o111:
        return "01;32"
    packed = name.endswith((".tar", ".gz", ".tgz", ".zip", ".xz", ".bz2", ".deb", ".rpm", ".7z", ".jar"))
    return "01;31" if archives and packed else ""


def _collate(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def version_key(name: str) -> list[tuple[int, int, str]]:
    """The key of ``sort -V`` and ``ls -v``: runs of digits compare as numbers."""
    return [
        (1, int(part[:400]), "")
        if part.isdecimal() and part.isascii()
        else (0 if part.startswith("~") else 2, 0, part)
        for part in re.findall(r"[0-9]+|[^0-9]+", name)
    ] or [(-1, 0, "")]


_COLORS = ("always yes force", "never no none", "auto tty if-tty")
_SORTS = ("none", "time", "size", "extension", "version", "width")
_STYLES = "full-iso", "long-iso", "iso", "locale"


def _wrong_choice(c: Cmd) -> Generator[Any, Any, int] | None:
    """The complaint about an option's word; None where all are right."""
    color, order, style = c.value("color"), c.value("sort"), c.value("time-style")
    if color and not any(color in each.split() for each in _COLORS):
        return bad_choice(c, color, "--color", _COLORS)
    if order is not None and order not in _SORTS:
        return bad_choice(c, order, "--sort", _SORTS)
    if style is not None and not style.startswith("+") and style.removeprefix("posix-") not in _STYLES:
        return _wrong_style(c, style)
    return None


def _wrong_style(c: Cmd, style: str) -> Generator[Any, Any, int]:
    yield from c.warn(f"invalid argument {c.lq(style)} for {c.lq('time style')}")
    rows = "".join(f"  - [posix-]{each}\n" for each in _STYLES)
    yield from c.p.err(f"Valid arguments are:\n{rows}  - +FORMAT (e.g., +%H:%M) for a 'date'-style format\n")
    return (yield from c.usage("", 2))


@command("ls", "dir", "vdir", short=_SHORT, long=_LONG, bad=2, bb="1AaCxdLHRFplinshrSXvctuk")
def ls(c: Cmd) -> Run:
    """List directories."""
    if c.name.rpartition("/")[2] == "vdir":
        c.opts.insert(0, ("l", ""))
    elif c.name.rpartition("/")[2] == "dir":
        c.opts.insert(0, ("C", ""))
    if (wrong := _wrong_choice(c)) is not None:
        return (yield from wrong)
    listing = _Listing(c)
    files: list[tuple[str, str, Stat]] = []
    folders: list[tuple[str, Stat]] = []
    problem_status = 1 if c.bb else 2
    for path in c.args or ["."]:
        try:
            if not path:
                raise SysError(errno.ENOENT, path)
            stat = listing.stat(path, top=True)
            inside = "d" not in listing.letters and (
                stat.is_dir
                or (
                    stat.is_link
                    and not listing.long
                    and "F" not in listing.letters
                    and _leads_to_dir(c, path)
                )
            )
        except SysError as problem:
            if c.bb:
                yield from c.fail(f"{path}: {problem.words}", 1)
            else:
                yield from c.fail(f"cannot access {c.quoted(path)}: {problem.words}", problem_status)
            continue
        if inside:
            folders.append((path, stat))
        else:
            files.append((path, path, stat))
    paired = {path: stat for path, _, stat in files}
    yield from listing.show([(name, name, stat) for name, stat in listing.sort(list(paired.items()))])
    headed = len(c.args) > 1 or "R" in listing.letters
    first = not files
    for path, _ in listing.sort(folders):
        first = yield from _folder(c, listing, path, headed, first)
    return c.status


def _leads_to_dir(c: Cmd, path: str) -> bool:
    try:
        return c.p.fs.stat(path).is_dir
    except SysError:
        return False


def _folder(c: Cmd, listing: _Listing, top: str, headed: bool, first: bool) -> Generator[Any, Any, bool]:
    waiting = [top]
    while waiting:
        path = waiting.pop()
        try:
            found = c.p.fs.listdir(path)
        except SysError as problem:
            if c.bb:
                yield from c.fail(f"can't open '{path}': {problem.words}", 1)
            else:
                yield from c.fail(
                    f"cannot open directory {c.quoted(path)}: {problem.words}", 2 if path == top else 1
                )
            continue
        if headed:
            label = path if c.bb or not listing.tty else shell_quote(path)
            yield from c.say(f"{'' if first else chr(10)}{label}:\n")
        first = False
        entries: list[tuple[str, Stat]] = []
        if listing.all:
            for name in (".", ".."):
                try:
                    entries.append((name, c.p.fs.stat(f"{path}/{name}")))
                except SysError:
                    continue  # a parent that may not be looked at is left out
        hidden = listing.all or listing.almost
        ignored = [compile_pattern(each) for each in c.values("I") + ([] if hidden else c.values("hide"))]
        for name in found:
            if name.startswith(".") and not hidden:
                continue
            if "B" in listing.letters and name.endswith("~"):
                continue
            if any(pattern.matches(name) for pattern in ignored):
                continue
            try:
                entries.append((name, listing.stat(f"{path.rstrip('/')}/{name}")))
            except SysError as problem:
                yield from c.fail(f"cannot access {c.quoted(path + '/' + name)}: {problem.words}")
        yield from c.p.tick(1 + len(entries))
        listing.listed += len(entries)
        entries = listing.sort(entries)
        if listing.long or "s" in listing.letters:
            blocks = sum(stat.blocks for _, stat in entries)
            total = listing.size(blocks * 512) if listing.letters & {"h", "si"} else str(blocks // 2)
            yield from c.say(f"total {total}\n")
        base = path.rstrip("/") or ""
        yield from listing.show([(name, f"{base}/{name}", stat) for name, stat in entries])
        if "R" in listing.letters and listing.listed < _MAX_ENTRIES:
            below = [name for name, stat in entries if stat.is_dir and name not in (".", "..")]
            waiting.extend(f"{base}/{name}" for name in reversed(below))
    return first

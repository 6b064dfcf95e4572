# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""find."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any

from urltrap.machine.api import S_IFMT, Process, Run, Stat, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._accounts import group_id, user_id
from urltrap.machine.programs._cmd import APPLETS, Cmd, Gen, guard, shell_quote
from urltrap.machine.programs._modes import mode_text, parse_mode
from urltrap.machine.programs._paths import base_name, confirm, join
from urltrap.machine.programs._regex import BadRegex, compile_posix
from urltrap.machine.programs._system import group_names, names
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.registry import program
from urltrap.machine.shell.glob import compile_pattern
from urltrap.machine.shell.timeformat import strftime

Test = Callable[["_Entry"], Generator[Any, Any, bool]]
_KINDS = {
    "f": 0o100000,
    "d": 0o040000,
    "l": 0o120000,
    "c": 0o020000,
    "b": 0o060000,
    "p": 0o010000,
    "s": 0o140000,
}
_UNITS = {"b": 512, "c": 1, "w": 2, "k": 1024, "M": 1024**2, "G": 1024**3}
_MAX_ENTRIES = 300_000


class _Entry:
    __slots__ = ("depth", "path", "pruned", "stat", "top")

    def __init__(self, path: str, stat: Stat, depth: int, top: str) -> None:
        self.path = path
        self.stat = stat
        self.depth = depth
        self.top = top
        self.pruned = False


class _Wrong(Exception):
    pass


class _Done(Exception):
    pass


def _register() -> None:
    for flavour in (False, True):

        def find(p: Process, flavour: bool = flavour) -> Run:
            c = Cmd(p, [], list(p.argv[1:]), flavour)
            return (yield from guard(c, _find))

        if flavour:
            APPLETS["find"] = find
        else:
            program("find")(find)


def _find(c: Cmd) -> Run:
    words = list(c.args)
    follow = False
    while words and words[0] in ("-H", "-L", "-P", "-O1", "-O2", "-O3"):
        follow = words.pop(0) == "-L"
    tops = []
    while (
        words
        and not (words[0].startswith("-") and len(words[0]) > 1)
        and words[0] not in ("(", "!", ",", ")")
    ):
        tops.append(words.pop(0))
    if words in (["--help"], ["-help"]):
        yield from c.p.out(
            f"Usage: {c.name} [-H] [-L] [-P] [-Olevel] [-D debugopts] [path...] [expression]\n"
        )
        return 0
    if words in (["--version"], ["-version"]):
        yield from c.p.out("find (GNU findutils) 4.9.0\n")
        return 0
    search = _Search(c, words)
    try:
        test = search.parse()
    except _Wrong as problem:
        yield from c.p.err(f"{c.name}: {problem}\n")
        return 1
    try:
        for top in tops or ["."]:
            yield from search.walk(top, test, follow)
    except _Done:
        pass
    yield from search.finish()
    return c.status


class _Search:
    def __init__(self, c: Cmd, words: list[str]) -> None:
        self.c = c
        self.words = words
        self.pos = 0
        self.acts = False
        self.depth_first = False
        self.least, self.most = 0, 10_000
        self.batches: list[tuple[list[str], list[str]]] = []
        self.users = names(c.p)
        self.groups = group_names(c.p)
        self.nesting = 0

    # -- walking

    def walk(self, top: str, test: Test, follow: bool) -> Gen:
        """Everything below (and with) a starting point."""
        c = self.c
        try:
            stat = self._stat(top, follow)
        except SysError as problem:
            yield from c.fail(
                f"{top if c.bb else shell_quote(top, True) if False else _q(c, top)}: {problem.words}"
            )
            return
        waiting: list[tuple[_Entry, bool]] = [(_Entry(top, stat, 0, top), False)]
        count = 0
        while waiting:
            entry, seen = waiting.pop()
            yield from c.p.tick(2)
            count += 1
            if count > _MAX_ENTRIES:
                return
            folder = entry.stat.is_dir and entry.depth < self.most
            if not seen and not (self.depth_first and folder):
                if entry.depth >= self.least:
                    yield from test(entry)
                if entry.pruned or not folder:
                    continue
            elif seen:
                if entry.depth >= self.least:
                    yield from test(entry)
                continue
            try:
                below = c.p.fs.listdir(entry.path)
            except SysError as problem:
                if entry.stat.is_dir:
                    yield from c.fail(f"{_q(c, entry.path)}: {problem.words}")
                continue
            if self.depth_first:
                waiting.append((entry, True))
            for name in reversed(below):
                path = join(entry.path, name)
                try:
                    waiting.append((_Entry(path, self._stat(path, follow), entry.depth + 1, top), False))
                except SysError as problem:
                    yield from c.fail(f"{_q(c, path)}: {problem.words}")

    def _stat(self, path: str, follow: bool) -> Stat:
        if follow:
            try:
                return self.c.p.fs.stat(path)
            except SysError:
                pass  # a link to nothing is itself
        return self.c.p.fs.stat(path, follow=False)

    def finish(self) -> Gen:
        """Run what ``-exec … +`` collected."""
        for command, paths in self.batches:
            if paths:
                yield from self.spawn([*command, *paths])

    def spawn(self, argv: list[str]) -> Generator[Any, Any, int]:
        """Run a program; its status."""
        c = self.c
        yield from c.flush()
        try:
            pid = c.p.spawn(argv)
        except SysError as problem:
            yield from c.fail(f"{_q(c, argv[0])}: {problem.words}")
            return 1
        ended = yield from c.p.wait(pid)
        return ended[1] if ended is not None else 1

    # -- the expression

    def parse(self) -> Test:
        """All of it; without an action, printing is added."""
        test = self._or() if self.pos < len(self.words) else _true
        if self.pos < len(self.words):
            word = self.words[self.pos]
            if word == ")":
                raise _Wrong("you have too many ')'")
            raise _Wrong(
                f"paths must precede expression: `{word}'"
                if not word.startswith("-")
                else f"unknown predicate `{word}'"
            )
        if self.acts:
            return test

        def printing(entry: _Entry) -> Generator[Any, Any, bool]:
            if (yield from test(entry)):
                yield from self.c.say(entry.path + "\n")
            return True

        return printing

    def _or(self) -> Test:
        self.nesting += 1
        if self.nesting > 60:
            raise _Wrong("expression is too deep")
        branches = [self._and()]
        while self.pos < len(self.words) and self.words[self.pos] in ("-o", "-or", ","):
            self.pos += 1
            branches.append(self._and())
        self.nesting -= 1
        if len(branches) == 1:
            return branches[0]

        def either(entry: _Entry) -> Generator[Any, Any, bool]:
            for each in branches:
                if (yield from each(entry)):
                    return True
            return False

        return either

    def _and(self) -> Test:
        parts: list[Test] = []
        while self.pos < len(self.words) and self.words[self.pos] not in ("-o", "-or", ",", ")"):
            if self.words[self.pos] in ("-a", "-and"):
                self.pos += 1
                continue
            parts.append(self._not())
        if not parts:
            raise _Wrong("invalid expression; you have used a binary operator '-o' with nothing before it." if self.pos < len(self.words)
                         else "expected an expression after '-o'")  # fmt: skip

        def both(entry: _Entry) -> Generator[Any, Any, bool]:
            for each in parts:
                if not (yield from each(entry)):
                    return False
            return True

        return parts[0] if len(parts) == 1 else both

    def _not(self) -> Test:
        negate = False
        while self.pos < len(self.words) and self.words[self.pos] in ("!", "-not"):
            negate = not negate
            self.pos += 1
        if self.pos >= len(self.words):
            raise _Wrong("expected an expression after '!'")
        test = self._primary()
        if not negate:
            return test

        def inverted(entry: _Entry) -> Generator[Any, Any, bool]:
            return not (yield from test(entry))

        return inverted

    def _value(self, name: str) -> str:
        if self.pos >= len(self.words):
            raise _Wrong(f"missing argument to `{name}'")
        self.pos += 1
        return self.words[self.pos - 1]

    def _number(self, name: str) -> Callable[[float], bool]:
        text = self._value(name)
        match = re.fullmatch(r"([-+]?)(\d{1,15})", text)
        if match is None:
            raise _Wrong(f"invalid argument `{text}' to `{name}'")
        goal = int(match[2])
        if match[1] == "+":
            return lambda value: value > goal
        return (lambda value: value < goal) if match[1] == "-" else (lambda value: value == goal)

    def _primary(self) -> Test:
        word = self.words[self.pos]
        self.pos += 1
        if word == "(":
            test = self._or()
            if self.pos >= len(self.words) or self.words[self.pos] != ")":
                raise _Wrong(
                    "invalid expression; I was expecting to find a ')' somewhere but did not see one."
                )
            self.pos += 1
            return test
        if not word.startswith("-"):
            raise _Wrong(f"paths must precede expression: `{word}'")
        if word in (
            "-print",
            "-print0",
            "-printf",
            "-ls",
            "-exec",
            "-execdir",
            "-ok",
            "-delete",
            "-quit",
            "-fprint",
            "-fls",
        ):
            return self._action(word)
        return _plain(self._predicate(word))

    def _predicate(self, word: str) -> Callable[[_Entry], bool]:
        p = self.c.p
        if word in ("-name", "-iname", "-path", "-ipath", "-wholename", "-lname", "-ilname"):
            pattern = compile_pattern(self._value(word), False, word.startswith("-i"))
            if word in ("-name", "-iname"):
                return lambda entry: pattern.matches(base_name(entry.path) or "/")
            if word in ("-lname", "-ilname"):
                return lambda entry: entry.stat.is_link and pattern.matches(p.fs.readlink(entry.path))
            return lambda entry: pattern.matches(entry.path)
        if word in ("-regex", "-iregex"):
            try:
                matcher = compile_posix("^" + self._value(word) + "$", False, word == "-iregex")
            except BadRegex as problem:
                raise _Wrong(str(problem)) from None
            return lambda entry: matcher.search(entry.path) is not None
        if word in ("-type", "-xtype"):
            text = self._value(word)
            kinds = set()
            for letter in text.split(","):
                if letter not in _KINDS:
                    raise _Wrong(f"Unknown argument to {word}: {letter[:1]}")
                kinds.add(_KINDS[letter])
            return lambda entry: entry.stat.mode & S_IFMT in kinds
        if word == "-perm":
            return self._perm()
        if word == "-size":
            return self._size()
        if word in ("-mtime", "-atime", "-ctime", "-mmin", "-amin", "-cmin"):
            compare, unit = self._number(word), 86_400 if word.endswith("time") else 60
            field = {"m": "mtime", "a": "atime", "c": "ctime"}[word[1]]
            now = p.now()
            if unit == 60:
                return lambda entry: compare(-(-(now - getattr(entry.stat, field)) // 60))
            return lambda entry: compare((now - getattr(entry.stat, field)) // unit)
        if word in ("-newer", "-anewer", "-cnewer", "-newermt"):
            return self._newer(word)
        if word in ("-user", "-uid", "-group", "-gid"):
            return self._owner(word)
        if word in ("-inum", "-links"):
            compare = self._number(word)
            return (
                (lambda entry: compare(entry.stat.inode))
                if word == "-inum"
                else (lambda entry: compare(entry.stat.nlink))
            )
        if word == "-empty":
            return lambda entry: (
                (entry.stat.is_file and not entry.stat.size)
                or (entry.stat.is_dir and not p.fs.listdir(entry.path))
            )
        if word in ("-readable", "-writable", "-executable"):
            bit = {"-readable": 4, "-writable": 2, "-executable": 1}[word]
            return lambda entry: p.fs.access(entry.path, bit)
        if word in ("-maxdepth", "-mindepth"):
            text = self._value(word)
            if not text.isdecimal():
                raise _Wrong(
                    f"Expected a positive decimal integer argument to {word}, but got {shell_quote(text, True)}"
                )
            if word == "-maxdepth":
                self.most = int(text[:6])
            else:
                self.least = int(text[:6])
            return lambda entry: True
        if word in (
            "-depth",
            "-d",
            "-xdev",
            "-mount",
            "-noleaf",
            "-daystart",
            "-follow",
            "-ignore_readdir_race",
            "-warn",
            "-nowarn",
        ):
            self.depth_first = self.depth_first or word in ("-depth", "-d")
            return lambda entry: True
        if word in ("-true", "-false"):
            return lambda entry: word == "-true"
        if word == "-nouser":
            return lambda entry: entry.stat.uid not in self.users
        if word == "-nogroup":
            return lambda entry: entry.stat.gid not in self.groups
        if word == "-samefile":
            try:
                goal = p.fs.stat(self._value(word)).inode
            except SysError as problem:
                raise _Wrong(f"{problem.path}: {problem.words}") from None
            return lambda entry: entry.stat.inode == goal
        if word == "-fstype":
            self._value(word)
            return lambda entry: True
        if word == "-regextype":
            self._value(word)
            return lambda entry: True
        if word == "-prune":

            def prune(entry: _Entry) -> bool:
                entry.pruned = True
                return True

            return prune
        raise _Wrong(f"unknown predicate `{word}'" if not self.c.bb else f"unrecognized: {word}")

    def _perm(self) -> Callable[[_Entry], bool]:
        text = self._value("-perm")
        kind = text[0] if text[:1] in ("-", "/") else ""
        mode = parse_mode(text[len(kind) :], 0, 0, False)
        if mode is None:
            raise _Wrong(f"invalid mode {shell_quote(text, True)}")
        if kind == "-":
            return lambda entry: entry.stat.mode & mode == mode
        if kind == "/":
            return lambda entry: not mode or bool(entry.stat.mode & mode)
        return lambda entry: entry.stat.mode & 0o7777 == mode

    def _size(self) -> Callable[[_Entry], bool]:
        text = self._value("-size")
        match = re.fullmatch(r"([-+]?)(\d{1,15})([bcwkMG]?)", text)
        if match is None:
            raise _Wrong(f"Invalid argument `{text}' to -size")
        unit, goal, sign = _UNITS[match[3] or "b"], int(match[2]), match[1]

        def holds(entry: _Entry) -> bool:
            value = -(-entry.stat.size // unit)
            return value > goal if sign == "+" else value < goal if sign == "-" else value == goal

        return holds

    def _newer(self, word: str) -> Callable[[_Entry], bool]:
        value = self._value(word)
        if word == "-newermt":
            from urltrap.machine.programs.touch import parse_date

            moment = parse_date(self.c, value)
            if moment is None:
                raise _Wrong(
                    f"I cannot figure out how to interpret {shell_quote(value, True)} as a date or time"
                )
        else:
            try:
                moment = self.c.p.fs.stat(value).mtime
            except SysError as problem:
                raise _Wrong(f"{shell_quote(value, True)}: {problem.words}") from None
        field = {"-anewer": "atime", "-cnewer": "ctime"}.get(word, "mtime")
        return lambda entry: getattr(entry.stat, field) > moment

    def _owner(self, word: str) -> Callable[[_Entry], bool]:
        if word in ("-uid", "-gid"):
            compare = self._number(word)
            return (
                (lambda entry: compare(entry.stat.uid))
                if word == "-uid"
                else (lambda entry: compare(entry.stat.gid))
            )
        value = self._value(word)
        found = user_id(self.c.p, value) if word == "-user" else group_id(self.c.p, value)
        if found is None:
            raise _Wrong(f"{shell_quote(value, True)} is not the name of a known {word[1:]}")
        return (
            (lambda entry: entry.stat.uid == found)
            if word == "-user"
            else (lambda entry: entry.stat.gid == found)
        )

    # -- actions

    def _action(self, word: str) -> Test:
        self.acts = True
        c = self.c
        if word in ("-exec", "-execdir", "-ok"):
            return self._exec(word)
        if word == "-delete":
            self.depth_first = True

            def delete(entry: _Entry) -> Generator[Any, Any, bool]:
                if entry.path == ".":
                    return True
                try:
                    if entry.stat.is_dir:
                        c.p.fs.rmdir(entry.path)
                    else:
                        c.p.fs.unlink(entry.path)
                except SysError as problem:
                    yield from c.fail(f"cannot delete {_q(c, entry.path)}: {problem.words}")
                    return False
                return True

            return delete
        template = "%p\n"
        if word in ("-printf", "-fprint", "-fls"):
            template = self._value(word) if word == "-printf" else "%p\n"
            if word != "-printf":
                self._value(word)

        def act(entry: _Entry) -> Generator[Any, Any, bool]:
            if word == "-quit":
                raise _Done
            if word == "-ls":
                yield from c.say(self._ls(entry))
            elif word == "-printf":
                yield from c.say(self._printf(template, entry))
            else:
                yield from c.put(encode(entry.path) + (b"\0" if word == "-print0" else b"\n"))
            return True

        return act

    def _exec(self, word: str) -> Test:
        argv: list[str] = []
        while True:
            if self.pos >= len(self.words):
                raise _Wrong(f"missing argument to `{word}'")
            each = self.words[self.pos]
            self.pos += 1
            if each == ";":
                break
            if each == "+" and argv and argv[-1] == "{}":
                batch: list[str] = []
                self.batches.append((argv[:-1], batch))

                def collect(entry: _Entry, batch: list[str] = batch) -> Generator[Any, Any, bool]:
                    batch.append(entry.path)
                    yield from self.c.p.tick()
                    return True

                return collect
            argv.append(each)
        if not argv:
            raise _Wrong(f"missing argument to `{word}'")

        def execute(entry: _Entry) -> Generator[Any, Any, bool]:
            path = "./" + base_name(entry.path) if word == "-execdir" else entry.path
            command = [each.replace("{}", path) for each in argv]
            if word == "-ok" and not (
                yield from confirm(self.c.p, f"< {' '.join(argv[:1])} ... {entry.path} > ? ")
            ):
                return False
            return (yield from self.spawn(command)) == 0

        return execute

    def _ls(self, entry: _Entry) -> str:
        stat = entry.stat
        when = strftime(
            "%b %e %H:%M" if self.c.p.now() - stat.mtime < 15_778_476 else "%b %e  %Y",
            stat.mtime + local(self.c.p, stat.mtime).offset,
        )
        target = f" -> {self.c.p.fs.readlink(entry.path)}" if stat.is_link else ""
        return (
            f"{stat.inode:9d} {(stat.blocks + 1) // 2:6d} {mode_text(stat.mode)} {stat.nlink:3d} "
            f"{self.users.get(stat.uid, str(stat.uid)):<8} {self.groups.get(stat.gid, str(stat.gid)):<8} {stat.size:8d} {when} {entry.path}{target}\n"
        )

    def _printf(self, template: str, entry: _Entry) -> str:
        stat = entry.stat
        escapes = {
            "n": "\n",
            "t": "\t",
            "0": "\0",
            "\\": "\\",
            "r": "\r",
            "a": "\a",
            "b": "\b",
            "f": "\f",
            "v": "\v",
        }
        below = entry.path[len(entry.top) :].lstrip("/")

        def one(match: _Match) -> str:
            if match[0].startswith("\\"):
                return escapes.get(match[0][1], match[0])
            letter = match[3]
            width = match[1] + match[2]
            if letter == "%":
                return "%"
            if letter in "ATC" and match[4]:
                moment = {"A": stat.atime, "T": stat.mtime, "C": stat.ctime}[letter]
                wall = moment + local(self.c.p, moment).offset
                if match[4] == "@":
                    return f"{moment:.10f}"
                if match[4] == "+":
                    return strftime("%Y-%m-%d+%H:%M:%S", wall) + ".0000000000"
                return strftime("%" + match[4], wall)
            value = {
                "p": entry.path, "f": base_name(entry.path) or "/", "h": entry.path.rpartition("/")[0] or ("." if "/" not in entry.path else "/"),
                "P": below, "H": entry.top, "s": str(stat.size), "m": f"{stat.mode & 0o7777:o}", "M": mode_text(stat.mode),
                "u": self.users.get(stat.uid, str(stat.uid)), "U": str(stat.uid), "g": self.groups.get(stat.gid, str(stat.gid)),
                "G": str(stat.gid), "d": str(entry.depth), "i": str(stat.inode), "n": str(stat.nlink), "b": str(stat.blocks),
                "k": str((stat.blocks + 1) // 2), "y": {"-": "f"}.get(mode_text(stat.mode)[0], mode_text(stat.mode)[0]),
                "l": self.c.p.fs.readlink(entry.path) if stat.is_link else "",
                "t": strftime("%a %b %e %H:%M:%S.0000000000 %Y", stat.mtime + local(self.c.p, stat.mtime).offset),
            }.get(letter, match[0])  # fmt: skip
            size = int(width.lstrip("-")[:4]) if width.lstrip("-").isdecimal() else 0
            return value.ljust(size) if width.startswith("-") else value.rjust(size)

        return re.sub(
            r"\\.|%(-?)(\d*)(?:(?:([ATC])(.))|([a-zA-Z%]))",
            lambda m: one(_Match(m)),
            template,
            flags=re.DOTALL,
        )


class _Match:
    """Groups of a directive, the letter always as 3."""

    def __init__(self, match: re.Match[str]) -> None:
        self.groups = [match[0], match[1] or "", match[2] or "", match[3] or match[5] or "", match[4] or ""]

    def __getitem__(self, at: int) -> str:
        return self.groups[at]


def _q(c: Cmd, path: str) -> str:
    if c.bb:
        return path
    return c.lq(path) if path else "''"


def _true(entry: _Entry) -> Generator[Any, Any, bool]:
    yield from ()
    return True


def _plain(test: Callable[[_Entry], bool]) -> Test:
    def run(entry: _Entry) -> Generator[Any, Any, bool]:
        yield from ()
        return test(entry)

    return run


_register()

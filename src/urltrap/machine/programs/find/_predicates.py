"""find's tests of names, kinds, sizes, times and owners."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from urltrap.machine.api import S_IFMT, Stat
from urltrap.machine.errors import SysError
from urltrap.machine.programs._accounts import group_id, user_id
from urltrap.machine.programs._cmd import Cmd, shell_quote
from urltrap.machine.programs._modes import parse_mode
from urltrap.machine.programs._paths import base_name
from urltrap.machine.programs._regex import BadRegex, compile_posix
from urltrap.machine.programs._system import group_names, names
from urltrap.machine.programs._when import parse as parse_moment
from urltrap.machine.programs.find._entry import Entry, Wrong, quoted
from urltrap.machine.shell.glob import compile_pattern

Predicate = Callable[[Entry], bool]
_KINDS = {
    "f": 0o100000, "d": 0o040000, "l": 0o120000, "c": 0o020000, "b": 0o060000, "p": 0o010000, "s": 0o140000,
}  # fmt: skip
_UNITS = {"b": 512, "c": 1, "w": 2, "k": 1024, "M": 1024**2, "G": 1024**3}
_TIMES = ("-mtime", "-atime", "-ctime", "-mmin", "-amin", "-cmin")
_OPTIONS = (
    "-depth", "-d", "-xdev", "-mount", "-noleaf", "-daystart", "-follow", "-ignore_readdir_race",
    "-noignore_readdir_race", "-warn", "-nowarn",
)  # fmt: skip
_REGEX_TYPES: Mapping[str, str] = {
    "findutils-default": "emacs", "ed": "basic", "emacs": "emacs", "gnu-awk": "extended", "grep": "basic",
    "posix-awk": "extended", "awk": "extended", "posix-basic": "basic", "posix-egrep": "extended",
    "egrep": "extended", "posix-extended": "extended", "posix-minimal-basic": "basic", "sed": "basic",
}  # fmt: skip
_NOT_IN_BUSYBOX = (
    "-anewer", "-cnewer", "-newermt", "-fstype", "-gid", "-ilname", "-lname", "-nogroup", "-nouser", "-readable",
    "-regextype", "-uid", "-wholename", "-writable", "-amin", "-cmin", "-true", "-false",
)  # fmt: skip


class Predicates:
    """The words of an expression, and the tests among them."""

    def __init__(self, c: Cmd, words: list[str]) -> None:
        self.c = c
        self.words = words
        self.pos = 0
        self.depth_first = False
        self.same_device = False
        self.follow = False
        self.least, self.most = 0, 10_000
        self.regex_type = "basic" if c.bb else "emacs"
        self.users = names(c.p)
        self.groups = group_names(c.p)

    def value(self, name: str) -> str:
        """The word behind a test or an action."""
        if self.pos >= len(self.words):
            raise Wrong(f"{name} requires an argument" if self.c.bb else f"missing argument to `{name}'")
        self.pos += 1
        return self.words[self.pos - 1]

    def stat(self, path: str, follow: bool) -> Stat:
        """What is at a path; a link to nothing is itself. SysError."""
        if follow:
            try:
                return self.c.p.fs.stat(path)
            except SysError:
                pass  # a link to nothing is itself
        return self.c.p.fs.stat(path, follow=False)

    def predicate(self, word: str) -> Predicate:
        """The test that a word begins. Wrong where it is none."""
        if self.c.bb and word in _NOT_IN_BUSYBOX:
            raise Wrong(f"unrecognized: {word}", usage=True)
        if word in ("-name", "-iname", "-path", "-ipath", "-wholename", "-iwholename", "-lname", "-ilname"):
            return self._pattern(word)
        if word in ("-regex", "-iregex"):
            return self._regex(word)
        if word in ("-type", "-xtype"):
            return self._type(word)
        if word == "-perm":
            return self._perm()
        if word == "-size":
            return self._size()
        if word in _TIMES:
            return self._time(word)
        if word in ("-newer", "-anewer", "-cnewer", "-newermt"):
            return self._newer(word)
        if word in ("-user", "-uid", "-group", "-gid"):
            return self._owner(word)
        if word in ("-inum", "-links"):
            compare = self._number(word)
            if word == "-inum":
                return lambda entry: compare(entry.stat.inode)
            return lambda entry: compare(entry.stat.nlink)
        if word in ("-maxdepth", "-mindepth"):
            return self._depth(word)
        if word in _OPTIONS:
            self.depth_first = self.depth_first or word in ("-depth", "-d")
            self.same_device = self.same_device or word in ("-xdev", "-mount")
            self.follow = self.follow or word == "-follow"
            return lambda entry: True
        return self._simple(word)

    def _simple(self, word: str) -> Predicate:
        fs = self.c.p.fs
        match word:
            case "-empty":
                return lambda entry: (
                    (entry.stat.is_file and not entry.stat.size)
                    or (entry.stat.is_dir and not fs.listdir(entry.path))
                )
            case "-readable" | "-writable" | "-executable":
                bit = {"-readable": 4, "-writable": 2, "-executable": 1}[word]
                return lambda entry: fs.access(entry.path, bit)
            case "-true" | "-false":
                return lambda entry: word == "-true"
            case "-nouser":
                return lambda entry: entry.stat.uid not in self.users
            case "-nogroup":
                return lambda entry: entry.stat.gid not in self.groups
            case "-samefile":
                name = self.value(word)
                try:
                    goal = fs.stat(name).inode
                except SysError as problem:
                    raise Wrong(f"{quoted(self.c, name)}: {problem.words}") from None
                return lambda entry: entry.stat.inode == goal
            case "-fstype":
                kind = self.value(word)
                return lambda entry: self._mounted_as(entry.path) == kind
            case "-regextype":
                return self._set_regex_type(self.value(word))
            case "-prune":
                return self._prune
        raise Wrong(f"unrecognized: {word}" if self.c.bb else f"unknown predicate `{word}'", usage=True)

    @staticmethod
    def _prune(entry: Entry) -> bool:
        entry.pruned = True
        return True

    def _mounted_as(self, path: str) -> str:
        """The type of the file system that a path is on."""
        whole = path if path.startswith("/") else f"{self.c.p.cwd}/{path}"
        points = {each.point.rstrip("/"): each.fstype for each in self.c.p.mounts}
        return points[max((point for point in points if f"{whole}/".startswith(f"{point}/")), key=len)]

    def _number(self, name: str) -> Callable[[float], bool]:
        text = self.value(name)
        match = re.fullmatch(r"([-+]?)(\d{1,15})", text)
        if match is None:
            raise Wrong(f"invalid argument `{text}' to `{name}'")
        goal = int(match[2])
        if match[1] == "+":
            return lambda value: value > goal
        return (lambda value: value < goal) if match[1] == "-" else (lambda value: value == goal)

    def _pattern(self, word: str) -> Predicate:
        fs = self.c.p.fs
        pattern = compile_pattern(self.value(word), False, word.startswith("-i"))
        if word.endswith("lname"):
            return lambda entry: entry.stat.is_link and pattern.matches(fs.readlink(entry.path))
        if word in ("-name", "-iname"):
            return lambda entry: pattern.matches(base_name(entry.path) or "/")
        return lambda entry: pattern.matches(entry.path)

    def _set_regex_type(self, name: str) -> Predicate:
        if name not in _REGEX_TYPES:
            known = ", ".join(self.c.lq(each) for each in _REGEX_TYPES)
            raise Wrong(f"Unknown regular expression type {self.c.lq(name)}; valid types are {known}.")
        self.regex_type = _REGEX_TYPES[name]
        return lambda entry: True

    def _regex(self, word: str) -> Predicate:
        source = self.value(word)
        kind = self.regex_type
        # In Emacs' syntax + and ? need no backslash, the brackets and the bar do.
        text = re.sub(r"(\\.|\[\^?\]?[^]]*\])|([+?])", _emacs, source) if kind == "emacs" else source
        try:
            whole = f"^({text})$" if kind == "extended" else f"^\\({text}\\)$"
            matcher = compile_posix(whole, kind == "extended", word == "-iregex")
        except BadRegex as problem:
            if self.c.bb:
                raise Wrong(f"bad regex '{source}': {problem}") from None
            shown = self.c.lq(source)
            raise Wrong(f"failed to compile regular expression {shown}: Invalid regular expression") from None
        return lambda entry: matcher.search(entry.path) is not None

    def _type(self, word: str) -> Predicate:
        text = self.value(word)
        kinds: set[int] = set()
        for each in text.split(","):
            if self.c.bb and each not in _KINDS:
                raise Wrong(f"invalid argument '{text}' to '{word}'")
            if not each and kinds:
                words = "is missing, i.e., list is ending on"
                raise Wrong(f"Last file type in list argument to {word} {words}: ','")
            if each[:1] not in _KINDS or not each:
                raise Wrong(f"Unknown argument to {word}: {each[:1]}")
            if len(each) > 1:
                raise Wrong(f"Must separate multiple arguments to {word} using: ','")
            kinds.add(_KINDS[each])
        if word == "-type":
            return lambda entry: entry.stat.mode & S_IFMT in kinds
        # -xtype looks at the other end of a link where find does not, and the other way round.
        return lambda entry: self.stat(entry.path, not self.follow).mode & S_IFMT in kinds

    def _perm(self) -> Predicate:
        text = self.value("-perm")
        kind = text[0] if text[:1] in ("-", "/") else ""
        mode = parse_mode(text[len(kind) :], 0, 0, False)
        if mode is None:
            raise Wrong(f"invalid mode {shell_quote(text, True)}")
        if kind == "-":
            return lambda entry: entry.stat.mode & mode == mode
        if kind == "/":
            return lambda entry: not mode or bool(entry.stat.mode & mode)
        return lambda entry: entry.stat.mode & 0o7777 == mode

    def _size(self) -> Predicate:
        text = self.value("-size")
        match = re.fullmatch(r"([-+]?)(\d{1,15})([bcwkMG]?)", text)
        if match is None:
            if self.c.bb:
                raise Wrong(f"invalid number '{text}'")
            if not text:
                raise Wrong("invalid null argument to -size")
            if not text[-1].isdecimal() and text[-1] not in _UNITS:
                raise Wrong(f"invalid -size type `{text[-1]}'")
            raise Wrong(f"Invalid argument `{text}' to -size")
        unit, goal, sign = _UNITS[match[3] or "b"], int(match[2]), match[1]

        def holds(entry: Entry) -> bool:
            value = -(-entry.stat.size // unit)
            return value > goal if sign == "+" else value < goal if sign == "-" else value == goal

        return holds

    def _time(self, word: str) -> Predicate:
        compare, unit = self._number(word), 86_400 if word.endswith("time") else 60
        field = {"m": "mtime", "a": "atime", "c": "ctime"}[word[1]]
        now = self.c.p.now()
        if unit == 60:
            return lambda entry: compare(-(-(now - getattr(entry.stat, field)) // 60))
        return lambda entry: compare((now - getattr(entry.stat, field)) // unit)

    def _newer(self, word: str) -> Predicate:
        value = self.value(word)
        if word == "-newermt":
            moment = parse_moment(self.c.p, value, self.c.p.now())
            if moment is None:
                shown = shell_quote(value, True)
                raise Wrong(f"I cannot figure out how to interpret {shown} as a date or time")
        else:
            try:
                moment = self.c.p.fs.stat(value).mtime
            except SysError as problem:
                raise Wrong(f"{quoted(self.c, value)}: {problem.words}") from None
        field = {"-anewer": "atime", "-cnewer": "ctime"}.get(word, "mtime")
        return lambda entry: getattr(entry.stat, field) > moment

    def _owner(self, word: str) -> Predicate:
        if word == "-uid":
            compare = self._number(word)
            return lambda entry: compare(entry.stat.uid)
        if word == "-gid":
            compare = self._number(word)
            return lambda entry: compare(entry.stat.gid)
        value = self.value(word)
        found = user_id(self.c.p, value) if word == "-user" else group_id(self.c.p, value)
        if found is None and self.c.bb:
            raise Wrong(f"unknown {word[1:]} {value}")
        if found is None:
            what = "a known user" if word == "-user" else "an existing group"
            raise Wrong(f"{shell_quote(value, True)} is not the name of {what}")
        if word == "-user":
            return lambda entry: entry.stat.uid == found
        return lambda entry: entry.stat.gid == found

    def _depth(self, word: str) -> Predicate:
        text = self.value(word)
        if not text.isdecimal():
            if self.c.bb:
                raise Wrong(f"invalid number '{text}'")
            shown = shell_quote(text, True)
            raise Wrong(f"Expected a positive decimal integer argument to {word}, but got {shown}")
        if word == "-maxdepth":
            self.most = int(text[:6])
        else:
            self.least = int(text[:6])
        return lambda entry: True


def _emacs(match: re.Match[str]) -> str:
    return match[1] or "\\" + match[2]

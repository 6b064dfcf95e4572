"""find's actions: printing, running programs, deleting."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.api import encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen
from urltrap.machine.programs._modes import mode_text
from urltrap.machine.programs._paths import base_name, confirm
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.find._entry import Done, Entry, Test, Wrong, quoted
from urltrap.machine.programs.find._format import directives, render
from urltrap.machine.programs.find._predicates import Predicates
from urltrap.machine.shell.timeformat import strftime

ACTIONS = (
    "-print", "-print0", "-printf", "-ls", "-fprint", "-fprint0", "-fprintf", "-fls", "-exec", "-execdir", "-ok",
    "-okdir", "-delete", "-quit",
)  # fmt: skip
IN_BUSYBOX = ("-print", "-print0", "-exec", "-execdir", "-ok", "-prune", "-quit")
_SIX_MONTHS = 15_778_476


class Actions(Predicates):
    """What an expression does with the files that it finds."""

    def __init__(self, c: Cmd, words: list[str]) -> None:
        super().__init__(c, words)
        self.acts = False
        self.batches: list[tuple[list[str], list[str]]] = []
        self.files: dict[str, bytearray] = {}
        self.warnings: list[str] = []

    def finish(self) -> Gen:
        """Run what ``-exec … +`` collected, write the files of -fprint and its kin."""
        for command, paths in self.batches:
            if paths and (yield from self.spawn([*command, *paths])):
                self.c.status = 1
        for name, data in self.files.items():
            self.c.p.fs.write(name, bytes(data), mode=0o666 & ~self.c.p.umask)

    def spawn(self, argv: list[str]) -> Generator[Any, Any, int]:
        """Run a program; its status."""
        c = self.c
        yield from c.flush()
        try:
            pid = c.p.spawn(argv)
        except SysError as problem:
            yield from c.warn(f"{quoted(c, argv[0])}: {problem.words}")
            return 1
        ended = yield from c.p.wait(pid)
        return ended[1] if ended is not None else 1

    def action(self, word: str) -> Test:
        """The action that a word begins."""
        if self.c.bb and word not in IN_BUSYBOX:
            raise Wrong(f"unrecognized: {word}", usage=True)
        self.acts = True
        if word in ("-exec", "-execdir", "-ok", "-okdir"):
            return self._exec(word)
        if word == "-delete":
            self.depth_first = True
            return self._delete
        if word == "-quit":
            return self._quit
        target = self._file(word) if word.startswith("-f") else None
        template = self.value(word) if word.endswith("printf") else ""
        parts = directives(template, self.warnings) if template else []

        def show(entry: Entry) -> Generator[Any, Any, bool]:
            if word.endswith("printf"):
                text = render(self, parts, entry)
            elif word.endswith("ls"):
                text = self._ls(entry)
            else:
                text = entry.path + ("\0" if word.endswith("0") else "\n")
            if target is None:
                yield from self.c.put(encode(text))
            else:
                self.files[target] += encode(text)
            return True

        return show

    def _file(self, word: str) -> str:
        """The file that an action writes to: it is made even where nothing is found."""
        name = self.value(word)
        try:
            self.c.p.fs.write(name, b"", mode=0o666 & ~self.c.p.umask)
        except SysError as problem:
            raise Wrong(f"{quoted(self.c, name)}: {problem.words}") from None
        self.files.setdefault(name, bytearray())
        return name

    def _quit(self, entry: Entry) -> Generator[Any, Any, bool]:
        yield from ()
        raise Done

    def _delete(self, entry: Entry) -> Generator[Any, Any, bool]:
        fs = self.c.p.fs
        if entry.path == ".":
            return True
        try:
            if entry.stat.is_dir:
                fs.rmdir(entry.path)
            else:
                fs.unlink(entry.path)
        except SysError as problem:
            yield from self.c.fail(f"cannot delete {quoted(self.c, entry.path)}: {problem.words}")
            return False
        return True

    def _exec(self, word: str) -> Test:
        argv: list[str] = []
        while True:
            each = self.value(word)
            if each == ";":
                break
            if each == "+" and argv and argv[-1] == "{}":
                if "{}" in argv[:-1]:
                    raise Wrong(f"Only one instance of {{}} is supported with {word} ... +")
                return self._collect(argv[:-1])
            argv.append(each)
        if not argv:
            raise Wrong(f"{word} requires an argument" if self.c.bb else f"invalid argument `;' to `{word}'")
        return self._execute(word, argv)

    def _collect(self, argv: list[str]) -> Test:
        batch: list[str] = []
        self.batches.append((argv, batch))

        def collect(entry: Entry) -> Generator[Any, Any, bool]:
            batch.append(entry.path)
            yield from self.c.p.tick()
            return True

        return collect

    def _execute(self, word: str, argv: list[str]) -> Test:
        def execute(entry: Entry) -> Generator[Any, Any, bool]:
            path = "./" + base_name(entry.path) if word.endswith("dir") else entry.path
            if word.startswith("-ok"):
                question = f"< {' '.join(argv[:1])} ... {entry.path} > ? "
                if not (yield from confirm(self.c.p, question)):
                    return False
            return (yield from self.spawn([each.replace("{}", path) for each in argv])) == 0

        return execute

    def _ls(self, entry: Entry) -> str:
        stat = entry.stat
        recent = self.c.p.now() - stat.mtime < _SIX_MONTHS
        when = strftime(
            "%b %e %H:%M" if recent else "%b %e  %Y", stat.mtime + local(self.c.p, stat.mtime).offset
        )
        target = f" -> {self.c.p.fs.readlink(entry.path)}" if stat.is_link else ""
        user, group = self.users.get(stat.uid, str(stat.uid)), self.groups.get(stat.gid, str(stat.gid))
        return (
            f"{stat.inode:9d} {(stat.blocks + 1) // 2:6d} {mode_text(stat.mode)} {stat.nlink:3d} "
            f"{user:<8} {group:<8} {stat.size:8d} {when} {entry.path}{target}\n"
        )

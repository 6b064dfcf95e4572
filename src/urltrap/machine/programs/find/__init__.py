"""find: GNU's and BusyBox's."""

from __future__ import annotations

from urltrap.machine.api import Process, Run, Stat
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import APPLETS, Cmd, Gen, bb_usage, guard
from urltrap.machine.programs._paths import join
from urltrap.machine.programs.find._entry import Done, Entry, Test, Wrong, quoted
from urltrap.machine.programs.find._expression import Expression
from urltrap.machine.programs.registry import program

_MAX_ENTRIES = 300_000


@program("find")
def find(p: Process) -> Run:
    """Search for files."""
    return (yield from guard(Cmd(p, [], list(p.argv[1:]), False), _find))


def find_applet(p: Process) -> Run:
    """Search for files, as BusyBox does."""
    return (yield from guard(Cmd(p, [], list(p.argv[1:]), True), _find))


APPLETS["find"] = find_applet


def _find(c: Cmd) -> Run:
    words = list(c.args)
    link_option = ""
    while words and words[0] in ("-H", "-L", "-P", "-O1", "-O2", "-O3"):
        link_option = words.pop(0)
    tops = []
    while (
        words and (not words[0].startswith("-") or words[0] == "-") and words[0] not in ("(", "!", ",", ")")
    ):
        tops.append(words.pop(0))
    if words in (["--help"], ["-help"]) and not c.bb:
        synopsis = "[-H] [-L] [-P] [-Olevel] [-D debugopts] [path...] [expression]"
        yield from c.p.out(f"Usage: {c.name} {synopsis}\n")
        return 0
    if words in (["--version"], ["-version"]) and not c.bb:
        yield from c.p.out("find (GNU findutils) 4.9.0\n")
        return 0
    search = Search(c, words)
    search.follow = link_option == "-L"
    try:
        test = search.parse()
    except Wrong as problem:
        yield from c.warn(str(problem))
        if c.bb and problem.usage:
            yield from c.p.err(bb_usage(c.p, c.name))
        return 1
    for warning in search.warnings:
        yield from c.warn(warning)
    try:
        for top in tops or ["."]:
            yield from search.walk(top, test, search.follow or link_option == "-H")
    except Done:
        pass  # -quit: what was collected is still run
    yield from search.finish()
    return c.status


class Search(Expression):
    """One run over the starting points."""

    def walk(self, top: str, test: Test, follow_top: bool) -> Gen:
        """Everything below (and with) a starting point."""
        c = self.c
        try:
            stat = self.stat(top, follow_top)
        except SysError as problem:
            yield from c.fail(f"{quoted(c, top)}: {problem.words}")
            return
        device = stat.device
        waiting: list[tuple[Entry, bool]] = [(Entry(top, stat, 0, top), False)]
        for _ in range(_MAX_ENTRIES):
            if not waiting:
                return
            entry, seen = waiting.pop()
            yield from c.p.tick(2)
            folder = self._descends(entry.stat, entry.depth, device)
            if seen or not (self.depth_first and folder):
                if entry.depth >= self.least:
                    yield from test(entry)
                if seen or entry.pruned or not folder:
                    continue
            try:
                below = c.p.fs.listdir(entry.path)
            except SysError as problem:
                yield from c.fail(f"{quoted(c, entry.path)}: {problem.words}")
                continue
            if self.depth_first:
                waiting.append((entry, True))
            for name in reversed(below):
                path = join(entry.path, name)
                try:
                    waiting.append((Entry(path, self.stat(path, self.follow), entry.depth + 1, top), False))
                except SysError as problem:
                    yield from c.fail(f"{quoted(c, path)}: {problem.words}")

    def _descends(self, stat: Stat, depth: int, device: int) -> bool:
        return stat.is_dir and depth < self.most and not (self.same_device and stat.device != device)

"""Running sed's scripts."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Run
from urltrap.machine.programs._cmd import Cmd, Gen
from urltrap.machine.programs._regex import BadRegex, Matcher
from urltrap.machine.programs._visible import unambiguous
from urltrap.machine.programs.sed._replacement import fill
from urltrap.machine.programs.sed._script import Address, Command, Script
from urltrap.machine.programs.sed._streams import Quit, Streams

_MAX_SPACE = 4_000_000


class Editor(Streams):
    """One run of a script."""

    def __init__(self, c: Cmd, script: Script) -> None:
        super().__init__(c)
        self.script = script
        self.quiet = c.has("n") or script.quiet
        width = c.value("l") or "70"
        self.width = int(width[:6]) if width.isdecimal() else 70
        self.hold = ""
        self.active: dict[int, int] = {}
        """For each range of addresses: 0 inactive, -1 until its second address meets, else the last line."""
        self.last_regex: Matcher | None = None
        self.held = 0

    def run(self) -> Run:
        """All files."""
        status = 0
        try:
            while True:
                began = self.at
                while (yield from self.advance()):
                    yield from self.cycle()
                if self.in_place:
                    yield from self.finish_file()
                if self.at >= len(self.files) and self.source is None and self.next_line in (None, b""):
                    break
                self.next_line = None
                if self.separate:
                    self.number = 0
                if began == self.at and self.source is None and self.at >= len(self.files):
                    break
        except Quit as leaving:
            status = leaving.status
            if self.in_place:
                while line := (self.next_line or (yield from self.pull())):
                    self.next_line = None
                    self.out += line
                yield from self.finish_file()
            elif self.source is not None:
                self.source.give_back()
        except BadRegex as problem:
            yield from self.c.fail(str(problem), 1)
        yield from self.c.flush()
        yield from self.finish_writers()
        return status or self.c.status

    def cycle(self) -> Gen:
        """The script over one line."""
        pc = 0
        commands = self.script.commands
        replaced = False
        steps = 0
        while pc < len(commands):
            command = commands[pc]
            steps += 1
            if steps % 16 == 0:
                yield from self.c.p.tick(16 + len(self.space) // 256)
            if len(self.space) + len(self.hold) > self.held + 65_536:
                self.c.p.hold(len(self.space) + len(self.hold) - self.held)
                self.held = len(self.space) + len(self.hold)
            pc += 1
            if not (yield from self.selected(command, pc)):
                if command.name == "{":
                    pc = command.jump
                continue
            name = command.name
            if name in "{}:":
                continue
            if name == "s":
                if (yield from self.substitute(command)):
                    replaced = True
            elif name == "p":
                yield from self.emit(self.space)
            elif name == "d":
                yield from self.flush_queue()
                return
            elif name == "D":
                if "\n" not in self.space:
                    yield from self.flush_queue()
                    return
                self.space = self.space.partition("\n")[2]
                yield from self.flush_queue()
                pc, replaced = 0, False
            elif name == "n":
                if (yield from self.is_last()):
                    if not self.quiet:
                        yield from self.emit(self.space, self.ended)
                    yield from self.flush_queue()
                    raise Quit(0)
                if not self.quiet:
                    yield from self.emit(self.space)
                yield from self.flush_queue()
                yield from self.advance()
            elif name == "N":
                if (yield from self.is_last()):
                    if not self.quiet:
                        yield from self.emit(self.space, self.ended)
                    yield from self.flush_queue()
                    raise Quit(0)
                before = self.space
                yield from self.flush_queue()
                yield from self.advance()
                self.space = before + "\n" + self.space
                if len(self.space) > _MAX_SPACE:
                    self.space = self.space[-_MAX_SPACE:]
            elif name in "bt" or name == "T":
                if name == "b" or (name == "t") == replaced:
                    pc = command.jump
                if name != "b":
                    replaced = False
            elif name in "qQ":
                if name == "q":
                    if not self.quiet:
                        yield from self.emit(self.space, self.ended)
                    yield from self.flush_queue()
                raise Quit(command.number)
            elif name == "c":
                if command.second is None or command.negate or self.active.get(pc - 1, 0) == 0:
                    yield from self.emit(command.text, newline=False)
                yield from self.flush_queue()
                return
            else:
                yield from self.simple(command)
        if not self.quiet:
            yield from self.emit(self.space, self.ended)
        yield from self.flush_queue()
        yield from self.c.p.tick(1 + len(self.space) // 512)

    def simple(self, command: Command) -> Gen:
        """The commands that leave the flow alone."""
        name = command.name
        if name == "P":
            yield from self.emit(self.space.partition("\n")[0])
        elif name == "i":
            yield from self.emit(command.text, newline=False)
        elif name == "a":
            self.queue.append(("text", command.text))
        elif name in "rR":
            self.queue.append(("file" if name == "r" else "R", command.text))
        elif name == "h":
            self.hold = self.space
        elif name == "H":
            self.hold = (self.hold + "\n" + self.space)[-_MAX_SPACE:]
        elif name == "g":
            self.space = self.hold
        elif name == "G":
            self.space = (self.space + "\n" + self.hold)[-_MAX_SPACE:]
        elif name == "x":
            self.space, self.hold = self.hold, self.space
        elif name == "y":
            self.space = self.space.translate(command.table)
        elif name == "=":
            yield from self.emit(f"{self.number}\n", newline=False)
        elif name == "l":
            width = command.number if command.number >= 0 else self.width
            yield from self.emit(unambiguous(self.space, width), newline=False)
        elif name == "F":
            yield from self.emit(self.path)
        elif name == "z":
            self.space = ""
        elif name == "e":
            if command.text:
                yield from self.emit((yield from self.run_command(command.text)), newline=False)
            else:
                self.space = (yield from self.run_command(self.space)).removesuffix("\n")
        elif name in "wW":
            text = self.space if name == "w" else self.space.partition("\n")[0]
            yield from self.write_to(command.text, text)

    def selected(self, command: Command, key: int) -> Generator[Any, Any, bool]:
        """Whether a command's addresses select the line."""
        if command.first is None:
            return not command.negate
        if command.second is None:
            return (yield from self.meets(command.first)) != command.negate
        return (yield from self.in_range(command, key - 1)) != command.negate

    def in_range(self, command: Command, key: int) -> Generator[Any, Any, bool]:
        first, second = command.first, command.second
        assert first is not None and second is not None  # the caller checked
        until = self.active.get(key, 0)
        if not until:
            if first.kind == "zero" and self.number == 1 and key not in self.active:
                self.active[key] = -1
                if (yield from self.meets(second)):
                    self.active[key] = 0
                return True
            if not (yield from self.meets(first)):
                return False
            if second.kind == "line":
                self.active[key] = second.number if second.number > self.number else 0
            elif second.kind == "plus":
                self.active[key] = self.number + second.number if second.number else 0
            elif second.kind == "multiple":
                step = second.number
                goal = -(-self.number // step) * step if step else self.number
                self.active[key] = goal if goal > self.number else 0
            elif second.kind == "last":
                self.active[key] = 0 if (yield from self.is_last()) else -1
            else:
                self.active[key] = -1
            return True
        if until > 0:
            if self.number >= until:
                self.active[key] = 0
                return self.number == until or second.kind != "line"
            return True
        if (yield from self.meets(second)):
            self.active[key] = 0
        return True

    def meets(self, address: Address) -> Generator[Any, Any, bool]:
        """Whether one address selects the line."""
        if address.kind == "line":
            return self.number == address.number
        if address.kind == "last":
            return (yield from self.is_last())
        if address.kind == "step":
            if address.step <= 0:
                return self.number == address.number
            return self.number >= address.number and (self.number - address.number) % address.step == 0
        if address.kind == "regex":
            matcher = self.regex(address.regex)
            return matcher.search(self.space) is not None
        return False

    def regex(self, matcher: Matcher | None) -> Matcher:
        """The expression, the last one used where it is empty."""
        found = matcher or self.last_regex
        if found is None:
            raise BadRegex("-e expression #1, char 0: no previous regular expression")
        self.last_regex = found
        return found

    def substitute(self, command: Command) -> Generator[Any, Any, bool]:
        """The s command; True where something was replaced."""
        matcher = self.regex(command.regex)
        text = self.space
        out: list[str] = []
        pos = 0
        count = 0
        size = 0
        for found in matcher.all(text):
            count += 1
            if count < command.number:
                continue
            out.append(text[pos : found.start])
            replacement = fill(command.replacement, found, text)
            out.append(replacement)
            size += found.start - pos + len(replacement)
            pos = found.end
            if count % 64 == 0:
                yield from self.c.p.tick(8)
            if not command.globally or size > _MAX_SPACE:
                break
        if not out:
            return False
        self.space = "".join(out) + text[pos:]
        if command.evaluate:
            self.space = (yield from self.run_command(self.space)).removesuffix("\n")
        if command.prints:
            yield from self.emit(self.space)
        if command.text:
            yield from self.write_to(command.text, self.space)
        return True

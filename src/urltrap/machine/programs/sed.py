"""sed: the stream editor, POSIX with GNU's common additions."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Run, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen, command
from urltrap.machine.programs._lines import Source
from urltrap.machine.programs._regex import BadRegex, Found, Matcher
from urltrap.machine.programs._sedscript import Address, Command, Script, SedError, parse
from urltrap.machine.programs._visible import unambiguous

_LONG = {
    "quiet": "n", "silent": "n", "debug": "debug", "expression:": "e", "file:": "f", "follow-symlinks": "fs",
    "in-place::": "i", "line-length:": "l", "null-data": "z", "zero-terminated": "z", "posix": "posix",
    "regexp-extended": "E", "separate": "s", "sandbox": "sandbox", "unbuffered": "u",
}  # fmt: skip
_USAGE = """\
Usage: {0} [OPTION]... {script-only-if-no-other-script} [input-file]...

  -n, --quiet, --silent
                 suppress automatic printing of pattern space
      --debug
                 annotate program execution
  -e script, --expression=script
                 add the script to the commands to be executed
  -f script-file, --file=script-file
                 add the contents of script-file to the commands to be executed
  --follow-symlinks
                 follow symlinks when processing in place
  -i[SUFFIX], --in-place[=SUFFIX]
                 edit files in place (makes backup if SUFFIX supplied)
  -l N, --line-length=N
                 specify the desired line-wrap length for the `l' command
  --posix
                 disable all GNU extensions.
  -E, -r, --regexp-extended
                 use extended regular expressions in the script
                 (for portability use POSIX -E).
  -s, --separate
                 consider files as separate rather than as a single,
                 continuous long stream.
      --sandbox
                 operate in sandbox mode (disable e/r/w commands).
  -u, --unbuffered
                 load minimal amounts of data from the input files and flush
                 the output buffers more often
  -z, --null-data
                 separate lines by NUL characters
      --help     display this help and exit
      --version  output version information and exit

If no -e, --expression, -f, or --file option is given, then the first
non-option argument is taken as the sed script to interpret.  All
remaining arguments are names of input files; if no input files are
specified, then the standard input is read.

GNU sed home page: <https://www.gnu.org/software/sed/>.
General help using GNU software: <https://www.gnu.org/gethelp/>.
"""
_MAX_SPACE = 4_000_000


@command(
    "sed",
    short="bnre:f:i::l:EsuzhV",
    bb="nre:f:i::Esz",
    long=_LONG,
    package="GNU sed",
    version="4.9",
    hint=_USAGE,
)
def sed(c: Cmd) -> Run:
    """Edit a stream."""
    parts: list[str] = []
    for name, value in c.opts:
        if name == "e":
            parts.append(value)
        elif name == "f":
            try:
                parts.append(decode((yield from c.load(value))).removesuffix("\n"))
            except SysError as problem:
                yield from c.p.err(f"{c.name}: couldn't open file {value}: {problem.words}\n")
                return 1
    if not parts:
        if not c.args:
            if c.bb:
                return (yield from c.usage())
            return (yield from c.usage(status=1))
        parts.append(c.args.pop(0))
    try:
        script = parse(parts, extended=c.has("E", "r"))
    except (SedError, BadRegex) as problem:
        yield from c.p.err(f"{c.name}: {problem}\n")
        return 1
    editor = _Editor(c, script)
    return (yield from editor.run())


class _Quit(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class _Editor:
    def __init__(self, c: Cmd, script: Script) -> None:
        self.c = c
        self.script = script
        self.quiet = c.has("n") or script.quiet
        self.in_place = c.has("i")
        self.end = "\0" if c.has("z") else "\n"
        self.files = c.args or ["-"]
        self.number = 0
        self.space = ""
        self.hold = ""
        self.ended = True
        self.queue: list[tuple[str, str]] = []
        self.active: dict[int, int] = {}
        self.source: Source | None = None
        self.next_line: bytes | None = None
        self.at = 0
        self.out = bytearray()
        self.path = "-"
        self.last_regex: Matcher | None = None
        self.writers: dict[str, bytearray] = {}
        self.readers: dict[str, list[bytes]] = {}
        self.held = 0

    # -- input

    def pull(self) -> Generator[Any, Any, bytes]:
        """The next line of the current group of files; b"" at the end."""
        while True:
            if self.source is None:
                if self.at >= len(self.files):
                    return b""
                path = self.files[self.at]
                self.at += 1
                try:
                    self.source = Source(self.c, path)
                except SysError as problem:
                    if problem.errno == 21:
                        yield from self.c.fail(
                            f"couldn't edit {path}: not a regular file"
                            if self.in_place
                            else f"read error on {path}: Is a directory",
                            4 if self.in_place else 2,
                        )
                    elif self.c.bb:
                        yield from self.c.fail(f"{path}: {problem.words}", 1)
                    else:
                        yield from self.c.fail(f"can't read {path}: {problem.words}", 2)
                    continue
                self.path = path
            line = yield from self.source.line(self.end.encode())
            if line:
                return line
            self.source.close()
            self.source = None
            if self.in_place or self.c.has("s"):
                return b""

    def advance(self) -> Generator[Any, Any, bool]:
        """Read the next line into the pattern space; False at the end."""
        line = self.next_line if self.next_line is not None else (yield from self.pull())
        self.next_line = None
        if not line:
            return False
        self.number += 1
        self.ended = line.endswith(self.end.encode())
        self.space = decode(line[:-1] if self.ended else line)
        return True

    def is_last(self) -> Generator[Any, Any, bool]:
        """Whether no line follows."""
        if self.next_line is None:
            self.next_line = yield from self.pull()
        return not self.next_line

    # -- output

    def emit(self, text: str, newline: bool = True) -> Gen:
        """To the output, or to the file that is edited in place."""
        data = encode(text) + (self.end.encode() if newline else b"")
        if self.in_place:
            self.out += data
        else:
            yield from self.c.put(data)

    def flush_queue(self) -> Gen:
        """What a, r and R put behind the line."""
        for kind, text in self.queue:
            if kind == "text":
                yield from self.emit(text, newline=False)
            elif kind == "R":
                lines = self.readers.get(text)
                if lines is None:
                    try:
                        lines = self.c.p.fs.read(text).splitlines(keepends=True)
                    except SysError:
                        lines = []
                    self.readers[text] = lines
                if lines:
                    yield from self.emit(decode(lines.pop(0)).removesuffix("\n"))
            else:
                try:
                    data = (yield from self.c.load("-")) if text == "/dev/stdin" else self.c.p.fs.read(text)
                except SysError:
                    continue  # a file that is not there is an empty one
                if self.in_place:
                    self.out += data
                else:
                    yield from self.c.put(data)
        self.queue.clear()

    # -- running

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
                if self.in_place:
                    self.number = 0
                if began == self.at and self.source is None and self.at >= len(self.files):
                    break
        except _Quit as leaving:
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
        for path, data in self.writers.items():
            if path not in ("/dev/stdout", "/dev/stderr"):
                try:
                    self.c.p.fs.write(path, bytes(data), mode=0o666 & ~self.c.p.umask)
                except SysError as problem:
                    yield from self.c.fail(f"couldn't open file {path}: {problem.words}", 4)
        return status or self.c.status

    def finish_file(self) -> Gen:
        """Write an edited file back."""
        if self.path == "-":
            return
        c, path = self.c, self.path
        suffix = c.value("i") or ""
        try:
            stat = c.p.fs.stat(path)
            if suffix:
                backup = suffix.replace("*", path.rpartition("/")[2]) if "*" in suffix else path + suffix
                c.p.fs.put(backup, c.p.fs.content(path), mode=stat.mode & 0o7777)
            c.p.fs.write(path, bytes(self.out), mode=stat.mode & 0o7777)
        except SysError as problem:
            yield from c.fail(f"couldn't open file {path}: {problem.words}", 4)
        self.out.clear()
        self.path = "-"

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
                    raise _Quit(0)
                if not self.quiet:
                    yield from self.emit(self.space)
                yield from self.flush_queue()
                yield from self.advance()
            elif name == "N":
                if (yield from self.is_last()):
                    if not self.quiet:
                        yield from self.emit(self.space, self.ended)
                    yield from self.flush_queue()
                    raise _Quit(0)
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
                raise _Quit(command.number)
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
            yield from self.emit(
                unambiguous(self.space, command.number if command.number >= 0 else 70), newline=False
            )
        elif name == "F":
            yield from self.emit(self.path)
        elif name == "z":
            self.space = ""
        elif name in "wW":
            text = self.space if name == "w" else self.space.partition("\n")[0]
            yield from self.write_to(command.text, text)

    def write_to(self, path: str, text: str) -> Gen:
        """A line to a w file."""
        if path == "/dev/stdout":
            yield from self.emit(text)
        elif path == "/dev/stderr":
            yield from self.c.p.err(text + "\n")
        else:
            self.writers.setdefault(path, bytearray()).extend(encode(text) + b"\n")

    # -- addresses

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
            raise BadRegex("no previous regular expression")
        self.last_regex = found
        return found

    # -- s

    def substitute(self, command: Command) -> Generator[Any, Any, bool]:
        """The s command; True where something was replaced."""
        matcher = self.regex(command.regex)
        text = self.space
        out: list[str] = []
        pos = 0
        count = 0
        size = 0
        for found in matcher.all(text):
            if (
                found.start == found.end
                and found.start == pos
                and count
                and found.start != 0
                and out
                and text[pos - 1 : pos]
                and size < 0
            ):
                continue
            count += 1
            if count < command.number:
                continue
            out.append(text[pos : found.start])
            replacement = _fill(command.replacement, found, text)
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
            yield from self.evaluate()
        if command.prints:
            yield from self.emit(self.space)
        if command.text:
            yield from self.write_to(command.text, self.space)
        return True

    def evaluate(self) -> Gen:
        """The e flag: run the pattern space as a command, its output is the new one."""
        p = self.c.p
        yield from self.c.flush()
        reader, writer = p.pipe()
        pid = p.spawn(["sh", "-c", self.space], path="/bin/sh", fds={0: 0, 1: writer, 2: 2})
        p.close(writer)
        data = yield from p.read_all(reader, 1_000_000)
        p.close(reader)
        yield from p.wait(pid)
        self.space = decode(data).removesuffix("\n")


def _fill(parts: list[int | str], found: Found, text: str) -> str:
    out: list[str] = []
    case, once = "", ""
    for part in parts:
        if isinstance(part, int):
            if part >= len(found.spans):
                continue
            begin, end = found.spans[part]
            piece = text[begin:end] if begin >= 0 else ""
        elif part in ("\\U", "\\L", "\\E"):
            case = part if part != "\\E" else ""
            continue
        elif part in ("\\u", "\\l"):
            once = part
            continue
        else:
            piece = part
        if case:
            piece = piece.upper() if case == "\\U" else piece.lower()
        if once and piece:
            piece = (piece[0].upper() if once == "\\u" else piece[0].lower()) + piece[1:]
            once = ""
        out.append(piece)
    return "".join(out)

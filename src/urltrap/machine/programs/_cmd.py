"""What the file and text programs share: options, buffered output, messages, both flavours (GNU's and BusyBox's).

    @command("rev", short="V", long={"version": "V"})
    def rev(c: Cmd) -> Run: ...

A command is registered as a program and as an applet: `busybox/` calls the same function with ``c.bb`` set.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from urltrap.machine.api import Process, Run, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs.registry import program

Gen = Generator[Any, Any, Any]
_FLUSH_AT = 32_768
APPLETS: dict[str, Callable[[Process], Run]] = {}
"""Our commands as BusyBox applets, by name."""


def shell_quote(text: str, always: bool = False) -> str:
    """A name as GNU programs quote it (quotearg's shell-escape; `always` is shell-escape-always)."""
    plain = all(
        32 <= ord(char) < 127 or (ord(char) > 160 and not 0xDC80 <= ord(char) <= 0xDCFF) for char in text
    )
    if plain and text:
        special = (
            any(char in " \t!\"#$&'()*;<=>?[\\^`|~" for char in text[1:])
            or text[0] in " \t!\"#$&'()*;<=>?[\\^`|~"
        )
        if special and text[0] not in "#~" and not any(char in " \t!\"$&'()*;<=>?[\\^`|" for char in text):
            special = False
        if not special:
            return f"'{text}'" if always else text
        if "'" not in text:
            return f"'{text}'"
        if not any(char in '"$`\\!' for char in text):
            return f'"{text}"'
        return "'" + text.replace("'", "'\\''") + "'"
    if not text:
        return "''"
    out, quoted = ["'"], True
    names = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r"}
    for byte in encode(text):
        if 32 <= byte < 127 and byte != 39:
            if not quoted:
                out.append("''")
                quoted = True
            out.append(chr(byte))
        elif byte == 39:
            out.append("'\\''")
            quoted = True
        else:
            if quoted:
                out.append("'$'")
                quoted = False
            out.append("\\" + names.get(byte, f"{byte:03o}"))
    return "".join(out) + "'"


def quotes(p: Process) -> tuple[str, str]:
    """The quotation marks of the process's locale."""
    name = p.env.get("LC_ALL") or p.env.get("LC_CTYPE") or p.env.get("LANG") or ""
    return ("\u2018", "\u2019") if "utf-8" in name.lower() or "utf8" in name.lower() else ("'", "'")


class Cmd:
    """One run of a command: process, options in order, operands, and its output."""

    __slots__ = ("args", "bb", "buffer", "hint", "name", "opts", "p", "status")

    def __init__(self, p: Process, opts: list[tuple[str, str]], args: list[str], bb: bool) -> None:
        self.p = p
        self.opts = opts
        self.args = args
        self.bb = bb
        self.name = p.argv[0].rpartition("/")[2] if bb else p.argv[0]
        self.buffer = bytearray()
        self.status = 0
        self.hint = "Try '{0} --help' for more information.\n"

    # options
    def has(self, *names: str) -> bool:
        """True where one of these options was given."""
        return bool(self.opts) and any(name in names for name, _ in self.opts)

    def value(self, *names: str) -> str | None:
        """The last value of an option."""
        found = None
        for name, value in self.opts:
            if name in names:
                found = value
        return found

    def values(self, *names: str) -> list[str]:
        """All values of an option."""
        return [value for name, value in self.opts if name in names]

    def last(self, names: str) -> str:
        """Which of these options came last; empty where none."""
        found = ""
        for name, _ in self.opts:
            if name in names:
                found = name
        return found

    # output
    def put(self, data: bytes) -> Gen:
        """Write to standard output, through a buffer."""
        if not self.buffer and len(data) >= _FLUSH_AT:
            yield from self.p.write(1, data)  # nothing to gather: it goes on as it is
            return
        self.buffer += data
        if len(self.buffer) >= _FLUSH_AT:
            yield from self.flush()

    def say(self, text: str) -> Gen:
        """Text to standard output, through the buffer."""
        yield from self.put(encode(text))

    def flush(self) -> Gen:
        """Write what the buffer holds."""
        if self.buffer:
            data = bytes(self.buffer)
            self.buffer.clear()
            yield from self.p.write(1, data)

    def warn(self, text: str) -> Gen:
        """``name: text`` on standard error."""
        yield from self.flush()
        yield from self.p.err(f"{self.name}: {text}\n")

    def fail(self, text: str, status: int = 1) -> Gen:
        """`warn`, and remember the exit status."""
        self.status = max(self.status, status)
        yield from self.warn(text)

    def bad_file(self, path: str, problem: SysError, status: int = 1) -> Gen:
        """``name: path: reason``."""
        if self.bb and problem.errno == errno.ENOENT and self.name in ("cat", "head", "tail", "wc", "sort"):
            yield from self.fail(f"can't open '{path}': {problem.words}", status)
            return
        yield from self.fail(f"{self.quote(path)}: {problem.words}", status)

    def quote(self, path: str) -> str:
        """A path in front of a colon."""
        return path if self.bb else shell_quote(path)

    def quoted(self, path: str) -> str:
        """A path in a sentence, always in quotes."""
        return f"'{path}'" if self.bb else shell_quote(path, True)

    def usage(self, text: str = "", status: int = 1) -> Generator[Any, Any, int]:
        """A wrong command line: `text`, then the hint or BusyBox's usage; the status."""
        yield from self.flush()
        if text and (not self.bb or "option" in text):
            yield from self.p.err(f"{self.name}: {text}\n")
        if self.bb:
            yield from self.p.err(bb_usage(self.p, self.name))
            return 1
        yield from self.p.err(self.hint.replace("{0}", self.name))
        return status

    def lq(self, text: str) -> str:
        """A word as gettext quotes it: typographic quotes in a UTF-8 locale."""
        if self.bb:
            return f"'{text}'"
        left, right = quotes(self.p)
        return left + text.replace("'", "\\'" if left == "'" else "'") + right

    # input
    def load(self, path: str, limit: int = 16_000_000) -> Generator[Any, Any, bytes]:
        """A whole input; "-" is standard input. SysError."""
        if path == "-":
            yield from self.flush()
            return (yield from self.p.read_all(0, limit))
        fd = self.p.open(path)
        try:
            if self.p.fstat(fd).is_dir:
                raise SysError(errno.EISDIR, path)
            return (yield from self.p.read_all(fd, limit))
        finally:
            self.p.close(fd)


def bb_banner(p: Process) -> str:
    """The first line of everything that BusyBox says of itself."""
    return f"{p.persona.busybox} multi-call binary."


def bb_usage(p: Process, name: str) -> str:
    """BusyBox's usage of an applet with the version banner."""
    return f"{bb_banner(p)}\n\nUsage: {p.recorded_usage(name) or f'{name} [OPTIONS]'}\n"


Entry = Callable[[Cmd], Run]


def command(
    name: str,
    *aliases: str,
    short: str = "",
    long: Mapping[str, str] | None = None,
    bad: int = 1,
    package: str = "GNU coreutils",
    version: str = "9.1",
    bb: bool | str = True,
    hint: str | None = None,
    register: bool = True,
) -> Callable[[Entry], Entry]:
    """Register a command. `long` maps a long option (":" or "::" behind it for a value) to what it is called in
    ``c.opts``; `bad` is the status of a wrong option; `bb` its options as an applet, False where BusyBox has none;
    `hint` what follows a complaint ("{0}" is the name), where it is not coreutils' own.
    """
    names: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for option, meaning in (long or {}).items():
        bare = option.rstrip(":")
        names["--" + bare] = meaning or bare
        kinds[bare] = option[len(bare) :]
    kinds.setdefault("help", "")
    kinds.setdefault("version", "")

    def wrap(entry: Entry) -> Entry:
        def run(p: Process, flavour: bool) -> Run:
            letters = bb if flavour and isinstance(bb, str) else short
            try:
                found, args = getopt(p.argv[1:], letters, kinds)
            except OptionError as problem:
                c = Cmd(p, [], [], flavour)
                c.hint = hint if hint is not None else c.hint
                return (yield from c.usage(str(problem), bad))
            opts = [(names.get(option, option), value) for option, value in found]
            c = Cmd(p, opts, args, flavour)
            c.hint = hint if hint is not None else c.hint
            if c.has("--help", "help") and "--help" not in names:
                text = bb_usage(p, c.name) if flavour else f"Usage: {c.name} [OPTION]... [FILE]...\n"
                yield from (p.err(text) if flavour else p.out(text))
                return 0
            if c.has("--version") and not flavour:
                yield from p.out(f"{name} ({package}) {version}\n")
                return 0
            return (yield from guard(c, entry))

        def standard(p: Process) -> Run:
            return run(p, False)

        def applet(p: Process) -> Run:
            return run(p, True)

        for each in (name, *aliases):
            if register:
                program(each)(standard)
            if bb is not False:
                APPLETS[each] = applet
        return entry

    return wrap


def guard(c: Cmd, entry: Entry) -> Run:
    """Run `entry`; an error of writing the output ends it as in a real program."""
    try:
        status = yield from entry(c)
        yield from c.flush()
    except SysError as problem:
        c.buffer.clear()
        what = f"{problem.path}: " if problem.path else "write error: "
        try:
            yield from c.p.err(f"{c.name}: {what}{problem.words}\n")
        except SysError:
            pass  # standard error is closed too: nobody is left to tell
        return 1
    return status if status else c.status


def paths_or_stdin(args: Sequence[str]) -> list[str]:
    """The operands, or standard input where there is none."""
    return list(args) or ["-"]

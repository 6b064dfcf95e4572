"""read, mapfile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.api import decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.shell.builtins.registry import builtin
from urltrap.machine.shell.builtins.variables import NAME, assign_name
from urltrap.machine.shell.errors import ExitShell
from urltrap.machine.shell.expansion.transform import single_quote
from urltrap.machine.shell.input import read_record
from urltrap.machine.shell.variables import Var

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


class _Options:
    """The options of one ``read``."""

    def __init__(self) -> None:
        self.raw = False
        self.silent = False
        self.prompt = ""
        self.delimiter = b"\n"
        self.count: int | None = None
        self.exact = False
        self.timeout: float | None = None
        self.fd = 0
        self.array = ""


def _options(sh: Shell, argv: list[str], options: _Options) -> Gen[tuple[list[str], int | None]]:
    """Read the flags; (names, None) or ([], status) where they are wrong."""
    with_value = {"bash": "adinNptu", "dash": "p", "ash": "pntdu"}[sh.dialect.name]
    known = {"bash": "rse" + with_value, "dash": "rp", "ash": "rs" + with_value}[sh.dialect.name]
    words = list(argv[1:])
    while words and words[0].startswith("-") and len(words[0]) > 1:
        flag = words.pop(0)
        if flag == "--":
            break
        position = 1
        while position < len(flag):
            letter = flag[position]
            position += 1
            if letter not in known:
                if sh.dialect.bash:
                    yield from sh.complain(f"-{letter}: invalid option", "read")
                    yield from sh.p.err(
                        "read: usage: read [-ers] [-a array] [-d delim] [-i text] [-n nchars] [-N nchars] "
                        "[-p prompt] [-t timeout] [-u fd] [name ...]\n"
                    )
                    return [], 2
                yield from sh.complain(f"Illegal option -{letter}", "read")
                raise ExitShell(2)
            if letter not in with_value:
                options.raw = options.raw or letter == "r"
                options.silent = options.silent or letter == "s"
                continue
            value = flag[position:] or (words.pop(0) if words else None)
            position = len(flag)
            if value is None:
                if sh.dialect.bash:
                    yield from sh.complain(f"-{letter}: option requires an argument", "read")
                    yield from sh.p.err(
                        "read: usage: read [-ers] [-a array] [-d delim] [-i text] [-n nchars] [-N nchars] "
                        "[-p prompt] [-t timeout] [-u fd] [name ...]\n"
                    )
                    return [], 2
                yield from sh.complain(f"No arg for -{letter} option", "read")
                raise ExitShell(2)
            status = yield from _take(sh, options, letter, value)
            if status is not None:
                return [], status
    return words, None


def _take(sh: Shell, options: _Options, letter: str, value: str) -> Gen[int | None]:
    if letter == "p":
        options.prompt = value
    elif letter == "d":
        options.delimiter = encode(value)[:1] or b"\0"
    elif letter in "nN":
        if not value.isdecimal():
            yield from sh.complain(f"{value}: invalid number" if sh.dialect.bash else "invalid count", "read")
            return 1
        options.count = int(value[:9])
        options.exact = letter == "N"
    elif letter == "t":
        try:
            options.timeout = float(value)
            if options.timeout < 0:
                raise ValueError(value)
        except ValueError:
            yield from sh.complain(
                f"{value}: invalid timeout specification" if sh.dialect.bash else "invalid timeout", "read"
            )
            return 1
    elif letter == "u":
        if not value.isdecimal() or int(value[:6]) not in sh.p.fds:
            yield from sh.complain(
                f"{value}: invalid file descriptor: Bad file descriptor"
                if value.isdecimal()
                else f"{value}: invalid file descriptor specification",
                "read",
            )
            return 1
        options.fd = int(value[:6])
    elif letter == "a":
        options.array = value
    return None


@builtin("read")
def read(sh: Shell, argv: list[str]) -> Gen[int]:
    """A line into variables."""
    options = _Options()
    names, status = yield from _options(sh, argv, options)
    if status is not None:
        return status
    if not names and not sh.dialect.bash and sh.dialect.name == "dash":
        yield from sh.complain("arg count", "read")
        raise ExitShell(2)
    for name in names:
        if not NAME.match(name.partition("[")[0]):
            if sh.dialect.bash:
                yield from sh.complain(f"`{name}': not a valid identifier", "read")
                return 1
            yield from sh.complain(f"{name}: bad variable name", "read")
            raise ExitShell(2)
    fd = options.fd
    if fd not in sh.p.fds:
        if sh.dialect.bash:
            yield from sh.complain(f"read error: {fd}: Bad file descriptor", "read")
        return 1
    terminal = sh.p.is_tty(fd)
    if options.prompt and (terminal or not sh.dialect.bash) and options.timeout != 0:
        yield from sh.p.err(options.prompt)
    restore = _quiet(sh, fd) if options.silent and terminal else None
    try:
        text, marks, code = yield from _gather(sh, options)
    except SysError as problem:
        if problem.errno == 4:
            raise
        yield from sh.complain(f"read error: {fd}: {problem.words}", "read")
        return 1
    finally:
        if restore is not None:
            sh.p.tty(fd).echo = restore
    if options.array:
        _store_array(sh, options.array, [value for value, _ in _split(sh, text, marks, None)])
    elif not names:
        sh.set_var("REPLY", text)
    elif options.exact:
        for number, name in enumerate(names):
            assign_name(sh, name, text if number == 0 else "")
    else:
        values = [value for value, _ in _split(sh, text, marks, len(names))]
        for number, name in enumerate(names):
            assign_name(sh, name, values[number] if number < len(values) else "")
    return code


def _quiet(sh: Shell, fd: int) -> bool:
    terminal = sh.p.tty(fd)
    before = terminal.echo
    terminal.echo = False
    return before


def _store_array(sh: Shell, name: str, values: list[str]) -> None:
    var: Var = sh.vars.slot(sh.vars.target(name))
    sh.vars.account(0, sum(len(value) + 16 for value in values))
    var.value = dict(enumerate(values))
    var.array = "a"


def _gather(sh: Shell, options: _Options) -> Gen[tuple[str, set[int], int]]:
    """The characters read, the positions of those that a backslash quoted, and the status."""
    if options.timeout is not None or options.count is not None:
        data, code = yield from _counted(sh, options)
        if code > 128 and not sh.dialect.bash:
            data = b""  # what came before the time was up is lost there
    else:
        data, ended = yield from read_record(sh, options.fd, options.delimiter)
        code = 1 if ended else 0
    data = data.replace(b"\0", b"")
    if options.raw or options.exact:
        return decode(data), set(), code
    text: list[str] = []
    marks: set[int] = set()
    while True:
        chars = decode(data)
        position = 0
        joined = False
        while position < len(chars):
            char = chars[position]
            if char == "\\":
                if position + 1 >= len(chars):
                    joined = code == 0 and options.delimiter == b"\n" and options.count is None
                    if not joined and code == 1:
                        pass  # a backslash at the very end is dropped
                    break
                marks.add(len(text))
                char = chars[position + 1]
                position += 1
                if char == "\n":
                    marks.discard(len(text))
                    position += 1
                    continue
            text.append(char)
            position += 1
        if not joined:
            return "".join(text), marks, code
        if sh.p.is_tty(options.fd) and sh.interactive:
            yield from sh.p.err(sh.getvar("PS2", "> "))
        data, ended = yield from read_record(sh, options.fd, options.delimiter)
        data = data.replace(b"\0", b"")
        code = 1 if ended else 0


def _counted(sh: Shell, options: _Options) -> Gen[tuple[bytes, int]]:
    """Read with -n, -N or -t."""
    fd = options.fd
    out = bytearray()
    limit = options.count
    deadline = None if options.timeout is None else sh.p.now() + options.timeout
    if limit == 0:
        return b"", 0
    if options.timeout == 0:
        try:
            ready = yield from sh.p.read(fd, 0, timeout=0)
        except SysError:
            return b"", 1
        return ready, 0
    raw = None
    if limit is not None and sh.p.is_tty(fd):
        raw = sh.p.tty(fd)
        raw.icanon = False
    try:
        while True:
            left = None if deadline is None else max(0.0, deadline - sh.p.now())
            try:
                piece = yield from sh.p.read(fd, 1, timeout=left)
            except SysError as problem:
                if problem.errno == 11:
                    return bytes(out), 142
                raise
            if not piece:
                return bytes(out), 1
            if piece == options.delimiter and not options.exact:
                return bytes(out), 0
            out += piece
            if limit is not None and len(decode(bytes(out))) >= limit and not _partial(bytes(out)):
                return bytes(out), 0
            if len(out) % 256 == 0:
                yield from sh.p.tick(1)
    finally:
        if raw is not None:
            raw.icanon = True


def _partial(data: bytes) -> bool:
    """True where `data` ends inside a UTF-8 character."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 2 if byte >= 0xC0 and byte < 0xE0 else 3 if 0xE0 <= byte < 0xF0 else 4 if byte >= 0xF0 else 1
        return needed > back
    return False


def _split(sh: Shell, text: str, marks: set[int], count: int | None) -> list[tuple[str, int]]:
    """Fields by IFS; the last of `count` gets the rest of the line."""
    ifs = sh.ifs
    spaces = "".join(char for char in ifs if char in " \t\n")
    size = len(text)
    pos = 0
    fields: list[tuple[str, int]] = []

    def separator(at: int) -> bool:
        return text[at] in ifs and at not in marks

    def space(at: int) -> bool:
        return text[at] in spaces and at not in marks

    while pos < size and space(pos):
        pos += 1
    while pos < size:
        begin = pos
        if count is not None and len(fields) == count - 1:
            return _last(text, pos, fields, separator, space)
        while pos < size and not separator(pos):
            pos += 1
        fields.append((text[begin:pos], begin))
        if pos >= size:
            break
        while pos < size and space(pos):
            pos += 1
        if pos < size and separator(pos):
            pos += 1
            while pos < size and space(pos):
                pos += 1
    return fields


def _last(
    text: str, pos: int, fields: list[tuple[str, int]], separator: object, space: object
) -> list[tuple[str, int]]:
    """The rest of the line for the last name, without trailing blanks and without a lone trailing separator."""
    end = len(text)
    while end > pos and space(end - 1):  # type: ignore[operator]
        end -= 1
    # "a:" for one name is "a" where ":" separates and nothing follows.
    if end > pos and separator(end - 1) and not any(separator(at) for at in range(pos, end - 1)):  # type: ignore[operator]
        end -= 1
        while end > pos and space(end - 1):  # type: ignore[operator]
            end -= 1
    fields.append((text[pos:end], pos))
    return fields


@builtin("mapfile", "readarray", dialects="bash")
def mapfile(sh: Shell, argv: list[str]) -> Gen[int]:
    """Lines into an array."""
    words = argv[1:]
    strip = False
    delimiter = b"\n"
    count = origin = skip = 0
    fd = 0
    callback, quantum = "", 5000
    keep = False
    while words and words[0].startswith("-") and len(words[0]) > 1:
        flag = words.pop(0)
        letter = flag[1]
        if letter == "t":
            strip = True
            continue
        if letter not in "dnOsuCc":
            yield from sh.complain(f"-{letter}: invalid option", argv[0])
            yield from sh.p.err(f"{argv[0]}: usage: {argv[0]} [-d delim] [-n count] [-O origin] [-s count] [-t] "
                                "[-u fd] [-C callback] [-c quantum] [array]\n")  # fmt: skip
            return 2
        value = flag[2:] or (words.pop(0) if words else "")
        if letter == "d":
            delimiter = encode(value)[:1] or b"\0"
        elif letter in "nOsu":
            if not value.isdecimal():
                yield from sh.complain(
                    f"{value}: invalid {'line count' if letter in 'ns' else 'array origin'}", argv[0]
                )
                return 1
            number = int(value[:9])
            if letter == "n":
                count = number
            elif letter == "O":
                origin, keep = number, True
            elif letter == "s":
                skip = number
            else:
                fd = number
        elif letter == "C":
            callback = value
        elif not value.isdecimal() or not int(value[:9]):
            yield from sh.complain(f"{value}: invalid callback quantum", argv[0])
            return 1
        else:
            quantum = int(value[:9])
    name = words[0] if words else "MAPFILE"
    if not NAME.fullmatch(name):
        yield from sh.complain(f"`{name}': not a valid identifier", argv[0])
        return 1
    if fd not in sh.p.fds:
        yield from sh.complain(f"{fd}: invalid file descriptor: Bad file descriptor", argv[0])
        return 1
    lines: dict[int, str] = {}
    number = 0
    while not count or len(lines) < count:
        data, ended = yield from read_record(sh, fd, delimiter)
        if ended and not data:
            break
        number += 1
        if number > skip:
            text = decode(data.replace(b"\0", b""))
            at = origin + len(lines)
            lines[at] = text if strip or ended else text + decode(delimiter)
            if callback and not len(lines) % quantum:
                from urltrap.machine.shell.interpreter.script import run_text

                yield from run_text(sh, f"{callback} {at} {single_quote(lines[at])}", origin="eval")
            sh.vars.account(0, len(text) + 16)
        if ended:
            break
    var = sh.vars.slot(sh.vars.target(name))
    if keep and isinstance(var.value, dict):
        var.value.update(lines)  # type: ignore[arg-type]
    else:
        var.value = dict(lines)
    var.array = "a"
    return 0

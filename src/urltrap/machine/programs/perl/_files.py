"""Files: open and what is done with handles, file tests, directories, changes of the tree."""

from __future__ import annotations

import errno
import re
from typing import Any

from urltrap.machine.api import (
    O_APPEND,
    O_CREAT,
    O_EXCL,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
    decode,
    encode,
)
from urltrap.machine.errors import SysError
from urltrap.machine.programs.perl import _eval, _places
from urltrap.machine.programs.perl._attention import pause
from urltrap.machine.programs.perl._functions import FUNCTIONS, function
from urltrap.machine.programs.perl._handles import Handle, in_memory
from urltrap.machine.programs.perl._values import (
    Gen,
    Glob,
    Node,
    Ref,
    Scalar,
    Unsupported,
    num,
    string,
    to_bytes,
    values,
    whole,
)
from urltrap.machine.programs.perl._vm import Frame, Vm


def path_of(value: Any) -> str:
    """A string of perl as a path of the machine."""
    return decode(to_bytes(string(value)))


def text_of(path: str) -> str:
    """A path of the machine as a string of perl."""
    return encode(path).decode("latin-1")


def glob_of(vm: Vm, value: Any) -> Glob | None:
    """The glob that a value stands for: a handle, a reference to one, its name."""
    if type(value) is Ref:
        target = value.t
        if isinstance(target, Glob):
            return target
        if isinstance(target, Scalar):
            return glob_of(vm, target.v)
        return None
    if isinstance(value, Glob):
        return value
    if isinstance(value, str) and re.fullmatch(r"\*?(?:\w+::)*\w+", value):
        name = value.removeprefix("*")
        return vm.globs.get(name if "::" in name else f"main::{name}")
    return None


def handle_of(vm: Vm, value: Any) -> Handle | None:
    """The open stream behind a value; None where there is none."""
    found = glob_of(vm, value)
    return found.io if found is not None and found.io is not None else None


def handle_node(vm: Vm, f: Frame, n: Node, names: bool = True) -> Gen:
    """The value of a node that names a handle; a string is one only where it `names`."""
    if n.k == "bareword":
        return vm.glob(n.b)
    if n.k == "const" and names and isinstance(n.a, str):
        return vm.glob(n.a if "::" in n.a else f"main::{n.a}")
    return (yield from _eval.ev(vm, f, n))


def new_handle(vm: Vm, f: Frame, n: Node) -> Gen:
    """The glob that an open of this node fills: a new one where the variable is undefined."""
    if n.k in ("handle", "*glob"):
        return vm.glob(n.a)
    if n.k == "bareword":
        return vm.glob(n.b)
    if n.k == "const":
        return vm.glob(f"main::{n.a}")
    place = yield from _places.scalar(vm, f, n)
    found = glob_of(vm, place.v) if place.v is not None else None
    if found is None:
        if isinstance(place.v, str):
            return vm.glob(f"main::{place.v}")
        names = {"my": lambda: n.a[0].b, "$pad": lambda: n.b, "$glob": lambda: n.a.rpartition("::")[2]}
        name = names[n.k]() if n.k in names else "__ANONIO__"
        found = Glob(f"main::${name}")
        place.set(Ref(found))
    return found


def shown_name(glob: Glob) -> str:
    """How messages name a handle."""
    return glob.name.removeprefix("main::")


def keep(vm: Vm, handle: Handle) -> None:
    """Remember a stream, so that what it holds back is written at the end."""
    opened = vm.children.setdefault(-1, [])
    opened[:] = [each for each in opened if each.fd >= 0]
    opened.append(handle)


def failed(vm: Vm, problem: SysError | int) -> Any:
    """A call that failed: $! is set, the value is false."""
    vm.set_errno(problem)
    return 0


_MODES = {
    "<": O_RDONLY, ">": O_WRONLY | O_CREAT | O_TRUNC, ">>": O_WRONLY | O_CREAT | O_APPEND, "+<": O_RDWR,
    "+>": O_RDWR | O_CREAT | O_TRUNC, "+>>": O_RDWR | O_CREAT | O_APPEND,
}  # fmt: skip
_STANDARD = {"main::STDIN": 0, "main::STDOUT": 1, "main::STDERR": 2}
_TWO = re.compile(r"\s*(\+?[<>]{1,2}&?=?|\|)?\s*(.*?)\s*(\|)?\s*", re.DOTALL)


@function("open")
def _open(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    glob = yield from new_handle(vm, f, n.b[0])
    if glob.io is not None:
        yield from (glob.io.close(vm) if glob.io.fd > 2 else glob.io.flush(vm))
    args = values((yield from _eval.listed(vm, f, n.b[1:])))
    if not args:
        args = [vm.sv(glob.name).v]
    found = yield from _opened(vm, glob, args)
    return [found] if w else found


def _opened(vm: Vm, glob: Glob, args: list[Any]) -> Gen:
    mode, _, layers = string(args[0]).strip().partition(":")
    if len(args) == 1:
        two = _TWO.fullmatch(string(args[0]))
        assert two is not None  # all of it is optional
        mode, name, piped = two.groups()
        if mode == "|" or piped:
            return (yield from _piped(vm, glob, "|-" if mode == "|" else "-|", [name]))
        mode = mode or "<"
        args = ["", name]
        layers = ""
        if name == "-":
            return (
                yield from _duplicated(
                    vm, glob, mode, vm.glob("main::STDIN" if mode == "<" else "main::STDOUT")
                )
            )
    mode = mode.strip()
    if mode in ("-|", "|-"):
        return (yield from _piped(vm, glob, mode, args[1:]))
    if "&" in mode:
        return (yield from _duplicated(vm, glob, mode, args[1] if len(args) > 1 else None))
    if mode not in _MODES:
        raise vm.die(f"Unknown open() mode '{mode}'")
    target = args[1]
    if type(target) is Ref and isinstance(target.t, Scalar):
        glob.io = in_memory(target.t, mode)
        glob.io.shown = shown_name(glob)
        return 1
    path = path_of(target)
    try:
        if mode == "<" and vm.p.fs.stat(path).is_dir:
            fd = vm.p.open(path, O_RDONLY)
        else:
            fd = vm.p.open(path, _MODES[mode], 0o666)
    except SysError as problem:
        vm.set_errno(problem)
        return 0
    if glob.name in _STANDARD:
        # A standard stream keeps its number: what is started from here on writes there, too.
        vm.p.dup2(fd, _STANDARD[glob.name])
        vm.p.close(fd)
        fd = _STANDARD[glob.name]
    made = Handle(fd, shown_name(glob), reads="<" in mode or "+" in mode, writes=">" in mode or "+" in mode)
    made.at_once = fd == 2
    made.path = path
    made.utf8 = "utf" in layers.lower()
    glob.io = made
    keep(vm, made)
    vm.set_errno(errno.ENOTTY)  # perl asks whether it is a terminal, and leaves the answer in $!
    return 1


def _duplicated(vm: Vm, glob: Glob, mode: str, target: Any) -> Gen:
    source = handle_of(vm, target)
    if source is None and string(target).isdecimal():
        number = int(string(target))
        source = next(
            (each.io for each in vm.globs.values() if each.io is not None and each.io.fd == number), None
        )
        if source is None and number in vm.p.fds:
            source = Handle(number, shown_name(glob), writes=True)
    if source is None or source.fd < 0:
        return failed(vm, errno.EBADF if string(target).isdecimal() else errno.EINVAL)
    yield from source.flush(vm)
    reads, writes = mode.startswith("<") or "+" in mode, mode.startswith(">") or "+" in mode
    wanted = _STANDARD.get(glob.name)
    if wanted is not None:
        if glob.io is not None:
            yield from glob.io.flush(vm)
        vm.p.dup2(source.fd, wanted)
        fd = wanted
    else:
        fd = 20
        while fd in vm.p.fds:
            fd += 1
        vm.p.dup2(source.fd, fd)
    glob.io = Handle(fd, shown_name(glob), reads=reads, writes=writes)
    glob.io.at_once = wanted == 2
    keep(vm, glob.io)
    return 1


_META = re.compile(r"[$&*(){}\[\]'\";\\|?<>~`\n]")


def command_words(args: list[Any]) -> list[str]:
    """The words that perl starts for a command: a shell's where one string has something for a shell in it."""
    words = [path_of(each) for each in args]
    if len(words) > 1:
        return words
    text = words[0]
    if _META.search(text) or re.match(r"\s*\w+=", text):
        return ["/bin/sh", "-c", text]
    return text.split() or ["/bin/sh", "-c", text]


def _piped(vm: Vm, glob: Glob, mode: str, args: list[Any]) -> Gen:
    yield from vm.flush_for_child()
    if len(args) == 1 and string(args[0]) == "-":
        raise Unsupported("open of a fork")
    reader, writer = vm.p.pipe()
    mine, its = (reader, writer) if mode == "-|" else (writer, reader)
    words = command_words(args)
    try:
        pid = vm.p.spawn(words, env=vm.environment(), fds={1 if mode == "-|" else 0: its})
    except SysError as problem:
        vm.p.close(mine)
        vm.p.close(its)
        return failed(vm, problem)
    vm.p.close(its)
    vm.set_errno(errno.ESPIPE)
    made = Handle(mine, shown_name(glob), reads=mode == "-|", writes=mode == "|-")
    made.pid = pid
    glob.io = made
    keep(vm, made)
    return pid


@function("eof")
def _eof(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    handle = handle_of(vm, (yield from handle_node(vm, f, n.b[0]))) if n.b else vm.last_read
    if handle is None and not n.b:
        handle = vm.glob("main::ARGV").io or vm.glob("main::STDIN").io
    value: Any = 1
    if handle is not None and not (yield from handle.at_end(vm)):
        value = ""
    return [value] if w else value


def _on_handle(name: str, how: Any) -> None:
    def run(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
        value = (yield from handle_node(vm, f, n.b[0])) if n.b else vm.glob("main::STDIN")
        handle = handle_of(vm, value)
        args = values((yield from _eval.listed(vm, f, n.b[1:])))
        if handle is None:
            vm.set_errno(errno.EBADF)
            found: Any = -1 if name == "tell" else None if name == "fileno" else ""
        else:
            found = yield from how(vm, handle, *args)
        return [found] if w else found

    FUNCTIONS[name] = run


def _close(vm: Vm, handle: Handle) -> Gen:
    return 1 if (yield from handle.close(vm)) else ""


def _binmode(vm: Vm, handle: Handle, layer: Any = "") -> Gen:
    yield from ()
    handle.utf8 = "utf" in string(layer).lower()
    return 1


def _seek(vm: Vm, handle: Handle, offset: Any, whence: Any = 0) -> Gen:
    return 1 if (yield from handle.seek(vm, whole(offset), whole(whence))) else ""


def _tell(vm: Vm, handle: Handle) -> Gen:
    return (yield from handle.tell(vm))


def _fileno(vm: Vm, handle: Handle) -> Gen:
    yield from ()
    return handle.fd if handle.fd >= 0 else None


def _getc(vm: Vm, handle: Handle) -> Gen:
    return (yield from handle.read(vm, 1)) or None


def _syswrite(vm: Vm, handle: Handle, data: Any, size: Any = None, offset: Any = 0) -> Gen:
    text = string(data)[whole(offset) :]
    text = text if size is None else text[: whole(size)]
    if handle.socket is not None:
        return (yield from handle.socket.send(vm, handle, text))
    yield from handle.flush(vm)
    before = handle.at_once
    handle.at_once = True
    done = yield from handle.put(vm, text)
    handle.at_once = before
    return len(text) if done else None


def _flock(vm: Vm, handle: Handle, how: Any = 0) -> Gen:
    yield from ()
    return 1


@function("truncate")
def _truncate(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    value = yield from handle_node(vm, f, n.b[0], False)
    size = whole((yield from _eval.ev(vm, f, n.b[1])))
    handle = handle_of(vm, value)
    if handle is not None:
        yield from handle.flush(vm)
    found: Any = 1
    try:
        vm.p.fs.truncate(path_of(value) if handle is None else handle.path, size)
    except SysError as problem:
        found = failed(vm, problem)
    return [found] if w else found


for _name, _how in {
    "close": _close, "binmode": _binmode, "seek": _seek, "sysseek": _seek, "tell": _tell, "fileno": _fileno,
    "getc": _getc, "syswrite": _syswrite, "flock": _flock,
}.items():  # fmt: skip
    _on_handle(_name, _how)


@function("read", "sysread")
def _read(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    handle = handle_of(vm, (yield from handle_node(vm, f, n.b[0])))
    place = yield from _places.scalar(vm, f, n.b[1])
    size = whole((yield from _eval.ev(vm, f, n.b[2])))
    offset = whole((yield from _eval.ev(vm, f, n.b[3]))) if len(n.b) > 3 else 0
    if handle is None:
        vm.set_errno(errno.EBADF)
        return [None] if w else None
    text = yield from (handle.sysread(vm, size) if n.a == "sysread" else handle.read(vm, size))
    vm.grow(len(text))
    before = string(place.v)
    place.set(before[:offset].ljust(offset, "\0") + text)
    return [len(text)] if w else len(text)


@function("select")
def _select(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    before = vm.selected
    if len(n.b) == 4:
        seconds = yield from _eval.ev(vm, f, n.b[3])
        ready = 0
        if seconds is not None:
            yield from pause(vm, max(0.01, float(num(seconds))))
        elif (yield from _eval.ev(vm, f, n.b[0])) is None:
            yield from pause(vm, 86_400.0)
        else:
            ready = 1
        return [ready] if w else ready
    if n.b:
        chosen = glob_of(vm, (yield from handle_node(vm, f, n.b[0])))
        if chosen is not None:
            vm.selected = chosen
    name = before.name
    value: Any = name if not name.startswith("main::$") else Ref(before)
    return [value] if w else value


@function("sysopen")
def _sysopen(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    glob = yield from new_handle(vm, f, n.b[0])
    args = values((yield from _eval.listed(vm, f, n.b[1:])))
    flags = whole(args[1]) if len(args) > 1 else 0
    known = O_RDONLY | O_WRONLY | O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_APPEND
    try:
        fd = vm.p.open(path_of(args[0]), flags & known, whole(args[2]) if len(args) > 2 else 0o666)
    except SysError as problem:
        vm.set_errno(problem)
        return [""] if w else ""
    glob.io = Handle(fd, shown_name(glob), reads=flags & 3 != O_WRONLY, writes=flags & 3 != O_RDONLY)
    keep(vm, glob.io)
    return [1] if w else 1


@function("pipe")
def _pipe(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    one, other = (yield from new_handle(vm, f, n.b[0])), (yield from new_handle(vm, f, n.b[1]))
    reader, writer = vm.p.pipe()
    one.io, other.io = (
        Handle(reader, shown_name(one)),
        Handle(writer, shown_name(other), reads=False, writes=True),
    )
    keep(vm, other.io)
    return [1] if w else 1

"""python3: an interpreter of a useful part of the language, on the machine's own files, programs and network.

`_source` parses, `_statements` and `_expressions` walk the syntax tree as generators, `_vm` drives them within the
session's budgets; `_system`, `_network`, `_library` and `_regex` are what can be imported. Nothing is ever given to the
host's interpreter. What is outside of it ends as a crash does and is counted (`urltrap gaps`).
"""

from __future__ import annotations

import errno
import posixpath
import re
from typing import Any

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.kernel.signals import SIGPIPE
from urltrap.machine.programs._paths import join
from urltrap.machine.programs.python import (
    _addresses,
    _collections,
    _iterators,
    _library,
    _moments,
    _network,
    _places,
    _regex,
    _statements,
    _subprocess,
    _system,
    _web,
)
from urltrap.machine.programs.python._builtins import table
from urltrap.machine.programs.python._files import TextFile
from urltrap.machine.programs.python._imports import load
from urltrap.machine.programs.python._modes import interactive, run_module
from urltrap.machine.programs.python._objects import EXCEPTIONS, Gen, Module, PyError, Scope, Unsupported
from urltrap.machine.programs.python._source import parse
from urltrap.machine.programs.python._system import Fork, Leave
from urltrap.machine.programs.python._text import string
from urltrap.machine.programs.python._traceback import text_of
from urltrap.machine.programs.python._vm import Frame, Vm
from urltrap.machine.programs.registry import program

_MODULES = (
    _addresses, _collections, _iterators, _library, _moments, _network, _places, _regex, _subprocess, _system, _web,
)  # fmt: skip
_MAX_CODE = 1_000_000
_CRASH = 139
_BUILT = {
    "debian-13": "Jun 25 2025, 18:55:22) [GCC 14.2.0",
    "": "Apr 28 2025, 14:11:48) [GCC 12.2.0",
}
_USAGE = (
    "usage: {0} [option] ... [-c cmd | -m mod | file | -] [arg] ...\nTry `python -h' for more information.\n"
)


@program("python3", "python", "python2", "python3.11", "python3.13")
def python(p: Process) -> Run:
    """Run a one-liner, a module, a script, standard input, or talk."""
    words = list(p.argv[1:])
    flags = {"i": False, "u": False}
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word in ("-V", "--version", "-VV"):
            yield from p.out(f"Python {p.persona.tools.python}\n")
            return 0
        if word in ("-h", "--help", "-?"):
            row = p.recorded_answer("python3", "--help")
            yield from p.out(str(row[1]) if row is not None else _USAGE.format(p.argv[0]))
            return 0
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in "cm":
                if not letters and not words:
                    yield from p.err(
                        f"Argument expected for the -{letter} option\n" + _USAGE.format(p.argv[0])
                    )
                    return 2
                given = letters or words.pop(0)
                vm = start(p, [f"-{letter}", *words], flags)
                if letter == "m":
                    return (yield from finish(vm, run_module(vm, given, words)))
                vm.path.insert(0, "")
                return (yield from finish(vm, _code(vm, given + "\n", "<string>")))
            if letter in "WX":
                letters = letters and ""
                if not letters and words and word[-1] == letter:
                    words.pop(0)
            elif letter in flags:
                flags[letter] = True
            elif letter not in "bBdEIOPqsSvx":
                yield from p.err(f"Unknown option: -{letter}\n" + _USAGE.format(p.argv[0]))
                return 2
    if words and words[0] != "-":
        return (yield from _script(p, words, flags))
    vm = start(p, words or [""], flags)
    vm.path.insert(0, "")
    if p.is_tty(0) or flags["i"]:
        return (yield from finish(vm, interactive(vm, _BUILT.get(p.persona.kind, _BUILT[""]))))
    source = decode((yield from p.read_all(0, _MAX_CODE)))
    return (yield from finish(vm, _code(vm, source, "<stdin>")))


def _script(p: Process, words: list[str], flags: dict[str, bool]) -> Run:
    name = words[0]
    try:
        if p.fs.stat(name).is_dir:
            shown = name if name.startswith("/") else join(p.cwd, name)
            yield from p.err(f"{_shown(p)}: can't find '__main__' module in '{shown}'\n")
            return 1
        fd = p.open(name)
        source = yield from p.read_all(fd, _MAX_CODE)
        p.close(fd)
    except SysError as problem:
        place = name if name.startswith("/") else join(p.cwd, name)
        yield from p.err(f"{p.argv[0]}: can't open file '{place}': [Errno {problem.errno}] {problem.words}\n")
        return 2
    vm = start(p, words, flags)
    vm.path.insert(0, posixpath.normpath(join(p.cwd, name.rpartition("/")[0])))
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = source.count(b"\n", 0, problem.start) + 1
        shown = name if name.startswith("/") else join(p.cwd, name)
        yield from p.err(
            f"SyntaxError: Non-UTF-8 code starting with '\\x{source[problem.start]:02x}' in file {shown} on line "
            f"{line}, but no encoding declared; see https://peps.python.org/pep-0263/ for details\n"
        )
        return 1
    shown = (
        name if name.startswith("/") else join(p.cwd, name.removeprefix("./") if name[:2] == "./" else name)
    )
    vm.builtins["__shown__"] = shown
    return (yield from finish(vm, _code(vm, text, shown, file=shown)))


def _shown(p: Process) -> str:
    return p.argv[0] if "/" in p.argv[0] else f"/usr/bin/{p.argv[0]}"


def start(p: Process, argv: list[str], flags: dict[str, bool]) -> Vm:
    """An interpreter with its streams and sys."""
    parts = [int(each) for each in re.findall(r"\d+", p.persona.tools.python)[:3]]
    version = (parts[0], parts[1], parts[2]) if len(parts) == 3 else (3, 11, 2)
    vm = Vm(p, version)
    p.trap_signal(SIGPIPE, "catch")
    vm.argv = argv
    library = f"/usr/lib/python{version[0]}.{version[1]}"
    zipped = f"/usr/lib/python{version[0]}{version[1]}.zip"
    local = f"/usr/local/lib/python{version[0]}.{version[1]}/dist-packages"
    vm.path = [zipped, library, f"{library}/lib-dynload", local, "/usr/lib/python3/dist-packages"]
    vm.builtins = table()
    vm.builtins["__built__"] = _BUILT.get(p.persona.kind, _BUILT[""])
    vm.stdin = TextFile(0, "<stdin>", "r", encoding="utf-8", errors="surrogateescape")
    vm.stdout = TextFile(1, "<stdout>", "w", encoding="utf-8", errors="surrogateescape")
    vm.stderr = TextFile(2, "<stderr>", "w", encoding="utf-8", errors="surrogateescape")
    vm.stderr.at_once = True
    vm.stdout.at_once = flags["u"]
    vm.stdout.by_line = p.is_tty(1)
    return vm


def _code(vm: Vm, source: str, filename: str, file: str = "") -> Gen:
    yield from load(vm, "sys")
    main = Module("__main__", {"__name__": "__main__", "__doc__": None, "__builtins__": None})
    if file:
        main.attributes["__file__"] = file
    vm.modules["__main__"] = main
    tree = parse(vm, source, filename)
    if filename in ("<string>", "<stdin>") and vm.version < (3, 13):
        vm.sources.pop(filename)
    frame = Frame(Scope(main.attributes, main.attributes), "<module>", filename)
    yield from vm.enter(frame, _statements.block(vm, frame, tree.body))


def finish(vm: Vm, body: Gen) -> Run:
    """Run a program to its end: its exit status, with what CPython says of an exception that nobody caught."""
    running = vm.drive(body)
    value: Any = None
    status = 0
    while True:
        try:
            asked = running.send(value)
        except StopIteration:
            break
        except Leave as left:
            return left.status & 0xFF
        except Unsupported:
            yield from vm.stdout.m_flush(vm)
            vm.p.unwritten()
            return _CRASH
        except PyError as problem:
            status = yield from _uncaught(vm, problem)
            break
        value = None
        if isinstance(asked, Fork):
            # The program goes on as the child: its parent has usually nothing left to do but to end.
            yield from vm.stdout.m_flush(vm)
            vm.p.fork(lambda child: _as_child(vm, running, child))
            return 0
        value = yield asked
    for function, args in reversed(vm.at_exit):
        from urltrap.machine.programs.python._calls import call

        yield from vm.drive(call(vm, function, args))
    try:
        for each in (*vm.files, vm.stdout):
            yield from each.m_flush(vm)
    except SysError as problem:
        if problem.errno != errno.EPIPE:
            raise
        shown = vm.stdout.shown()
        yield from vm.p.err(f"Exception ignored in: {shown}\nBrokenPipeError: [Errno 32] Broken pipe\n")
        return 120
    return status


def _as_child(vm: Vm, running: Gen, child: Process) -> Run:
    vm.p = child

    def rest() -> Gen:
        value: Any = 0
        while True:
            try:
                asked = running.send(value)
            except StopIteration as end:
                return end.value
            value = yield asked

    return (yield from finish(vm, rest()))


def _uncaught(vm: Vm, problem: PyError) -> Run:
    value = problem.value
    yield from vm.stdout.m_flush(vm)
    if EXCEPTIONS["SystemExit"] in value.cls.mro:
        args = value.attributes.get("args", ())
        code = value.attributes.get("code", args[0] if len(args) == 1 else (args or None))
        if code is None:
            return 0
        if isinstance(code, int):
            return code & 0xFF
        yield from vm.p.err((yield from vm.drive(string(vm, code))) + "\n")
        return 1
    yield from vm.p.err((yield from vm.drive(text_of(vm, value))))
    return 130 if EXCEPTIONS["KeyboardInterrupt"] in value.cls.mro else 1

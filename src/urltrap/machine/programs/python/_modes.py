"""python -m and the prompt."""

from __future__ import annotations

import base64
import json
from typing import Any

from urltrap.machine.api import decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs.python import _statements
from urltrap.machine.programs.python._httpserver import serve
from urltrap.machine.programs.python._imports import MODULES, load
from urltrap.machine.programs.python._objects import (
    EXCEPTIONS,
    Gen,
    Module,
    PyError,
    Scope,
    Unsupported,
)
from urltrap.machine.programs.python._source import parse
from urltrap.machine.programs.python._traceback import text_of
from urltrap.machine.programs.python._vm import Frame, Vm

_MOST = 2_000_000


def run_module(vm: Vm, name: str, words: list[str]) -> Gen:
    """``-m name``."""
    known = {
        "http.server": _serve,
        "json.tool": _json_tool,
        "base64": _base64,
    }
    p = vm.p
    does = known.get(name)
    if does is not None:
        yield from does(vm, words)
        return
    base = name.replace(".", "/")
    for folder in (p.cwd, *vm.path[1:]):
        for file in (f"{folder}/{base}.py", f"{folder}/{base}/__main__.py"):
            try:
                data = p.fs.read(file, _MOST)
            except SysError:
                continue
            if file.startswith("/usr/lib/python"):
                raise Unsupported(f"-m {name}")
            vm.argv[0] = file
            yield from load(vm, "sys")
            vm.path.insert(0, p.cwd)
            main = Module("__main__", {"__name__": "__main__", "__file__": file})
            vm.modules["__main__"] = main
            frame = Frame(Scope(main.attributes, main.attributes), "<module>", file)
            yield from vm.enter(frame, _statements.block(vm, frame, parse(vm, decode(data), file).body))
            return
        try:
            if p.fs.stat(f"{folder}/{base}").is_dir:
                shown = _executable(vm)
                yield from p.err(
                    f"{shown}: No module named {name}.__main__; '{name}' is a package and cannot be directly executed\n"
                )
                _leave(1)
        except SysError:
            continue
    top = name.partition(".")[0]
    why = ""
    if "." in name:
        problem = f"No module named '{top}'"
        if top in MODULES:
            problem = f"__path__ attribute not found on '{top}' while trying to find '{name}'"
        why = f"Error while finding module specification for '{name}' (ModuleNotFoundError: {problem})"
    yield from p.err(f"{_executable(vm)}: {why or f'No module named {name}'}\n")
    _leave(1)


def _executable(vm: Vm) -> str:
    name = vm.p.argv[0]
    return name if "/" in name else f"/usr/bin/{name}"


def _leave(status: int) -> None:
    from urltrap.machine.programs.python._objects import error

    raise error("SystemExit", status)


def _serve(vm: Vm, words: list[str]) -> Gen:
    """http.server's command line."""
    port, address, folder = "8000", "0.0.0.0", vm.p.cwd
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("-b", "--bind") and rest:
            address = rest.pop(0)
        elif word in ("-d", "--directory") and rest:
            folder = vm.p.fs.realpath(rest.pop(0))
        elif word in ("-p", "--protocol") and rest:
            rest.pop(0)
        elif word.isdecimal():
            port = word
        else:
            yield from vm.p.err(
                "usage: server.py [-h] [--cgi] [-b ADDRESS] [-d DIRECTORY] [-p VERSION] [port]\n"
                f"server.py: error: argument port: invalid int value: '{word}'\n"
            )
            _leave(2)
    yield from serve(vm, int(port[:9]), address, folder)


def _json_tool(vm: Vm, words: list[str]) -> Gen:
    options = [word for word in words if word.startswith("--")]
    files = [word for word in words if not word.startswith("-")]
    if set(options) - {
        "--sort-keys",
        "--compact",
        "--no-ensure-ascii",
        "--json-lines",
        "--tab",
        "--no-indent",
    }:
        raise Unsupported("json.tool")
    try:
        data = vm.p.fs.read(files[0], _MOST) if files else (yield from vm.p.read_all(0, _MOST))
    except SysError as problem:
        yield from vm.p.err(
            "usage: python -m json.tool [-h] [--sort-keys] [--no-ensure-ascii]\n"
            "                           [--json-lines]\n"
            "                           [--indent INDENT | --tab | --no-indent | --compact]\n"
            "                           [infile] [outfile]\n"
            f"python -m json.tool: error: argument infile: can't open '{files[0]}': [Errno {problem.errno}] "
            f"{problem.words}: '{files[0]}'\n"
        )
        _leave(2)
    texts = decode(data).splitlines() if "--json-lines" in options else [decode(data)]
    how: dict[str, Any] = {"indent": "\t" if "--tab" in options else 4}
    if "--compact" in options:
        how = {"separators": (",", ":")}
    elif "--no-indent" in options:
        how = {}
    how["sort_keys"] = "--sort-keys" in options
    how["ensure_ascii"] = "--no-ensure-ascii" not in options
    out = []
    for text in texts:
        try:
            out.append(json.dumps(json.loads(text), **how) + "\n")
        except (ValueError, RecursionError) as problem:
            yield from vm.p.err(f"{problem}\n")
            _leave(1)
    vm.steps += len(data) >> 5
    yield from vm.p.out("".join(out))


def _base64(vm: Vm, words: list[str]) -> Gen:
    decodes = any(word in ("-d", "-u") for word in words)
    files = [word for word in words if not word.startswith("-")]
    data = vm.p.fs.read(files[0], _MOST) if files else (yield from vm.p.read_all(0, _MOST))
    yield from vm.p.write(1, base64.b64decode(data) if decodes else base64.encodebytes(data))


def interactive(vm: Vm, built: str) -> Gen:
    """The prompt: statements are run as they are typed, expressions shown."""
    p = vm.p
    yield from load(vm, "sys")
    version = ".".join(map(str, vm.version))
    yield from p.err(
        f"Python {version} (main, {built}] on linux\n"
        'Type "help", "copyright", "credits" or "license" for more information.\n'
    )
    main = Module("__main__", {"__name__": "__main__", "__doc__": None})
    vm.modules["__main__"] = main
    vm.interactive = True
    say = p.out if p.is_tty(0) else p.err  # readline writes to stdout, what stands in for it to stderr
    lines: list[str] = []
    pending = b""
    while True:
        yield from vm.stdout.m_flush(vm)
        yield from say("... " if lines else ">>> ")
        while b"\n" not in pending:
            piece = yield from p.read(0, 4096)
            if not piece and not pending:
                yield from say("\n")
                return
            pending += piece or b"\n"
        raw, _, pending = pending.partition(b"\n")
        lines.append(decode(raw).rstrip("\r"))
        source = "\n".join(lines)
        if not source.strip():
            lines = []
            continue
        if _goes_on(source) and len(lines) < 500:
            continue
        lines = []
        name = "<stdin>" if vm.version < (3, 13) else "<python-input-0>"
        yield from _one(vm, main, source + "\n", name)


def _goes_on(source: str) -> bool:
    """Whether more lines are wanted: an open bracket or string, or a block that no empty line ended."""
    import ast
    import warnings

    if len(source) > 20_000 or source.count("(") + source.count("[") > 200:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except SyntaxError as problem:
        words = str(problem.msg)
        at_end = (problem.lineno or 0) >= source.count("\n") + 1
        return any(
            each in words for each in ("was never closed", "unterminated triple", "unexpected EOF")
        ) or (
            at_end
            and (
                words.startswith(("expected an indented block", "expected 'except'"))
                or source.rpartition("\n")[2].startswith("@")
            )
        )
    except (ValueError, MemoryError, RecursionError):
        return False
    if not tree.body or source.endswith("\n"):
        return False
    last = tree.body[-1]
    compound = (
        ast.FunctionDef,
        ast.ClassDef,
        ast.For,
        ast.While,
        ast.If,
        ast.With,
        ast.Try,
        ast.AsyncFunctionDef,
    )
    return isinstance(last, compound)


def _one(vm: Vm, main: Module, source: str, name: str) -> Gen:
    try:
        tree = parse(vm, source, name)
        if vm.version < (3, 13):
            vm.sources.pop(name, None)
        frame = Frame(Scope(main.attributes, main.attributes), "<module>", name)
        yield from vm.enter(frame, _statements.block(vm, frame, tree.body))
    except PyError as problem:
        vm.frames.clear()
        if EXCEPTIONS["SystemExit"] in problem.value.cls.mro:
            raise
        yield from vm.stdout.m_flush(vm)
        yield from vm.p.write(2, encode((yield from text_of(vm, problem.value))))

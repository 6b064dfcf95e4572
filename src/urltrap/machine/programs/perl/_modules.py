"""Modules: which are ours, which the machine has as files, what use and require do with each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from urltrap.machine.errors import SysError
from urltrap.machine.programs.perl import _calls, _eval
from urltrap.machine.programs.perl._compile import compile_program, read_file
from urltrap.machine.programs.perl._functions import function
from urltrap.machine.programs.perl._lexing import Refused
from urltrap.machine.programs.perl._names import words
from urltrap.machine.programs.perl._values import (
    Array,
    Code,
    Gen,
    Hash,
    Node,
    PerlDie,
    Return,
    Scalar,
    Unsupported,
    string,
)
from urltrap.machine.programs.perl._vm import Frame, Vm

Native = Callable[[Vm, list[Any], Any], Any]


@dataclass
class Module:
    """One of ours: what it exports by itself and when asked, its subs, what it needs."""

    name: str
    default: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    subs: dict[str, Native] = field(default_factory=dict)
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    start: Callable[[Vm], None] | None = None
    exports: str = ""
    core: bool = True


LOADED: dict[str, Module] = {}
_PRAGMAS = words(
    "strict warnings utf8 vars feature bytes locale diagnostics subs sort less re mro overloading if filetest "
    "experimental version Exporter AutoLoader Symbol SelectSaver IO UNIVERSAL"
)
_SHARED_OBJECTS = words(
    "Socket MIME::Base64 List::Util Scalar::Util Cwd Digest::MD5 Digest::SHA Fcntl Sys::Hostname"
)
_LIBRARIES = ("/usr/lib/", "/usr/share/", "/etc/perl")


def module(
    name: str, default: str = "", allowed: str = "", **given: Any
) -> Callable[[Callable[[], dict[str, Native]]], None]:
    """Register a module of ours; the function below gives its subs."""

    def register(subs: Callable[[], dict[str, Native]]) -> None:
        LOADED[name] = Module(name, tuple(default.split()), tuple(allowed.split()), subs(), **given)

    return register


def constants(vm: Vm, package: str, values: dict[str, Any]) -> None:
    """Subs without arguments that answer a constant."""
    for name, value in values.items():
        made = vm.subs.setdefault(f"{package}::{name}", Code(name, package, native=_constant(value)))
        made.prototype = ""


def _constant(value: Any) -> Native:
    return lambda vm, args, want: value


def file_of(name: str) -> str:
    """Foo::Bar as Foo/Bar.pm."""
    return name.replace("::", "/") + ".pm"


def find_file(vm: Vm, name: str) -> str | None:
    """Where in @INC a file is."""
    for each in vm.av("main::INC").a:
        path = f"{string(each.v)}/{name}" if not name.startswith(("/", "./", "../")) else name
        try:
            if vm.p.fs.stat(path).is_file:
                return path
        except SysError:
            continue
    return None


def missing(vm: Vm, file: str) -> str:
    """What perl says of a module that is nowhere."""
    folders = " ".join(string(each.v) for each in vm.av("main::INC").a)
    hint = ""
    if file.endswith(".pm"):
        hint = f" (you may need to install the {file[:-3].replace('/', '::')} module)"
    label = "@INC entries checked" if vm.version >= (5, 38, 0) else "@INC contains"
    return f"Can't locate {file} in @INC{hint} ({label}: {folders})"


def install(vm: Vm, name: str) -> None:
    """Make the subs of one of our modules known."""
    found = LOADED[name]
    done = vm.state.setdefault((-1, 0), set())
    if f"{name}::" in done:
        return
    done.add(f"{name}::")
    vm.hv("main::INC").h[file_of(name)] = Scalar(
        find_file(vm, file_of(name)) or f"/usr/share/perl/5.36/{file_of(name)}"
    )
    for each, native in found.subs.items():
        vm.subs.setdefault(f"{name}::{each}", Code(each, name, native=native))
    if found.parents:
        vm.arrays[f"{name}::ISA"] = Array([Scalar(each) for each in found.parents])
    if found.start is not None:
        found.start(vm)
    for each in found.needs:
        install(vm, each)


def load(vm: Vm, name: str, line: int, file: str, missing_ok: bool = False) -> Any:
    """use NAME: Refused where it is nowhere, a node that runs it where it is a file of the attacker's."""
    if name in _PRAGMAS:
        return None
    ours = LOADED.get(name)
    path = file_of(name)
    if ours is not None and (ours.core or find_file(vm, path)):
        install(vm, name)
        # Looking for a shared object along @INC leaves this behind, and die's status comes from it.
        vm.errno, vm.errno_words = (2 if name in _SHARED_OBJECTS else 0), ""
        return None
    found = find_file(vm, path)
    if found is None:
        if missing_ok:
            return None
        vm.errno, vm.errno_words = 2, ""
        place = f" at {file} line {line}" if line else ""  # line 0 is -M's
        raise Refused(f"{missing(vm, path)}{place}.\nBEGIN failed--compilation aborted{place}.\n")
    if found.startswith(_LIBRARIES):
        raise Unsupported(f"use {name}")
    text = read_file(vm, found) or ""
    for each in re.findall(r"^\s*sub\s+(\w+)", text, re.MULTILINE):
        vm.compiling.subs.add(f"{name}::{each}")
    return Node("usefile", line, found, path, (name, vm.compiling.package))


def import_into(vm: Vm, name: str, package: str, wanted: list[str] | None) -> list[str]:
    """Give a package the subs that it asked of a module; their full names there."""
    ours = LOADED.get(name)
    if ours is None:
        return []
    if ours.exports:
        name, ours = ours.exports, LOADED[ours.exports]
    names: list[str] = []
    for each in ours.default if wanted is None else wanted:
        if each.startswith(":"):
            names += ours.tags.get(each[1:], (*ours.default, *ours.allowed))
        else:
            names.append(each.lstrip("&"))
    found: list[str] = []
    for each in names:
        if each[:1] in "$@%":
            _share(vm, name, package, each)
            continue
        code = vm.subs.get(f"{name}::{each}")
        if code is None:
            if wanted is not None and re.fullmatch(r"\w+", each) and not each[0].isdigit():
                raise Unsupported(f"{name} {each}")
            continue
        vm.subs[f"{package}::{each}"] = code
        found.append(f"{package}::{each}")
    return found


def variables(name: str, wanted: list[str] | None) -> list[str]:
    """The variables among what a module gives."""
    ours = LOADED.get(name)
    if ours is None:
        return []
    return [each for each in (ours.default if wanted is None else wanted) if each[:1] in "$@%"]


def _share(vm: Vm, name: str, package: str, variable: str) -> None:
    bare = variable[1:]
    tables: dict[str, Any] = {"$": vm.scalars, "@": vm.arrays, "%": vm.hashes}
    source = {"$": vm.sv, "@": vm.av, "%": vm.hv}[variable[0]](f"{name}::{bare}")
    tables[variable[0]][f"{package}::{bare}"] = source


def run_file(vm: Vm, f: Frame, path: str, want: Any) -> Gen:
    """Run a file as a program of its own."""
    text = read_file(vm, path)
    if text is None:
        return None
    name, line, package, compiling = vm.name, vm.line, vm.package, vm.compiling
    vm.name = path
    try:
        tree, sub, _ = compile_program(vm, text, path)
        vm.compiling.subs |= compiling.subs
        vm.package = "main"
        frame = Frame(sub.size, Array(), want, None, "main", line)
        vm.frames.append(frame)
        try:
            yield from _calls.begin(vm, frame, sub)
            from urltrap.machine.programs.perl._statements import value_block

            return (yield from value_block(vm, frame, tree, want))
        except Return as left:
            return left.value
        finally:
            vm.frames.remove(frame)
    except Refused as problem:
        raise PerlDie(str(problem)) from None
    finally:
        compiling.subs |= vm.compiling.subs
        vm.name, vm.line, vm.package, vm.compiling = name, line, package, compiling


def _use_file(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    if n.b not in vm.hv("main::INC").h:
        vm.hv("main::INC").h[n.b] = Scalar(n.a)
        yield from run_file(vm, f, n.a, False)
    name, package = n.c
    exports = [string(each.v) for each in vm.av(f"{name}::EXPORT").a + vm.av(f"{name}::EXPORT_OK").a]
    for each in exports:
        code = vm.subs.get(f"{name}::{each.lstrip('&')}")
        if code is not None:
            vm.subs.setdefault(f"{package}::{each.lstrip('&')}", code)
    return [1] if w else 1


@function("require")
def _require(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    value = (yield from _eval.ev(vm, f, n.b[0])) if n.b else vm.sv("main::_").v
    if isinstance(value, (int, float)) or (isinstance(value, str) and value.startswith("\x05")):
        return [1] if w else 1
    file = string(value)
    if file in vm.hv("main::INC").h:
        return [1] if w else 1
    name = file.removesuffix(".pm").replace("/", "::")
    ours = LOADED.get(name)
    if name in _PRAGMAS or (ours is not None and (ours.core or find_file(vm, file))):
        if ours is not None:
            install(vm, name)
        return [1] if w else 1
    found = find_file(vm, file)
    if found is None:
        vm.errno, vm.errno_words = 2, ""
        raise vm.die(missing(vm, file))
    if found.startswith(_LIBRARIES):
        raise Unsupported(f"require {name}")
    vm.hv("main::INC").h[file] = Scalar(found)
    value = yield from run_file(vm, f, found, False)
    if not value:
        raise vm.die(f"{file} did not return a true value")
    return [value] if w else value


@function("dofile")
def _do_file(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    file = string((yield from _eval.ev(vm, f, n.b[0])))
    found = find_file(vm, file) if not file.startswith(("/", "./")) else file
    value = (yield from run_file(vm, f, found, False)) if found is not None else None
    return [value] if w else value


def _constants(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    from urltrap.machine.programs.perl._compile import constant_sub

    if n.c:
        table: Hash = (yield from _eval.ev(vm, f, n.b)).t
        for name, each in table.h.items():
            vm.subs[f"{n.a}::{name}"] = constant_sub(n.a, name, [each.v])
    else:
        items = yield from _eval.ev(vm, f, n.b, True)
        plain = [each.v if isinstance(each, Scalar) else each for each in items]
        name = string(plain[0])
        vm.subs[f"{n.a}::{name}"] = constant_sub(n.a, name, plain[1:])
    return [] if w else None


_eval.extend({"usefile": _use_file, "constants": _constants})

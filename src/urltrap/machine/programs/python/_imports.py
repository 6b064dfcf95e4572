"""import: our own modules, the program's files, and what the image has but nobody wrote."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from urltrap.machine.errors import SysError
from urltrap.machine.programs.python import _calls, _expressions, _statements
from urltrap.machine.programs.python._access import missing_attribute
from urltrap.machine.programs.python._objects import MISSING, Builtin, Gen, Module, Scope, Unsupported, error
from urltrap.machine.programs.python._vm import Frame, Vm

Maker = Callable[[Vm], dict[str, Any]]
MODULES: dict[str, Maker] = {}
"""What makes the names of a module, by its full name."""
_COMPILED = frozenset({
    "array", "atexit", "audioop", "cmath", "errno", "faulthandler", "fcntl", "gc", "grp", "marshal", "math", "mmap",
    "posix", "pwd", "resource", "select", "spwd", "syslog", "termios", "time", "unicodedata", "zlib", "_socket",
    "_ctypes", "_thread", "_io", "_ssl", "binascii", "itertools", "nt", "ssl",
})  # fmt: skip


_BRINGS = {
    "urllib.request": ("urllib.error", "urllib.parse"),
    "urllib.error": ("urllib.parse",),
    "os": ("os.path",),
}
"""Modules that are there once another one was imported."""


def module(name: str) -> Callable[[Maker], Maker]:
    """Register the maker of a module."""

    def register(maker: Maker) -> Maker:
        MODULES[name] = maker
        return maker

    return register


def functions(name: str, **calls: Callable[..., Any]) -> dict[str, Any]:
    """Functions of ours as a module's attributes; a trailing underscore keeps a name from Python's own."""
    return {key.rstrip("_"): Builtin(key.rstrip("_"), call, "python") for key, call in calls.items()}


def lent(**calls: Callable[..., Any]) -> dict[str, Any]:
    """Functions of the host's that only compute."""

    def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(vm: Vm, *args: Any, **given: Any) -> Gen:
            values = []
            for each in args:
                values.append((yield from _calls.plain(vm, each)))
            return call(*values, **given)

        return run

    return {key.rstrip("_"): Builtin(key.rstrip("_"), wrap(call)) for key, call in calls.items()}


def load(vm: Vm, name: str) -> Gen:
    """Import a module by its full name; each of its packages is an attribute of the one before."""
    parent: Any = None
    made: Any = None
    parts = name.split(".")
    for at in range(1, len(parts) + 1):
        full = ".".join(parts[:at])
        made = vm.modules.get(full)
        if made is None:
            made = yield from _make(vm, full, parent)
        if parent is not None:
            parent.attributes.setdefault(parts[at - 1], made)
        parent = made
        for other in _BRINGS.get(full, ()):
            if other not in vm.modules:
                yield from load(vm, other)
    return made


def _make(vm: Vm, full: str, parent: Any) -> Gen:
    vm.steps += 60
    maker = MODULES.get(full)
    library = f"/usr/lib/python{vm.version[0]}.{vm.version[1]}"
    path = f"{library}/{full.replace('.', '/')}"
    if maker is not None and not _own_file(vm, full):
        made = Module(full, {"__name__": full})
        vm.modules[full] = made
        made.attributes.update(maker(vm))
        if full not in _COMPILED and full != "sys":
            made.file = f"{path}.py" if _there(vm, f"{path}.py") else f"{path}/__init__.py"
            made.attributes["__file__"] = made.file
        return made
    if parent is not None and full.rpartition(".")[2] in parent.attributes:
        return parent.attributes[full.rpartition(".")[2]]
    for folder in vm.path:
        base = f"{folder or '.'}/{full.replace('.', '/')}"
        for file in (f"{base}.py", f"{base}/__init__.py"):
            if _there(vm, file):
                if folder.startswith("/usr/lib/python"):
                    raise Unsupported(f"module {full}")
                return (yield from _from_file(vm, full, file))
    top = full.partition(".")[0]
    if top in _COMPILED or (_there(vm, f"{library}/lib-dynload") and _compiled(vm, library, full)):
        raise Unsupported(f"module {full}")
    if parent is not None and not hasattr(parent, "package") and top != full:
        what = full.rpartition(".")[0]
        if what in MODULES and not _there(vm, f"{library}/{what.replace('.', '/')}/__init__.py"):
            raise error(
                "ModuleNotFoundError", f"No module named '{full}'; '{what}' is not a package", name=full
            )
    raise error("ModuleNotFoundError", f"No module named '{full}'")


def _own_file(vm: Vm, full: str) -> bool:
    """A file beside the script hides a module of the library."""
    return (
        "." not in full
        and full not in ("sys", "time", "math")
        and bool(vm.path)
        and (_there(vm, f"{vm.path[0] or '.'}/{full}.py"))
    )


def _there(vm: Vm, path: str) -> bool:
    try:
        vm.p.fs.stat(path)
    except SysError:
        return False
    return True


def _compiled(vm: Vm, library: str, name: str) -> bool:
    try:
        names = vm.p.fs.listdir(f"{library}/lib-dynload")
    except SysError:
        return False
    return any(each.startswith(f"{name}.") for each in names)


def _from_file(vm: Vm, full: str, path: str) -> Gen:
    from urltrap.machine.programs.python._source import parse

    source = vm.p.fs.read(path, 1_000_000)
    shown = path if path.startswith("/") else f"{vm.p.cwd.rstrip('/')}/{path.removeprefix('./')}"
    tree = parse(vm, source, shown)
    made = Module(full, {"__name__": full, "__file__": shown}, shown)
    vm.modules[full] = made
    frame = Frame(Scope(made.attributes, made.attributes), "<module>", shown)
    try:
        yield from vm.enter(frame, _statements.block(vm, frame, tree.body))
    except BaseException:
        vm.modules.pop(full, None)
        raise
    return made


def member(vm: Vm, made: Module, name: str) -> Gen:
    """What ``from module import name`` gives."""
    found = made.attributes.get(name, MISSING)
    if found is not MISSING:
        return found
    full = f"{made.name}.{name}"
    if full in MODULES or full in vm.modules:
        return (yield from load(vm, full))
    missing_attribute(made, name)
    shown = made.file or "unknown location"
    raise error("ImportError", f"cannot import name '{name}' from '{made.name}' ({shown})", name=made.name)


def import_names(vm: Vm, f: Frame, node: ast.Import) -> Gen:
    """import …"""
    for alias in node.names:
        f.node = node
        module = yield from load(vm, alias.name)
        if alias.asname:
            _expressions.store(f, alias.asname, module)
        else:
            top = alias.name.partition(".")[0]
            _expressions.store(f, top, vm.modules.get(top, module))


def import_from(vm: Vm, f: Frame, node: ast.ImportFrom) -> Gen:
    """from … import."""
    f.node = node
    if node.level:
        raise error("ImportError", "attempted relative import with no known parent package")
    if node.module == "__future__":
        return
    module = yield from load(vm, node.module or "")
    for alias in node.names:
        f.node = node
        if alias.name == "*":
            for name, value in list(module.attributes.items()):
                if not name.startswith("_"):
                    _expressions.store(f, name, value)
            continue
        _expressions.store(f, alias.asname or alias.name, (yield from member(vm, module, alias.name)))

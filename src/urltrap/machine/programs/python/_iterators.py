# ruff: noqa: E501 - tables of names read best with several on a line
"""itertools, functools, io, threading, traceback, signal, codecs, operator and small others."""

from __future__ import annotations

import ast
import base64
import binascii
import html
import string
import textwrap
from collections.abc import Callable
from typing import Any

from urltrap.machine.programs.python import _calls, _expressions
from urltrap.machine.programs.python._files import BYTES_IO, STRING_IO, memory
from urltrap.machine.programs.python._imports import functions, lent, module
from urltrap.machine.programs.python._objects import (
    CLASSES,
    MISSING,
    OBJECT,
    Bound,
    Builtin,
    Class,
    Function,
    Gen,
    Instance,
    Yielded,
    error,
)
from urltrap.machine.programs.python._vm import LARGEST, Vm


@module("itertools")
def _itertools(vm: Vm) -> dict[str, Any]:
    def lazy(name: str, body: Callable[..., Gen]) -> Any:
        return lambda vm, *args, **given: _calls.lazily(body(vm, *args, **given), name)

    def count(vm: Vm, start: Any = 0, step: Any = 1) -> Gen:
        while True:
            yield Yielded(start)
            start += step

    def chain(vm: Vm, *iterables: Any) -> Gen:
        for each in iterables:
            it = yield from _calls.iterate(vm, each)
            while (value := (yield from _calls.following(vm, it))) is not MISSING:
                yield Yielded(value)

    def cycle(vm: Vm, iterable: Any) -> Gen:
        values = yield from _calls.listed(vm, iterable)
        while values:
            for each in values:
                vm.steps += 1
                yield Yielded(each)

    def repeat(vm: Vm, value: Any, times: Any = None) -> Gen:
        while times is None or times > 0:
            yield Yielded(value)
            times = None if times is None else times - 1

    def islice(vm: Vm, iterable: Any, *bounds: Any) -> Gen:
        start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1)[:3]
        it = yield from _calls.iterate(vm, iterable)
        at = 0
        while (stop is None or at < stop) and (value := (yield from _calls.following(vm, it))) is not MISSING:
            if at >= (start or 0) and not (at - (start or 0)) % (step or 1):
                yield Yielded(value)
            at += 1

    def product(vm: Vm, *iterables: Any, repeat: int = 1) -> Gen:
        pools = []
        for each in iterables:
            pools.append((yield from _calls.listed(vm, each)))
        if len(pools) * repeat > LARGEST >> 3:
            raise error("MemoryError")
        pools *= repeat
        at = [0] * len(pools)
        while all(pools):
            vm.steps += len(pools)
            yield Yielded(tuple(pool[place] for pool, place in zip(pools, at, strict=True)))
            for number in reversed(range(len(pools))):
                at[number] += 1
                if at[number] < len(pools[number]):
                    break
                at[number] = 0
            else:
                return

    def picks(name: str) -> Callable[..., Gen]:
        def body(vm: Vm, iterable: Any, r: Any = None) -> Gen:
            import itertools

            pool = yield from _calls.listed(vm, iterable)
            for each in getattr(itertools, name)(pool, len(pool) if r is None else r):
                vm.steps += 2
                yield Yielded(each)

        return body

    return functions(
        "itertools", count=lazy("count", count), chain=lazy("chain", chain), cycle=lazy("cycle", cycle),
        repeat=lazy("repeat", repeat), islice=lazy("islice", islice), product=lazy("product", product),
        permutations=lazy("permutations", picks("permutations")),
        combinations=lazy("combinations", picks("combinations")),
    )  # fmt: skip


@module("functools")
def _functools(vm: Vm) -> dict[str, Any]:
    def reduce(vm: Vm, function: Any, iterable: Any, start: Any = MISSING) -> Gen:
        values = yield from _calls.listed(vm, iterable)
        if start is MISSING:
            if not values:
                raise error("TypeError", "reduce() of empty iterable with no initial value")
            start = values.pop(0)
        for each in values:
            start = yield from _calls.call(vm, function, (start, each))
        return start

    def partial(vm: Vm, function: Any, *args: Any, **given: Any) -> Builtin:
        return Builtin(
            "partial",
            lambda vm, *more, **other: _calls.call(vm, function, (*args, *more), {**given, **other}),
        )

    def wraps(vm: Vm, wrapped: Any, **given: Any) -> Builtin:
        def mark(vm: Vm, made: Any) -> Any:
            if isinstance(made, Function) and isinstance(wrapped, Function):
                made.attributes["__name__"] = wrapped.name
            return made

        return Builtin("wraps", mark)

    def cached(vm: Vm, function: Any = None, maxsize: Any = None, **given: Any) -> Builtin:
        if not isinstance(function, (Function, Bound)):
            return Builtin("lru_cache", lambda vm, inner: cached(vm, inner))
        kept: dict[Any, Any] = {}

        def call(vm: Vm, *args: Any, **given: Any) -> Gen:
            key = (args, tuple(sorted(given.items())))
            if key not in kept:
                kept[key] = yield from _calls.call(vm, function, args, given)
                vm.grown += 100
            return kept[key]

        return Builtin(function.name if isinstance(function, Function) else "cached", call)

    return functions("functools", reduce=reduce, partial=partial, wraps=wraps, lru_cache=cached, cache=cached)


@module("io")
def _io(vm: Vm) -> dict[str, Any]:
    return functions("io", StringIO=lambda vm, *args: memory(vm, STRING_IO, *args), BytesIO=lambda vm, *args: memory(vm, BYTES_IO, *args),
                     open=vm.builtins["open"].call)  # fmt: skip


@module("threading")
def _threading(vm: Vm) -> dict[str, Any]:
    def start(vm: Vm, self: Instance) -> Gen:
        run = self.cls.find("run")
        yield from _calls.call(vm, run, (self,))

    def run(vm: Vm, self: Instance) -> Gen:
        target = self.attributes.get("_target")
        if target is not None:
            yield from _calls.call(
                vm, target, self.attributes.get("_args", ()), self.attributes.get("_kwargs") or {}
            )

    def init(vm: Vm, self: Instance, group: Any = None, target: Any = None, name: Any = None, args: Any = (),
             kwargs: Any = None, daemon: Any = None) -> None:  # fmt: skip
        self.attributes.update(
            _target=target, _args=args, _kwargs=kwargs, name=name or "Thread-1", daemon=bool(daemon)
        )

    nothing = Builtin("nothing", lambda vm, self, *args, **given: None)
    thread = Class("Thread", (OBJECT,), {
        "__init__": Builtin("__init__", init), "start": Builtin("start", start), "run": Builtin("run", run),
        "join": nothing, "setDaemon": nothing, "is_alive": Builtin("is_alive", lambda vm, self: False),
    }, module="threading")  # fmt: skip
    lock = {name: Builtin(name, lambda vm, self, *args: True) for name in ("acquire", "release", "__enter__")}
    lock["__exit__"] = nothing
    return {
        "Thread": thread, "Lock": Class("Lock", (OBJECT,), lock, module="threading"),
        "RLock": Class("RLock", (OBJECT,), lock, module="threading"),
        **functions("threading", active_count=lambda vm: 1),
    }  # fmt: skip


@module("traceback")
def _traceback(vm: Vm) -> dict[str, Any]:
    from urltrap.machine.programs.python._traceback import text_of

    def shown(vm: Vm) -> Gen:
        handled = vm.handled
        return "NoneType: None\n" if handled is None else (yield from text_of(vm, handled.value))

    def printed(vm: Vm, *args: Any, **given: Any) -> Gen:
        yield from vm.stderr.put(vm, (yield from shown(vm)))

    return functions("traceback", print_exc=printed, format_exc=shown)


@module("signal")
def _signal(vm: Vm) -> dict[str, Any]:
    numbers = {
        "SIGINT": 2,
        "SIGTERM": 15,
        "SIGHUP": 1,
        "SIGKILL": 9,
        "SIGPIPE": 13,
        "SIGCHLD": 17,
        "SIGALRM": 14,
    }

    def handle(vm: Vm, number: int, action: Any) -> Any:
        vm.p.trap_signal(number, "ignore" if action == 1 else None)
        return 0

    return {
        **numbers,
        "SIG_IGN": 1,
        "SIG_DFL": 0,
        **functions("signal", signal=handle, alarm=lambda vm, seconds: 0),
    }


@module("codecs")
def _codecs(vm: Vm) -> dict[str, Any]:
    def coded(decodes: bool) -> Callable[..., Any]:
        def run(vm: Vm, data: Any, encoding: str = "utf-8", errors: str = "strict") -> Any:
            name = encoding.lower().replace("-", "_")
            if name in ("rot13", "rot_13"):
                table = str.maketrans(string.ascii_letters, string.ascii_lowercase[13:] + string.ascii_lowercase[:13]
                                      + string.ascii_uppercase[13:] + string.ascii_uppercase[:13])  # fmt: skip
                return data.translate(table)
            if name in ("hex", "hex_codec"):
                raw = data.encode() if isinstance(data, str) else data
                return binascii.unhexlify(raw) if decodes else binascii.hexlify(raw)
            if name in ("base64", "base64_codec"):
                return base64.decodebytes(data) if decodes else base64.encodebytes(data)
            from urltrap.machine.programs.python._native import check_codec

            check_codec(encoding)
            return data.decode(encoding, errors) if decodes else data.encode(encoding, errors)

        return run

    return functions("codecs", encode=coded(False), decode=coded(True), open=vm.builtins["open"].call)


@module("operator")
def _operator(vm: Vm) -> dict[str, Any]:
    from urltrap.machine.programs.python import _access

    def items(vm: Vm, *keys: Any) -> Builtin:
        def get(vm: Vm, value: Any) -> Gen:
            found = []
            for key in keys:
                found.append((yield from _access.item(vm, value, key)))
            return found[0] if len(found) == 1 else tuple(found)

        return Builtin("itemgetter", get)

    def infix(does: Callable[..., Gen], kind: type) -> Callable[..., Gen]:
        return lambda vm, left, right: does(vm, kind, left, right)

    # The operators themselves, not the host's functions: sizes are looked at, and __add__ and kin of classes are called.
    return functions(
        "operator",
        itemgetter=items,
        **{name: infix(_expressions.binary, kind) for name, kind in _BINARY.items()},
        **{name: infix(_expressions.compare, kind) for name, kind in _COMPARED.items()},
    )


_BINARY = {
    "add": ast.Add, "sub": ast.Sub, "mul": ast.Mult, "truediv": ast.Div, "floordiv": ast.FloorDiv, "mod": ast.Mod,
    "pow": ast.Pow, "xor": ast.BitXor, "and_": ast.BitAnd, "or_": ast.BitOr,
}  # fmt: skip
_COMPARED = {"eq": ast.Eq, "ne": ast.NotEq, "lt": ast.Lt, "le": ast.LtE, "gt": ast.Gt, "ge": ast.GtE}


@module("html")
def _html(vm: Vm) -> dict[str, Any]:
    return lent(escape=html.escape, unescape=html.unescape)


@module("textwrap")
def _textwrap(vm: Vm) -> dict[str, Any]:
    def indent(vm: Vm, text: str, prefix: str) -> str:
        if len(text) + (text.count("\n") + 1) * len(prefix) > LARGEST:
            raise error("MemoryError")
        return textwrap.indent(text, prefix)

    return {**lent(dedent=textwrap.dedent), **functions("textwrap", indent=indent)}


@module("errno")
def _errno(vm: Vm) -> dict[str, Any]:
    import errno

    return {name: number for number, name in errno.errorcode.items()}


@module("atexit")
def _atexit(vm: Vm) -> dict[str, Any]:
    def register(vm: Vm, function: Any, *args: Any) -> Any:
        vm.at_exit.append((function, args))
        return function

    return functions("atexit", register=register)


@module("warnings")
def _warnings(vm: Vm) -> dict[str, Any]:
    return functions("warnings", filterwarnings=lambda vm, *args, **given: None,
                     simplefilter=lambda vm, *args, **given: None)  # fmt: skip


@module("typing")
def _typing(vm: Vm) -> dict[str, Any]:
    return dict.fromkeys(
        ("List", "Dict", "Tuple", "Set", "Optional", "Union", "Callable", "Iterable"), CLASSES[list]
    ) | {"Any": OBJECT}


@module("__future__")
def _future(vm: Vm) -> dict[str, Any]:
    return {}

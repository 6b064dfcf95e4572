# ruff: noqa: E501 - tables of names read best with several on a line
"""time, datetime, random, secrets: on the machine's clock and chance."""

from __future__ import annotations

import datetime
import re as host_re
from collections.abc import Callable
from typing import Any

from urltrap.machine.programs._zone import local
from urltrap.machine.programs.python import _calls
from urltrap.machine.programs.python._imports import functions, module
from urltrap.machine.programs.python._objects import (
    Builtin,
    Class,
    Gen,
    Unsupported,
    class_of,
    error,
    lend,
)
from urltrap.machine.programs.python._vm import LARGEST, Vm

_EPOCH = datetime.datetime(1970, 1, 1)


@module("time")
def _time(vm: Vm) -> dict[str, Any]:
    from urltrap.machine.programs.python._records import Record

    def sleep(vm: Vm, seconds: Any) -> Gen:
        if not isinstance(seconds, (int, float)):
            raise error("TypeError", f"'{class_of(seconds).name}' object cannot be interpreted as an integer")
        if seconds < 0:
            raise error("ValueError", "sleep length must be non-negative")
        if vm.stdout.by_line:
            yield from vm.stdout.m_flush(vm)
        yield from vm.p.sleep(float(seconds))

    def parts(clock: datetime.datetime, name: str = "struct_time") -> Record:
        kept = clock.timetuple()
        names = (
            "tm_year",
            "tm_mon",
            "tm_mday",
            "tm_hour",
            "tm_min",
            "tm_sec",
            "tm_wday",
            "tm_yday",
            "tm_isdst",
        )
        made = Record("struct_time", "time", dict(zip(names, (*kept[:8], 0), strict=True)))
        made.clock = clock  # type: ignore[attr-defined]
        return made

    def second(vm: Vm, when: Any) -> float:
        if when is not None and not isinstance(when, (int, float)):
            raise error("TypeError", f"'{class_of(when).name}' object cannot be interpreted as an integer")
        return vm.p.now() if when is None else float(when)

    def here(vm: Vm, when: Any = None) -> datetime.datetime:
        return local(vm.p, second(vm, when)).clock

    def utc(vm: Vm, when: Any = None) -> datetime.datetime:
        moment = second(vm, when)
        return _EPOCH + datetime.timedelta(seconds=moment)

    def strftime(vm: Vm, template: Any, given: Any = None) -> str:
        if not isinstance(template, str):
            raise error("TypeError", f"strftime() argument 1 must be str, not {class_of(template).name}")
        if host_re.search(r"%[^a-zA-Z%]", template) or "%Z" in template or "%z" in template:
            raise Unsupported("time.strftime")
        return (here(vm) if given is None else given.clock).strftime(template)

    def ctime(vm: Vm, when: Any = None) -> str:
        clock = here(vm, when)
        return f"{clock:%a %b} {clock.day:2d} {clock:%H:%M:%S %Y}"

    return {
        "timezone": -local(vm.p, vm.p.now()).offset,
        **functions(
            "time", sleep=sleep, time=lambda vm: vm.p.now(), strftime=strftime, ctime=ctime,
            monotonic=lambda vm: vm.p.now() - vm.p.boot_time, perf_counter=lambda vm: vm.p.now() - vm.p.boot_time,
            localtime=lambda vm, when=None: parts(here(vm, when)), gmtime=lambda vm, when=None: parts(utc(vm, when)),
            asctime=lambda vm, given=None: ctime(vm), process_time=lambda vm: 0.02, time_ns=lambda vm: int(vm.p.now() * 1e9),
            clock=lambda vm: 0.02,
        ),
    }  # fmt: skip


def _kind(host: Any, **calls: Callable[..., Any]) -> Class:
    """A class of datetime, made as the host's is."""
    made = lend(host, "datetime")

    def new(vm: Vm, cls: Any, *args: Any, **given: Any) -> Any:
        if cls is not made:
            raise Unsupported(f"a class derived from {made.name}")
        return host(*args, **given)

    made.attributes.update(
        {"__new__": Builtin(made.name, new)} | {name: Builtin(name, call) for name, call in calls.items()}
    )
    return made


def _now(vm: Vm, zone: Any = None) -> datetime.datetime:
    if zone is not None:
        return datetime.datetime.fromtimestamp(vm.p.now(), zone)
    return local(vm.p, vm.p.now()).clock


def _at(vm: Vm, when: Any, zone: Any = None) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(when, zone) if zone is not None else local(vm.p, when).clock


_MOMENT = _kind(
    datetime.datetime, now=_now, today=_now, utcnow=lambda vm: _EPOCH + datetime.timedelta(seconds=vm.p.now()),
    fromtimestamp=_at, strptime=lambda vm, text, form: datetime.datetime.strptime(text, form),
    fromisoformat=lambda vm, text: datetime.datetime.fromisoformat(text),
)  # fmt: skip
_DAY = _kind(
    datetime.date,
    today=lambda vm: _now(vm).date(),
    fromisoformat=lambda vm, text: datetime.date.fromisoformat(text),
)
_MOMENT.bases, _MOMENT.mro = (_DAY,), (_MOMENT, *_DAY.mro)
_SPAN, _TIME, _ZONE = _kind(datetime.timedelta), _kind(datetime.time), _kind(datetime.timezone)
_ZONE.attributes["utc"] = datetime.UTC


@module("datetime")
def _datetime(vm: Vm) -> dict[str, Any]:
    return {**{each.name: each for each in (_MOMENT, _DAY, _SPAN, _TIME, _ZONE)}, "UTC": datetime.UTC}


def _bits(vm: Vm, count: int) -> int:
    if count < 0:
        raise error("ValueError", "number of bits must be non-negative")
    vm.grow(count >> 3)
    return int.from_bytes(vm.p.random_bytes((count + 7) >> 3), "big") >> -count % 8


@module("random")
def _random(vm: Vm) -> dict[str, Any]:
    def unit(vm: Vm) -> float:
        return vm.p.random(1 << 53) / (1 << 53)

    def below(vm: Vm, start: int, stop: Any = None, step: int = 1) -> int:
        values = range(start) if stop is None else range(start, stop, step)
        if not values:
            raise error("ValueError", f"empty range for randrange() ({start}, {stop}, {stop - start})" if stop is not None
                        else "empty range for randrange()")  # fmt: skip
        return values[vm.p.random(len(values))]

    def choice(vm: Vm, values: Any) -> Any:
        if not len(values):
            raise error("IndexError", "Cannot choose from an empty sequence")
        return values[vm.p.random(len(values))]

    def shuffle(vm: Vm, values: Any) -> None:
        for at in range(len(values) - 1, 0, -1):
            other = vm.p.random(at + 1)
            values[at], values[other] = values[other], values[at]

    def sample(vm: Vm, values: Any, k: int) -> Gen:
        found = yield from _calls.listed(vm, values)
        if k > len(found):
            raise error("ValueError", "Sample larger than population or is negative")
        shuffle(vm, found)
        return found[:k]

    def choices(vm: Vm, values: Any, weights: Any = None, k: int = 1, **given: Any) -> Any:
        if weights is not None or given:
            raise Unsupported("random.choices")
        vm.grow(8 * k)
        vm.steps += k >> 1
        return [values[vm.p.random(len(values))] for _ in range(k)]

    return functions(
        "random", random=unit, randint=lambda vm, low, high: low + vm.p.random(high - low + 1) if high >= low else
        below(vm, low, high + 1), randrange=below, choice=choice, shuffle=shuffle, sample=sample, choices=choices,
        uniform=lambda vm, low, high: low + (high - low) * unit(vm), getrandbits=_bits,
        randbytes=lambda vm, size: vm.p.random_bytes(min(size, LARGEST)), seed=lambda vm, *what: None,
    )  # fmt: skip


@module("secrets")
def _secrets(vm: Vm) -> dict[str, Any]:
    return functions(
        "secrets", token_hex=lambda vm, size=32: vm.p.random_bytes(min(size, 65_536)).hex(),
        token_bytes=lambda vm, size=32: vm.p.random_bytes(min(size, 65_536)),
        choice=lambda vm, values: values[vm.p.random(len(values))], randbelow=lambda vm, most: vm.p.random(most),
    )  # fmt: skip

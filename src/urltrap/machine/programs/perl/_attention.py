"""Signals: %SIG, alarm, and waiting that either may end."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from urltrap.machine.errors import SysError
from urltrap.machine.programs._signals import NAMES, number_of
from urltrap.machine.programs.perl._values import Code, Gen, Ref, num, string

if TYPE_CHECKING:
    from urltrap.machine.programs.perl._vm import Vm

_ALARM = 14


def attend(vm: Vm) -> Gen:
    """Tell the kernel what %SIG wants, run the handlers of what came, ring the alarm that is due."""
    table = vm.hashes.get("main::SIG")
    if table is not None and (table.h or vm.trapped):
        _trap(vm)
    if vm.trapped:
        for number in vm.p.pending_signals():
            yield from _handle(vm, NAMES[number - 1] if number <= len(NAMES) else str(number))
    if vm.alarm_at is not None and vm.p.now() >= vm.alarm_at:
        vm.alarm_at = None
        if not (yield from _handle(vm, "ALRM")):
            yield from vm.flush()
            vm.p.kill(vm.p.pid, _ALARM)
            yield from vm.p.tick(1)


def _trap(vm: Vm) -> None:
    wanted: dict[int, str] = {}
    for name, place in vm.hashes["main::SIG"].h.items():
        number = number_of(name) if not name.startswith("__") else None
        value = place.v
        if number and value is not None and string(value) not in ("", "DEFAULT"):
            wanted[number] = "ignore" if string(value) == "IGNORE" else "catch"
    for number in {*wanted, *vm.trapped}:
        action = wanted.get(number)
        if vm.trapped.get(number) != action and number not in (9, 17, 19):
            vm.p.trap_signal(number, action)
    vm.trapped = wanted


def _handle(vm: Vm, name: str) -> Gen:
    """Run the handler of a signal; False where it has none."""
    from urltrap.machine.programs.perl._calls import call_code

    place = vm.hv("main::SIG").h.get(name)
    value = place.v if place is not None else None
    if value is None or string(value) in ("", "DEFAULT"):
        return False
    if string(value) == "IGNORE":
        return True
    code = value.t if type(value) is Ref else None
    if code is None:
        named = string(value)
        code = vm.subs.get(named if "::" in named else f"main::{named}")
    if isinstance(code, Code):
        yield from call_code(vm, code, [name], None)
    return True


def pause(vm: Vm, seconds: float) -> Gen:
    """Wait, until a signal with a handler or the alarm ends it."""
    yield from attend(vm)
    until = vm.p.now() + seconds
    if vm.alarm_at is not None:
        until = min(until, vm.alarm_at)
    try:
        yield from vm.p.sleep(max(0.0, until - vm.p.now()))
    except SysError as problem:
        if problem.errno != errno.EINTR:
            raise
        vm.set_errno(problem)
    yield from attend(vm)


def patience(vm: Vm) -> float | None:
    """How long reading may block before the alarm is due; None without one."""
    return None if vm.alarm_at is None else max(0.001, vm.alarm_at - vm.p.now())


def set_alarm(vm: Vm, seconds: object = 0) -> int:
    """alarm: what was left of the one before, in whole seconds."""
    left = 0 if vm.alarm_at is None else max(1, round(vm.alarm_at - vm.p.now()))
    wanted = float(num(seconds))
    vm.alarm_at = vm.p.now() + wanted if wanted > 0 else None
    return left

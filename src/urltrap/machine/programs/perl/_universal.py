"""UNIVERSAL: the methods that every class has."""

from __future__ import annotations

from typing import Any

from urltrap.machine.programs.perl import _calls
from urltrap.machine.programs.perl._values import Code, Ref, kind_of, string, values
from urltrap.machine.programs.perl._vm import Vm


def _package(owner: Any) -> str | None:
    if type(owner) is Ref:
        found: str | None = owner.t.bless
        return found
    return string(owner) or None


def _isa(vm: Vm, args: list[Any], want: Any) -> Any:
    owner, wanted, *_ = (*values(args), None)
    package = _package(owner)
    if type(owner) is Ref and kind_of(owner.t) == string(wanted):
        return 1
    if package is None:
        return ""
    return 1 if string(wanted) in _calls.parents(vm, package) else ""


def _can(vm: Vm, args: list[Any], want: Any) -> Any:
    owner, wanted, *_ = (*values(args), None)
    package = _package(owner)
    found = None if package is None else _calls.find_method(vm, package, string(wanted))
    return "" if found is None else Ref(found)


def _version(vm: Vm, args: list[Any], want: Any) -> Any:
    return vm.sv(f"{_package(values(args)[0])}::VERSION").v


def start(vm: Vm) -> None:
    """Make the methods known to an interpreter."""
    for name, native in (("isa", _isa), ("can", _can), ("DOES", _isa), ("VERSION", _version)):
        vm.subs[f"UNIVERSAL::{name}"] = Code(name, "UNIVERSAL", native=native)

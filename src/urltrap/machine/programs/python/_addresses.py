"""ipaddress, and what socket makes of addresses: glibc's inet_aton(3), inet_pton(3) and their kin."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

from urltrap.machine.programs.python import _calls
from urltrap.machine.programs.python._imports import functions, module
from urltrap.machine.programs.python._objects import (
    EXCEPTIONS,
    MISSING,
    Builtin,
    Class,
    Gen,
    Unsupported,
    Yielded,
    class_of,
    error,
    lend,
)
from urltrap.machine.programs.python._vm import Vm, native, os_error

_AF_INET, _AF_INET6 = 2, 10
_PART = r"(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)"
_NUMBERS = re.compile(
    rf"{_PART}(?:\.{_PART})?(?:\.{_PART})?(?:\.{_PART})?(?:[ \t\n\v\f\r].*)?", re.DOTALL | re.ASCII
)


def _value(part: str) -> int:
    """strtoul(3) with base 0."""
    if part[:2] in ("0x", "0X"):
        return int(part[2:40], 16)
    return int(part[:40], 8 if part.startswith("0") else 10)


def _check_text(what: str, text: Any) -> None:
    if not isinstance(text, str):
        raise error("TypeError", f"{what} must be str, not {class_of(text).name}")
    if "\0" in text:
        raise error("ValueError", "embedded null character")


def aton(vm: Vm, text: Any) -> bytes:
    """inet_aton: one to four numbers, decimal, octal or hexadecimal; the last one fills what is left."""
    _check_text("inet_aton() argument 1", text)
    found = _NUMBERS.fullmatch(text)
    parts = [_value(each) for each in found.groups() if each is not None] if found is not None else []
    if not parts or any(each > 255 for each in parts[:-1]) or parts[-1] >= 1 << 8 * (5 - len(parts)):
        raise error("OSError", "illegal IP address string passed to inet_aton")
    return bytes(parts[:-1]) + parts[-1].to_bytes(5 - len(parts), "big")


def _packed(data: Any) -> bytes:
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise error("TypeError", f"a bytes-like object is required, not '{class_of(data).name}'")
    return bytes(data)


def ntoa(vm: Vm, data: Any) -> str:
    """inet_ntoa."""
    packed = _packed(data)
    if len(packed) != 4:
        raise error("OSError", "packed IP wrong length for inet_ntoa")
    return ".".join(map(str, packed))


def pton(vm: Vm, family: int, text: Any) -> bytes:
    """inet_pton."""
    _check_text("inet_pton() argument 2", text)
    if family not in (_AF_INET, _AF_INET6):
        raise os_error(97, "Address family not supported by protocol")
    try:
        if "%" in text:
            raise ValueError("inet_pton knows no zones")
        return (ipaddress.IPv4Address if family == _AF_INET else ipaddress.IPv6Address)(text).packed
    except ValueError:
        raise error("OSError", "illegal IP address string passed to inet_pton") from None


def ntop(vm: Vm, family: int, data: Any) -> str:
    """inet_ntop."""
    packed = _packed(data)
    if family not in (_AF_INET, _AF_INET6):
        raise error("ValueError", f"unknown address family {family}")
    if len(packed) != (4 if family == _AF_INET else 16):
        raise error("ValueError", "invalid length of packed IP address string")
    if family == _AF_INET:
        return ".".join(map(str, packed))
    if packed.startswith(bytes(10) + b"\xff\xff") or (packed.startswith(bytes(12)) and any(packed[12:14])):
        return f"::{'ffff:' if packed[10] else ''}{'.'.join(map(str, packed[12:]))}"
    return str(ipaddress.IPv6Address(packed))


def swapped16(name: str) -> Callable[..., int]:
    """htons and ntohs: the two bytes of a number the other way round."""

    def swap(vm: Vm, number: Any) -> int:
        if not isinstance(number, int):
            raise error("TypeError", f"'{class_of(number).name}' object cannot be interpreted as an integer")
        if number < 0:
            raise error(
                "OverflowError", f"{name}: can't convert negative Python int to C 16-bit unsigned integer"
            )
        if number >= 1 << 63:
            raise error("OverflowError", "Python int too large to convert to C long")
        if number >= 1 << 31:
            raise error("OverflowError", "signed integer is greater than maximum")
        if number >= 1 << 16:
            raise error(
                "OverflowError", f"{name}: Python int too large to convert to C 16-bit unsigned integer"
            )
        return int.from_bytes(number.to_bytes(2, "little"), "big")

    return swap


def swapped32(vm: Vm, number: Any) -> int:
    """htonl and ntohl."""
    if not isinstance(number, int):
        raise error("TypeError", f"expected int, {class_of(number).name} found")
    if number < 0:
        raise error("OverflowError", "can't convert negative value to unsigned int")
    if number >= 1 << 64:
        raise error("OverflowError", "Python int too large to convert to C unsigned long")
    if number >= 1 << 32:
        raise error("OverflowError", "int larger than 32 bits")
    return int.from_bytes(number.to_bytes(4, "little"), "big")


# ipaddress
def _lent(host: type) -> Class:
    made = lend(host, "ipaddress")

    def new(vm: Vm, cls: Class, *args: Any, **given: Any) -> Any:
        if cls is not made:
            raise Unsupported(f"a class derived from {made.name}")
        return host(*args, **given)

    made.attributes["__new__"] = Builtin(made.name, new)
    return made


_CLASSES = {
    each.__name__: _lent(each)
    for each in (
        ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network,
        ipaddress.IPv4Interface, ipaddress.IPv6Interface,
    )
}  # fmt: skip
_ERRORS = {
    each.__name__: lend(each, "ipaddress", (EXCEPTIONS["ValueError"],))
    for each in (ipaddress.AddressValueError, ipaddress.NetmaskValueError)
}


def _given(vm: Vm, values: Iterator[Any]) -> Any:
    """What a generator of the host's gives, as one of ours: those of the host are the interpreter's own steps."""

    def body() -> Gen:
        while (value := native(vm, next, values, MISSING)) is not MISSING:
            vm.steps += 3
            yield Yielded(value)

    return _calls.lazily(body(), "generator")


@module("ipaddress")
def _ipaddress(vm: Vm) -> dict[str, Any]:
    def collapsed(vm: Vm, addresses: Any) -> Gen:
        return _given(vm, ipaddress.collapse_addresses((yield from _calls.listed(vm, addresses))))

    return {
        **_CLASSES, **_ERRORS,
        **functions(
            "ipaddress", ip_address=lambda vm, address: ipaddress.ip_address(address),
            ip_network=lambda vm, address, strict=True: ipaddress.ip_network(address, strict),
            ip_interface=lambda vm, address: ipaddress.ip_interface(address), collapse_addresses=collapsed,
            summarize_address_range=lambda vm, first, last: _given(vm, ipaddress.summarize_address_range(first, last)),
            v4_int_to_packed=lambda vm, number: ipaddress.v4_int_to_packed(number),
        ),
    }  # fmt: skip

"""The address that a downloader stub connects to, out of the constants of its code."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from urltrap.recover.binary.immediates import Constant

_OCTETS_WITHIN = 16
_PORT_WITHIN = 96
_LINE_ENDS = b"\r\n\r\n"
_NO_PORTS = frozenset((0, 1, 2, 3, 4, 5, 6, 16, 255, 511, 512, 577, 769, 1024))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and port; `port` 0 where the code does not say; `sure` where both stand together."""

    host: str
    port: int
    sure: bool = False


def endpoints(found: Sequence[Constant], big: bool, base: int, size: int) -> list[Endpoint]:
    """Candidates, the most likely first: four octets given to a helper, then 32-bit constants that are addresses."""
    candidates: list[tuple[int, str]] = []
    candidates += _octets(found)
    for constant in found:
        if len(constant.data) == 4 and _is_address(constant.data, big, base, size):
            candidates.append((constant.at, _dotted(constant.data)))
        elif len(constant.data) == 8 and constant.data[:2] == b"\x02\x00" and _public(constant.data[4:]):
            # A whole sockaddr_in in one register: family, port, address.
            host = _dotted(constant.data[4:])
            return [Endpoint(host, int.from_bytes(constant.data[2:4], "big"), sure=True)]
    first: dict[str, int] = {}
    for at, host in candidates:
        first.setdefault(host, at)
    # Four readable characters may be a piece of text: what is none comes first.
    ordered = sorted(
        first.items(), key=lambda item: all(32 <= int(octet) < 127 for octet in item[0].split("."))
    )
    return [Endpoint(host, _port(found, at, big)) for host, at in ordered]


def _octets(found: Sequence[Constant]) -> list[tuple[int, str]]:
    """Four one-byte arguments in registers 0 to 3, loaded close to each other; or four pushes, last one first."""
    results: list[tuple[int, str]] = []
    window: dict[int, Constant] = {}
    pushes: list[Constant] = []
    for constant in found:
        if len(constant.data) != 1:
            continue
        if constant.register == -2:
            pushes = [*pushes[-3:], constant]
            if len(pushes) == 4 and pushes[3].at - pushes[0].at <= 20:
                _try(results, bytes(each.data[0] for each in reversed(pushes)), pushes[0].at)
        elif 0 <= constant.register < 4:
            window[constant.register] = constant
            if len(window) == 4:
                places = [each.at for each in window.values()]
                if max(places) - min(places) <= _OCTETS_WITHIN:
                    _try(results, bytes(window[number].data[0] for number in range(4)), constant.at)
    return results


def _try(results: list[tuple[int, str]], data: bytes, at: int) -> None:
    # Small numbers alone are arguments of system calls rather than an address.
    if _public(data) and sum(byte > 16 for byte in data) >= 2:
        results.append((at, _dotted(data)))


def _public(data: bytes) -> bool:
    address = ipaddress.IPv4Address(data)
    return address.is_global and not address.is_multicast and data[0] < 224 and data != _LINE_ENDS


def _is_address(data: bytes, big: bool, base: int, size: int) -> bool:
    if not _public(data) or data.count(0) > 1 or data.count(0xFF) > 2 or data.isalpha():
        return False
    value = int.from_bytes(data, "big" if big else "little")
    # Pointers into the file itself, and negative numbers.
    return not base <= value < base + size + 0x100000 and value < 0xFFFF0000


def _dotted(data: bytes) -> str:
    return str(ipaddress.IPv4Address(data))


def _port(found: Sequence[Constant], at: int, big: bool) -> int:
    """The port next to an address: stored as network order, so swapped on little-endian machines where it is a word."""
    near = sorted(
        (each for each in found if len(each.data) in (1, 2) and abs(each.at - at) <= _PORT_WITHIN),
        key=lambda each: abs(each.at - at),
    )
    values: list[int] = []
    for each in near:
        if each.data in (b"\x50", b"\x00\x50", b"\x50\x00"):
            return 80
        value = each.small
        if len(each.data) == 2 and value not in _NO_PORTS:
            swapped = value if big or each.register == -1 else int.from_bytes(each.data, "little")
            values.append(swapped)
    return next((value for value in values if 20 < value < 65_536 and value not in _NO_PORTS), 0)

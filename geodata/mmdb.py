"""Writes a MaxMind DB file from address ranges, so that one reader looks up network owners and countries.

Format: "MaxMind DB File Format Specification" version 2.0. Only what network owners need is written: one IPv6
tree with IPv4 in its first 96 zero bits, records that are maps of a number and a name.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

ADDRESS_BITS: Final = 128
SEPARATOR: Final = bytes(16)
METADATA_MARKER: Final = b"\xab\xcd\xefMaxMind.com"
_STRING, _UINT16, _UINT32, _MAP, _UINT64, _ARRAY, _POINTER = 2, 5, 6, 7, 9, 11, 1
_NUMBER_KEY: Final = "autonomous_system_number"
_NAME_KEY: Final = "autonomous_system_organization"


@dataclass(frozen=True)
class Network:
    """Who announces the addresses `first` to `last`: 128-bit numbers, both included; IPv4 in the low 32 bits."""

    first: int
    last: int
    number: int
    name: str


def _control(kind: int, size: int) -> bytes:
    """The control byte of a field, with its extensions for types above 7 and sizes from 29 to 65,820."""
    extension = b""
    if kind > 7:
        kind, extension = 0, bytes([kind - 7])
    if size < 29:
        return bytes([kind << 5 | size]) + extension
    if size < 285:
        return bytes([kind << 5 | 29]) + extension + bytes([size - 29])
    if size < 65821:
        return bytes([kind << 5 | 30]) + extension + struct.pack(">H", size - 285)
    raise ValueError(f"a field of {size} bytes is longer than any name should be")


def _string(text: str) -> bytes:
    encoded = text.encode()
    return _control(_STRING, len(encoded)) + encoded


def _number(kind: int, value: int) -> bytes:
    encoded = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return _control(kind, len(encoded)) + encoded


def _pointer(offset: int) -> bytes:
    """A pointer to one of the first 2,048 bytes of the data section."""
    return bytes([_POINTER << 5 | offset >> 8, offset & 0xFF])


class _Data:
    """The data section: every different record once, keys as pointers to their single spelling."""

    def __init__(self) -> None:
        self.content = bytearray(_string(_NUMBER_KEY) + _string(_NAME_KEY))
        self._number_key = _pointer(0)
        self._name_key = _pointer(len(_string(_NUMBER_KEY)))
        self._offsets: dict[tuple[int, str], int] = {}

    def offset(self, number: int, name: str) -> int:
        """Where the record of this owner begins."""
        found = self._offsets.get((number, name))
        if found is None:
            found = self._offsets[number, name] = len(self.content)
            self.content += _control(_MAP, 2) + self._number_key + _number(_UINT32, number)
            self.content += self._name_key + _string(name)
        return found


def _blocks(first: int, last: int) -> Iterator[tuple[int, int]]:
    """The fewest prefixes (address, length) that cover a range exactly."""
    while first <= last:
        fitting = (last - first + 1).bit_length() - 1
        aligned = (first & -first).bit_length() - 1 if first else ADDRESS_BITS
        bits = min(fitting, aligned)
        yield first, ADDRESS_BITS - bits
        first += 1 << bits


class _Tree:
    """The search tree: two records per node; 0 is empty, above it a child node, below it -1 - data offset."""

    def __init__(self) -> None:
        self.records = array("q", [0, 0])
        self._path = [0]  # the nodes from the root down to the last prefix
        self._last = 0

    def insert(self, address: int, length: int, offset: int) -> None:
        """Add a prefix; prefixes come in order and do not overlap."""
        if not 0 < length <= ADDRESS_BITS:
            raise ValueError("a prefix has 1 to 128 bits")
        shared = ADDRESS_BITS - (address ^ self._last).bit_length()
        del self._path[min(shared, length - 1) + 1 :]
        node = self._path[-1]
        for depth in range(len(self._path) - 1, length - 1):
            slot = 2 * node + (address >> (ADDRESS_BITS - 1 - depth) & 1)
            node = len(self.records) // 2
            self.records[slot] = node
            self.records.extend((0, 0))
            self._path.append(node)
        slot = 2 * node + (address >> (ADDRESS_BITS - length) & 1)
        self.records[slot] = -1 - offset
        self._last = address

    def encode(self, data_size: int) -> tuple[bytes, int, int]:
        """The bytes of the section, the number of nodes and the size of a record in bits."""
        count = len(self.records) // 2
        size = 3 if count + len(SEPARATOR) + data_size < 1 << 24 else 4
        encoded = bytearray()
        for record in self.records:
            if record < 0:
                value = count + len(SEPARATOR) - 1 - record
            else:
                value = record or count  # a record that equals the number of nodes means: nothing known
            encoded += value.to_bytes(size, "big")
        return bytes(encoded), count, size * 8


def encode(networks: Iterable[Network], *, database_type: str, description: str, built: int) -> bytes:
    """A whole file from networks in ascending order without overlap; `built` is in seconds since 1970.

    Raises ValueError when networks overlap or are out of order.
    """
    tree, data = _Tree(), _Data()
    end = -1
    for network in networks:
        if not end < network.first <= network.last:
            raise ValueError(f"networks overlap or are out of order at AS{network.number} {network.name}")
        end = network.last
        offset = data.offset(network.number, network.name)
        for address, length in _blocks(network.first, network.last):
            tree.insert(address, length, offset)
    section, count, record_size = tree.encode(len(data.content))
    metadata = b"".join(
        (
            _control(_MAP, 9),
            _string("binary_format_major_version") + _number(_UINT16, 2),
            _string("binary_format_minor_version") + _number(_UINT16, 0),
            _string("build_epoch") + _number(_UINT64, built),
            _string("database_type") + _string(database_type),
            _string("description") + _control(_MAP, 1) + _string("en") + _string(description),
            _string("ip_version") + _number(_UINT16, 6),
            _string("languages") + _control(_ARRAY, 0),
            _string("node_count") + _number(_UINT32, count),
            _string("record_size") + _number(_UINT16, record_size),
        )
    )
    return section + SEPARATOR + bytes(data.content) + METADATA_MARKER + metadata

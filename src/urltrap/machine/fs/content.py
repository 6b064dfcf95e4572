"""The bytes of files: in memory and changing, kept elsewhere by hash, packed in the image, or generated from a seed."""

from __future__ import annotations

import hashlib
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from urltrap.machine.effects import Content

PAGE = 65_536
_BLOCK = 4096
_ZEROS = bytes(PAGE)


def only_zeros(data: bytes) -> bool:
    """Whether there is nothing else in `data`; as quick as memory is read."""
    return all(
        data[at : at + PAGE] == (_ZEROS if at + PAGE <= len(data) else _ZEROS[: len(data) - at])
        for at in range(0, len(data), PAGE)
    )


class PagedContent:
    """Content that can be written: pages of 64 KiB; pages that were never written or hold only zeros cost nothing.

    `write` and `truncate` return how many bytes of memory they took (negative: gave back), for the overlay's quota.
    """

    __slots__ = ("pages", "size")

    def __init__(self, data: bytes = b"") -> None:
        self.pages: dict[int, bytearray] = {}
        self.size = 0
        if data:
            self.write(0, data)

    @property
    def memory(self) -> int:
        """Bytes of memory that the pages take."""
        return sum(len(page) for page in self.pages.values())

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`."""
        end = min(self.size, offset + length)
        if offset >= end:
            return b""
        found = bytearray()
        while offset < end:
            number, within = divmod(offset, PAGE)
            want = min(PAGE - within, end - offset)
            piece = self.pages.get(number, b"")[within : within + want]
            found += piece
            found += bytes(want - len(piece))
            offset += want
        return bytes(found)

    def growth(self, offset: int, length: int) -> int:
        """An upper bound of what writing `length` bytes of non-zero data at `offset` takes."""
        if length <= PAGE:
            number, within = divmod(offset, PAGE)
            if within + length <= PAGE:
                return max(0, within + length - len(self.pages.get(number, b"")))
        return length + PAGE

    def write(self, offset: int, data: bytes) -> int:
        """Put `data` at `offset`; a gap before it reads as zeros."""
        taken = 0
        start = 0
        while start < len(data):
            number, within = divmod(offset + start, PAGE)
            piece = data[start : start + PAGE - within]
            start += len(piece)
            page = self.pages.get(number)
            if page is None:
                if only_zeros(piece):
                    continue
                page = self.pages[number] = bytearray()
            before = len(page)
            if within > before:
                page += bytes(within - before)
            page[within : within + len(piece)] = piece
            taken += len(page) - before
        self.size = max(self.size, offset + len(data))
        return taken

    def truncate(self, size: int) -> int:
        """Cut or extend (with zeros) to `size` bytes."""
        taken = 0
        if size < self.size:
            last, within = divmod(size, PAGE)
            for number in [number for number in self.pages if number >= last]:
                page = self.pages[number]
                keep = within if number == last else 0
                taken -= max(0, len(page) - keep)
                if keep:
                    del page[keep:]
                else:
                    del self.pages[number]
        self.size = size
        return taken

    def snapshot(self) -> PagedContent:
        """A copy that later writes do not change."""
        copy = PagedContent()
        copy.pages = {number: bytearray(page) for number, page in self.pages.items()}
        copy.size = self.size
        return copy


@dataclass(frozen=True, slots=True)
class StoredContent:
    """Content kept outside of the machine under its SHA-256; `fetch` reads (offset, length) of it."""

    sha256: str
    size: int
    fetch: Callable[[int, int], bytes]

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`."""
        if offset >= self.size:
            return b""
        return self.fetch(offset, min(length, self.size - offset))


class Pack:
    """The files of an image: one bytes object of zlib streams, of which the last few that were read stay unpacked."""

    __slots__ = ("_data", "_keep", "_recent")

    def __init__(self, data: bytes, keep: int = 16) -> None:
        self._data = data
        self._recent: OrderedDict[int, bytes] = OrderedDict()
        self._keep = keep

    def packed(self, offset: int, length: int) -> bytes:
        """The stream itself, for copying it into another pack."""
        return self._data[offset : offset + length]

    def unpack(self, offset: int, length: int) -> bytes:
        """The file whose stream is there."""
        found = self._recent.get(offset)
        if found is None:
            found = zlib.decompress(self._data[offset : offset + length])
            self._recent[offset] = found
            if len(self._recent) > self._keep:
                self._recent.popitem(last=False)
        else:
            self._recent.move_to_end(offset)
        return found


@dataclass(frozen=True, slots=True)
class PackedContent:
    """A file of an image's pack."""

    pack: Pack
    offset: int
    packed: int
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`."""
        return self.pack.unpack(self.offset, self.packed)[offset : offset + length]


@dataclass(frozen=True, slots=True)
class OpaqueContent:
    """Bytes of a file of which only the size is known: a stream that depends on the seed alone."""

    size: int
    seed: bytes

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`."""
        return stream(self.seed, offset, max(0, min(length, self.size - offset)))


def stream(seed: bytes, offset: int, length: int, table: bytes | None = None) -> bytes:
    """`length` bytes at `offset` of an endless stream made from `seed` (SHAKE-128 of 4 KiB blocks), translated by
    `table` where given."""
    if length <= 0:
        return b""
    first, last = offset // _BLOCK, (offset + length - 1) // _BLOCK
    blocks = b"".join(
        hashlib.shake_128(seed + block.to_bytes(8, "little")).digest(_BLOCK)
        for block in range(first, last + 1)
    )
    if table is not None:
        blocks = blocks.translate(table)
    start = offset - first * _BLOCK
    return blocks[start : start + length]


def read_whole(content: Content, limit: int) -> bytes:
    """All of a content, at most `limit` bytes."""
    return content.read(0, min(content.size, limit))

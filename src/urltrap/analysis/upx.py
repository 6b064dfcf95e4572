"""UPX's marks in an ELF file: where they stand, and the file with those restored that were overwritten on purpose.

Bots overwrite the magic "UPX!" or the sizes so that ``upx -d`` refuses them; their own start code needs neither. The
pack header at the end has a checksum that covers neither, and so tells where it is and what belongs there.
Source: UPX's src/packhead.cpp (`PackHeader`, `get_packheader_checksum`), src/p_unix.h (`l_info`, `p_info`, `b_info`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MAGIC = b"UPX!"
FORMATS = {
    10, 11, 12, 13, 14, 15, 18, 22, 23, 24, 25, 26, 29, 34, 35, 37, 38, 39, 40, 41, 42, 137, 141, 142, 143, 144, 148,
}  # fmt: skip

_HEADER = 32
_BEHIND = 4  # the offset of the first compressed block stands behind the pack header
_TAIL = 4096
_METHODS = range(2, 16)


@dataclass(frozen=True, slots=True)
class Marks:
    """Places in a file: `info` of its l_info, `header` of its pack header (-1: none whose checksum is right).

    `file_size` and `block_size` are p_info's, `true_size` the pack header's of the same.
    """

    info: int
    header: int
    magic: bytes
    version: int
    format: int
    file_size: int
    block_size: int
    true_size: int


def read_marks(data: bytes) -> Marks | None:
    """The marks of an ELF file that may be packed; None where its program headers lead nowhere."""
    if not data.startswith(b"\x7fELF") or len(data) < 64 or data[4] not in (1, 2) or data[5] not in (1, 2):
        return None
    order = _order(data)
    wide = data[4] == 2

    def field(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)

    count = field(56 if wide else 44, 2)
    at = (field(32, 8) if wide else field(28, 4)) + field(54 if wide else 42, 2) * count
    if not 1 <= count <= 16 or at + 24 > len(data):
        return None
    version, form = data[at + 10], data[at + 11]
    header = _header(data, version, form)
    return Marks(
        at, header, data[at + 4 : at + 8], version, form, field(at + 16, 4), field(at + 20, 4),
        field(header + 24, 4) if header >= 0 else 0,
    )  # fmt: skip


def mended(data: bytes) -> tuple[bytes, list[str]] | None:
    """The file with UPX's magic and sizes as UPX writes them, and what was restored; None where nothing can be."""
    marks = read_marks(data)
    if marks is None or marks.header < 0:
        return None
    out = bytearray(data[: marks.header + _HEADER + _BEHIND])
    done = []
    places = [marks.info + 4, marks.header, *_end_of_blocks(data, marks)]
    if any(out[place : place + 4] != MAGIC for place in places):
        for place in places:
            out[place : place + 4] = MAGIC
        done.append("magic")
    if marks.true_size and marks.file_size != marks.true_size:
        # Newer versions write a smaller size of blocks; the whole file's suits every version.
        size = marks.true_size.to_bytes(4, _order(data))
        out[marks.info + 16 : marks.info + 24] = size * 2
        done.append("sizes")
    if len(out) < len(data):
        done.append("end")
    return (bytes(out), done) if done else None


def _order(data: bytes) -> Literal["little", "big"]:
    return "little" if data[5] == 1 else "big"


def _header(data: bytes, version: int, form: int) -> int:
    """Where the pack header is: the last place of this version and format whose checksum is right; -1: nowhere."""
    start = max(0, len(data) - _TAIL)
    sought = bytes((version, form))
    place = len(data)
    while (place := data.rfind(sought, start, place + 1)) >= 0:
        found = place - 4
        header = data[found : found + _HEADER] if found >= 0 else b""
        if len(header) == _HEADER and header[6] in _METHODS and sum(header[4:31]) % 251 == header[31]:
            return found
    return -1


def _end_of_blocks(data: bytes, marks: Marks) -> list[int]:
    """The magic that ends the list of blocks, up to three bytes of padding before the pack header."""
    for padding in range(4):
        at = marks.header - padding - 12
        if (
            at > marks.info
            and data[at : at + 4] == bytes(4)
            and data[at + 4 : at + 8] in (MAGIC, marks.magic, data[marks.header : marks.header + 4])
        ):
            return [at + 4]
    return []

"""Packers: UPX as it is, and UPX whose marks were broken so that `upx -d` refuses."""

from __future__ import annotations

import math

_UPX = b"UPX!"
_UPX_FORMATS = {
    10, 11, 12, 13, 14, 15, 18, 22, 23, 24, 25, 26, 29, 34, 35, 37, 38, 39, 40, 41, 42, 137, 141, 142, 143, 144, 148,
}  # fmt: skip
_PACKED_ENTROPY = 7.2
_SEEN = 1 << 20


def packer(data: bytes) -> str:
    """ "upx", "upx-broken" (its magic or sizes were overwritten), "packed" (an ELF of one dense lump), or empty.

    Source: UPX's src/conf.h and linker headers (`l_info`, `p_info`), which stand behind the program headers.
    """
    if data[:2] == b"MZ":
        return "upx" if b"UPX0" in data[:4096] and _UPX in data[:8192] else ""
    if not data.startswith(b"\x7fELF") or len(data) < 64 or data[4] not in (1, 2) or data[5] not in (1, 2):
        return ""
    info = _l_info(data)
    if info is not None:
        magic, version, form, file_size, block_size = info
        plausible = 10 <= version <= 14 and form in _UPX_FORMATS
        if magic == _UPX:
            return "upx" if file_size and block_size else "upx-broken"
        if plausible and _sections(data) == 0 and file_size == block_size:
            return "upx-broken"
    if _UPX in data or b"This file is packed with the UPX" in data:
        return "upx-broken" if info is None else "upx"
    return "packed" if _sections(data) == 0 and _one_dense_lump(data) else ""


def entropy(data: bytes) -> float:
    """Shannon entropy of the bytes, 0 to 8 bits per byte; of the first mebibyte."""
    sample = data[:_SEEN]
    if not sample:
        return 0.0
    total = len(sample)
    counts = (sample.count(bytes([byte])) for byte in range(256))
    return -sum(n / total * math.log2(n / total) for n in counts if n)


def _field(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little" if data[5] == 1 else "big")


def _sections(data: bytes) -> int:
    return _field(data, 48 if data[4] == 1 else 60, 2)


def _l_info(data: bytes) -> tuple[bytes, int, int, int, int] | None:
    """(magic, version, format, p_filesize, p_blocksize) behind the program headers; None where they lead nowhere."""
    wide = data[4] == 2
    start = _field(data, 32, 8) if wide else _field(data, 28, 4)
    size = _field(data, 54 if wide else 42, 2)
    count = _field(data, 56 if wide else 44, 2)
    at = start + size * count
    if not 1 <= count <= 16 or at + 24 > len(data):
        return None
    return (
        data[at + 4 : at + 8],
        data[at + 10],
        data[at + 11],
        _field(data, at + 16, 4),
        _field(data, at + 20, 4),
    )


def _one_dense_lump(data: bytes) -> bool:
    count = _field(data, 56 if data[4] == 2 else 44, 2)
    return 1 <= count <= 3 and len(data) > 4096 and entropy(data) > _PACKED_ENTROPY

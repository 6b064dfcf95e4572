"""Packers: UPX as it is, and UPX whose marks were broken so that `upx -d` refuses."""

from __future__ import annotations

import math

from urltrap.analysis.upx import FORMATS, MAGIC, read_marks

_PACKED_ENTROPY = 7.2
_SEEN = 1 << 20


def packer(data: bytes) -> str:
    """ "upx", "upx-broken" (its magic or sizes were overwritten), "packed" (an ELF of one dense lump), or empty.

    Source: UPX's src/conf.h and what `upx` reads.
    """
    if data[:2] == b"MZ":
        return "upx" if b"UPX0" in data[:4096] and MAGIC in data[:8192] else ""
    if not data.startswith(b"\x7fELF") or len(data) < 64 or data[4] not in (1, 2) or data[5] not in (1, 2):
        return ""
    marks = read_marks(data)
    if marks is not None:
        if marks.magic == MAGIC:
            return "upx" if marks.file_size and marks.block_size else "upx-broken"
        plausible = 10 <= marks.version <= 14 and marks.format in FORMATS
        if plausible and _sections(data) == 0 and (marks.header >= 0 or marks.file_size == marks.block_size):
            return "upx-broken"
    if MAGIC in data or b"This file is packed with the UPX" in data:
        return "upx-broken" if marks is None else "upx"
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


def _one_dense_lump(data: bytes) -> bool:
    count = _field(data, 56 if data[4] == 2 else 44, 2)
    return 1 <= count <= 3 and len(data) > 4096 and entropy(data) > _PACKED_ENTROPY

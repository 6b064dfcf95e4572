"""What a payload is. Pure: bytes in, values out; never executes or trusts anything, unpacks within bounds only."""

from urltrap.analysis.archives import Budget
from urltrap.analysis.elf import ElfHeader, read_elf
from urltrap.analysis.examine import ANALYSIS, examine
from urltrap.analysis.kind import HEAD_BYTES, analyse
from urltrap.analysis.signatures import RulesError, Signatures, compile_rules
from urltrap.analysis.similarity import NEAR, distance, fuzzy_hash
from urltrap.analysis.upx import mended

__all__ = [
    "ANALYSIS", "HEAD_BYTES", "NEAR", "Budget", "ElfHeader", "RulesError", "Signatures", "analyse", "compile_rules",
    "distance", "examine", "fuzzy_hash", "mended", "read_elf",
]  # fmt: skip

"""What a payload is, from its first bytes. Pure, and never executes, unpacks or trusts anything."""

from urltrap.analysis.elf import ElfHeader, read_elf
from urltrap.analysis.kind import HEAD_BYTES, analyse

__all__ = ["HEAD_BYTES", "ElfHeader", "analyse", "read_elf"]

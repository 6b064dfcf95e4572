"""What is behind an ELF header, by pyelftools; a hostile file gives what could be read and why the rest could not."""

from __future__ import annotations

import io
import re
from itertools import islice

from elftools.elf.dynamic import DynamicSection, DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from urltrap.model.artifact import ElfFacts

_MOST_SECTIONS = 256
_MOST_SEGMENTS = 64
_MOST_TAGS = 512
_MOST_LIBRARIES = 64
_COMPILER = re.compile(rb"(?:GCC: |clang version |Go buildinf|rustc version )[\x20-\x7e]{0,80}")


def elf_facts(data: bytes) -> ElfFacts:
    """Segments, sections, libraries and traces of the compiler of an ELF file. Never raises for any bytes."""
    seen: dict[str, object] = {}
    compiler = _COMPILER.search(data)
    if compiler:
        seen["compiler"] = compiler[0].decode("ascii", "replace").strip()
    try:
        _read(ELFFile(io.BytesIO(data)), seen)
    except Exception as error:
        # The library raises whatever a hostile file leads it to; which it was, is a finding.
        seen["damaged"] = type(error).__name__
    return ElfFacts.model_validate(seen)


def _read(elf: ELFFile, seen: dict[str, object]) -> None:
    seen["segments"], seen["sections"] = min(elf.num_segments(), 65_535), min(elf.num_sections(), 65_535)
    static = True
    libraries: list[str] = []
    for segment in islice(elf.iter_segments(), _MOST_SEGMENTS):
        if isinstance(segment, InterpSegment):
            seen["interpreter"] = str(segment.get_interp_name())[:200]
            static = False
        if isinstance(segment, DynamicSegment):
            static = False
            for tag in islice(segment.iter_tags(), _MOST_TAGS):
                if tag.entry.d_tag == "DT_NEEDED" and len(libraries) < _MOST_LIBRARIES:
                    libraries.append(str(getattr(tag, "needed", ""))[:200])
    seen["static"], seen["libraries"] = static, libraries
    names = set()
    for section in islice(elf.iter_sections(), _MOST_SECTIONS):
        names.add(section.name)
        if isinstance(section, DynamicSection):
            seen["static"] = False
    seen["stripped"] = ".symtab" not in names

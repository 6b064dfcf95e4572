"""The base images: recorded trees of real installations, with a persona's own files over them."""

from urltrap.machine.image.load import ANSWERS, PACKAGES, RECORDS, USAGES, load_image, persona_tree
from urltrap.machine.image.record import Entry, RecordError, dump_record, load_record
from urltrap.machine.image.tree import ScriptProgram, Tree

__all__ = [
    "ANSWERS",
    "PACKAGES",
    "RECORDS",
    "USAGES",
    "Entry",
    "RecordError",
    "ScriptProgram",
    "Tree",
    "dump_record",
    "load_image",
    "load_record",
    "persona_tree",
]

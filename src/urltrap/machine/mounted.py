"""What is mounted now: the persona's file systems, and over them what root mounted and took off since the start.

A change is a row of words in ``Overlay.runtime["mounts"]``: ``on SOURCE POINT TYPE OPTIONS NODE SIZE`` (the number of
the node that covers the point, its size in KiB), ``off POINT NODE`` (what covers the place where a file system of the
persona was; empty for one that was mounted since), ``options POINT OPTIONS``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from urltrap.machine.persona.model import MountPoint

if TYPE_CHECKING:
    from urltrap.machine.persona import Persona

CHANGES_MAX = 64


def mounted(persona: Persona, rows: Sequence[Sequence[str]]) -> list[MountPoint]:
    """The mount table in the order of mounting."""
    found = list(persona.mounts)
    for what, *words in rows:
        if what == "on":
            source, point, fstype, options, _, size = words
            base = next((each for each in found if options.startswith("bind,") and each.point == "/"), None)
            kilobytes = int(size)
            found.append(MountPoint(
                source=source, point=point, fstype=fstype, options=options.removeprefix("bind,"),
                size_kb=base.size_kb if base else kilobytes, used_kb=base.used_kb if base else 0,
                available_kb=base.available_kb if base else kilobytes,
                inodes=base.inodes if base else kilobytes // 4, inodes_used=base.inodes_used if base else 1,
            ))  # fmt: skip
            continue
        place = next((at for at in range(len(found) - 1, -1, -1) if found[at].point == words[0]), None)
        if place is None:
            continue
        if what == "off":
            del found[place]
        else:
            found[place] = found[place].model_copy(update={"options": words[1]})
    return found


def covers(rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """By path: the number of the node that is seen there."""
    stacks: dict[str, list[int]] = {}
    for what, *words in rows:
        if what == "on" and words[4]:
            stacks.setdefault(words[1], []).append(int(words[4]))
        elif what == "off" and words[1]:
            stacks.setdefault(words[0], []).append(int(words[1]))
        elif what == "off" and stacks.get(words[0]):
            stacks[words[0]].pop()
    return {path: stack[-1] for path, stack in stacks.items() if stack}

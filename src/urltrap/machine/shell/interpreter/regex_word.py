"""The right side of ``=~`` as a regular expression: quoted text matches only itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from urltrap.machine.shell.ast import Lit, Part, Quoted, Word
from urltrap.machine.shell.expansion.fields import _string_parts

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_SPECIAL = re.compile(r"([.\[\]{}()*+?^$|\\])")


def regex_text(sh: Shell, word: Word) -> Gen[str]:
    """The expression's source."""
    pieces: list[str] = []
    for part in word.parts:
        if isinstance(part, Lit):
            pieces.append(part.text)
        elif isinstance(part, Quoted):
            pieces.append(_SPECIAL.sub(r"\\\1", part.text))
        else:
            pieces.append((yield from _expanded(sh, part)))
    return "".join(pieces)


def _expanded(sh: Shell, part: Part) -> Gen[str]:
    from urltrap.machine.shell.ast import DoubleQuoted

    inner: list[str] = []
    yield from _string_parts(sh, (part,), inner)
    text = "".join(inner)
    return _SPECIAL.sub(r"\\\1", text) if isinstance(part, DoubleQuoted) else text

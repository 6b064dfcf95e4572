"""Syntax outcomes: what a shell says of a line that it cannot parse."""

from __future__ import annotations

import re

from fidelity.reference import Result

_REFUSED = re.compile(
    rb"^(?:bash|ash|sh|/bin/\w+|environment|\S+): (?:-c: |eval: |line \d+: |\d+: )*"
    rb"(?:.*syntax error.*|unexpected EOF while looking for.*|.*unterminated.*|`.*"
    rb"|conditional binary operator expected.*|.*bad substitution.*|.*bad function name.*"
    rb"|here-document at line.*|warning: here-document.*)$",
    re.M,
)


def outcome(result: Result) -> tuple[bytes, ...]:
    """The messages about syntax in order; () where the line was accepted."""
    return tuple(_REFUSED.findall(result.stderr))

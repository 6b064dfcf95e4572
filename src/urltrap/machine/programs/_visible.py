"""Bytes made visible."""

from __future__ import annotations

from urltrap.machine.api import encode

_NAMES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 92: "\\\\"}


def unambiguous(text: str, width: int = 70) -> str:
    """A line as ``sed -n l`` shows it, wrapped, with "$" at its end."""
    cells = [
        _NAMES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in encode(text)
    ]
    if width <= 1:
        return "".join(cells) + "$\n"
    lines, line = [], ""
    for cell in cells:
        if len(line) + len(cell) > width - 1:
            lines.append(line + "\\\n")
            line = ""
        line += cell
    return "".join(lines) + line + "$\n"

"""The line editors' keys, and how completions are laid out."""

from __future__ import annotations

PASTE_BEGIN, PASTE_END = b"\x1b[200~", b"\x1b[201~"
KEYS = {
    b"\x1b[A": "up", b"\x1bOA": "up", b"\x1b[B": "down", b"\x1bOB": "down", b"\x1b[C": "right", b"\x1bOC": "right",
    b"\x1b[D": "left", b"\x1bOD": "left", b"\x1b[H": "home", b"\x1bOH": "home", b"\x1b[1~": "home", b"\x1b[7~": "home",
    b"\x1b[F": "end", b"\x1bOF": "end", b"\x1b[4~": "end", b"\x1b[8~": "end", b"\x1b[3~": "delete",
    b"\x1bb": "word-left", b"\x1bf": "word-right", b"\x1bd": "word-delete", b"\x1b\x7f": "word-rubout",
    b"\x1b[1;5D": "word-left", b"\x1b[1;5C": "word-right", PASTE_BEGIN: "paste", b"\x1b.": "last-argument",
}  # fmt: skip
CONTROL = {
    1: "home", 2: "left", 5: "end", 6: "right", 8: "rubout", 127: "rubout", 11: "kill-end", 12: "clear", 14: "down",
    16: "up", 21: "kill-start", 23: "kill-word", 25: "yank", 9: "tab", 18: "search", 20: "transpose",
}  # fmt: skip


def columnize(names: list[str], width: int) -> str:
    """Names in columns, filled downwards, two blanks apart, as readline lists completions."""
    longest = max(len(name) for name in names) + 2
    count = max(1, width // longest)
    rows = -(-len(names) // count)
    lines: list[str] = []
    for row in range(rows):
        cells = names[row::rows]
        lines.append("".join(cell.ljust(longest) for cell in cells[:-1]) + cells[-1])
    return "\n".join(line.rstrip() if len(names) == 1 else line for line in lines) + "\n"


def common_prefix(names: list[str]) -> str:
    """What all names begin with."""
    low, high = min(names), max(names)
    size = 0
    while size < min(len(low), len(high)) and low[size] == high[size]:
        size += 1
    return low[:size]

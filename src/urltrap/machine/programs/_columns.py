"""Cells in columns, as ls fills a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def columns(cells: Sequence[tuple[str, int]], width: int, *, across: bool = False, gap: int = 2) -> list[str]:
    """Lines of the (text, width) cells in as many columns as fit."""
    count = len(cells)
    if not count:
        return []
    for number in range(min(count, max(1, width // (1 + gap))), 0, -1):
        rows = -(-count // number)
        used = number if across else -(-count // rows)
        if used < number and not across:
            continue
        widths = [
            max(
                cells[n][1]
                for n in (
                    range(column, count, number)
                    if across
                    else range(column * rows, min(count, column * rows + rows))
                )
            )
            for column in range(used)
        ]
        if number == 1 or sum(widths) + gap * (used - 1) < width:
            break
    lines = []
    for row in range(rows):
        at = range(row * number, min(count, row * number + number)) if across else range(row, count, rows)
        line, debt = [], 0
        for column, n in enumerate(at):
            line.append(" " * debt + cells[n][0])
            debt = widths[column] + gap - cells[n][1]
        lines.append("".join(line))
    return lines

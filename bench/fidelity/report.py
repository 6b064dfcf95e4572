"""The work list: differing lines by cause, the heaviest first."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from fidelity.compare import Compared


def grouped(rows: Sequence[Compared]) -> list[tuple[str, list[Compared]]]:
    """(cause's group, its lines heaviest first), the groups by their weight."""
    groups: dict[str, list[Compared]] = defaultdict(list)
    for row in rows:
        if row.excluded is None and row.cause is not None:
            groups[row.cause.group].append(row)
    for lines in groups.values():
        lines.sort(key=lambda row: -row.weight)
    return sorted(groups.items(), key=lambda item: -sum(row.weight for row in item[1]))


def write(
    path: Path, rows: Sequence[Compared], *, causes: int | None = None, lines: int | None = None
) -> None:
    """Write the list as Markdown, or as JSON lines where the name ends in .jsonl. Holds attackers' lines: keep it
    outside of the project."""
    groups = grouped(rows)[:causes]
    if path.suffix == ".jsonl":
        path.write_text("".join(_json(row) + "\n" for _, found in groups for row in found[:lines]))
        return
    parts = ["| # | weight | lines | templates | cause |\n|--:|--:|--:|--:|---|\n"]
    for number, (group, found) in enumerate(groups, 1):
        templates = len({row.template for row in found})
        weight = sum(row.weight for row in found)
        parts.append(f"| {number} | {weight} | {len(found)} | {templates} | {_cell(group)} |\n")
    for number, (group, found) in enumerate(groups, 1):
        parts.append(f"\n### {number}. {group} ({sum(row.weight for row in found)})\n")
        seen: Counter[str] = Counter()
        for row in found:
            if seen[row.template] >= (1 if lines is not None else 3):
                continue
            seen[row.template] += 1
            if lines is not None and sum(seen.values()) > lines:
                break
            assert row.cause is not None
            parts.append(f"- {row.weight}x `{_visible(row.text, 300)}`\n  - {row.cause.where}: real "
                         f"`{_visible(row.cause.expected)}`, ours `{_visible(row.cause.got)}`\n")  # fmt: skip
    path.write_text("".join(parts))


def _json(row: Compared) -> str:
    assert row.cause is not None
    return json.dumps(
        {"cause": row.cause.group, "weight": row.weight, "line": row.text, "template": row.template,
         "where": row.cause.where, "real": row.cause.expected, "ours": row.cause.got, "programs": row.programs}
    )  # fmt: skip


def _visible(text: str, limit: int = 200) -> str:
    shown = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return shown.replace("`", "ˋ")[:limit]


def _cell(text: str) -> str:
    return _visible(text).replace("|", "\\|")

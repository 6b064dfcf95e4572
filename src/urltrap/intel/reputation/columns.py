"""Dumps in CSV whose columns are named by a header line, commented out or not."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence

from urltrap.intel.reputation.dump import LONGEST_LINE, DumpCount
from urltrap.intel.reputation.index import Entry


def read_columns(
    lines: Iterator[str],
    count: DumpCount,
    key: str,
    columns: Sequence[str],
    read: Callable[[dict[str, str]], Entry | None],
) -> Iterator[Entry]:
    """The entries of CSV lines. The header is the `#` line, or the first line, that names the column `key`; without
    one, `columns` are taken. Lines that `read` (given name → value) does not take are counted as malformed."""
    header_seen = False
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            if key in (names := _names(line.lstrip("# "))):
                columns, header_seen = names, True
            continue
        if not line.strip():
            continue
        if not header_seen and number == 1 and key in (names := _names(line)):
            columns, header_seen = names, True
            continue
        values = _values(line, columns)
        entry = read(values) if values is not None else None
        if entry is None:
            count.bad(number, line)
            continue
        count.entries += 1
        yield entry


def _names(line: str) -> list[str]:
    # URLhaus' feeds by country write "Dateadded (UTC)" and "URL".
    return [name.partition("(")[0].strip(' "\r\n').lower() for name in line.split(",")]


def _values(line: str, columns: Sequence[str]) -> dict[str, str] | None:
    if len(line) > LONGEST_LINE:
        return None
    try:
        # ThreatFox writes a blank after each comma.
        fields = next(csv.reader([line], strict=True, skipinitialspace=True), [])
    except csv.Error:
        return None
    return dict(zip(columns, fields, strict=True)) if len(fields) == len(columns) else None

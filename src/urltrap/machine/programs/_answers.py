"""What the real programs of a release say of themselves: recorded versions and usages, and the silence of filters.

The table is made by `bench/record_answers.py` from the packages that the images are made from, so that every version
agrees with the package that is installed. Its keys are "NAME\\0ARGUMENT" (the argument may be empty), its rows
[program, standard output, standard error, status].
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import zstandard

from urltrap.machine.api import Process, Program, Run, encode

Answers = Mapping[str, list[Any]]
_MAX = 16_000_000
_RELEASES = {"cloud-small": "debian-12"}
_LINKED = (frozenset({"bzip2", "bunzip2", "bzcat"}), frozenset({"unzip", "zipinfo"}))
"""Names of one file (hard links): the image knows it by one of them."""
_OF_UNWRITTEN = ""
"""Without an argument only an unwritten program says what was recorded: a written one knows better."""


class AnswersError(ValueError):
    """The table cannot be read."""


def load_answers(blob: bytes, kind: str) -> Answers:
    """The table of a persona's kind; empty for devices. AnswersError where the blob is damaged."""
    try:
        tables = json.loads(zstandard.ZstdDecompressor().decompress(blob, max_output_size=_MAX))
        found: Answers = tables.get(_RELEASES.get(kind, kind), {})
    except (zstandard.ZstdError, ValueError, AttributeError) as error:
        raise AnswersError(f"the recorded answers cannot be read ({error}): reinstall urltrap") from error
    return found


def recorded(answers: Answers, path: str, argv: list[str], program: str, *, written: bool) -> Program | None:
    """A program that says what the real one said when it was called so; None where that was not recorded.

    `path` is the file that is run, `program` what the image says it is, `written` whether the machine implements it.
    """
    if not 0 < len(argv) <= 2 or not answers:
        return None
    word = argv[1] if len(argv) == 2 else ""
    if written and word == _OF_UNWRITTEN:
        return None
    name = path.rpartition("/")[2]
    row = answers.get(f"{name}\0{word}")
    alike = next((family for family in _LINKED if program in family), {program})
    return (
        saying(row) if row is not None and row[0] in alike and (row[0] == program or name in alike) else None
    )


def saying(row: list[Any]) -> Program:
    """A program that says what was recorded."""
    _, out, err, status = row

    def say(p: Process) -> Run:
        yield from p.tick(5)
        if out:
            yield from p.write(1, encode(out))
        if err:
            yield from p.write(2, encode(err))
        return int(status)

    return say

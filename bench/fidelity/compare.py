"""Run our side of all lines in several processes and compare with what the references answered."""

from __future__ import annotations

import multiprocessing
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rich.progress import Progress

from fidelity import exclusion, syntax
from fidelity.causes import Cause, cause
from fidelity.machine import Ours
from fidelity.masking import mask
from fidelity.reference import Environment, Result, Side
from fidelity.template import fold


@dataclass(frozen=True)
class Compared:
    """One line on one side. `excluded` says why it does not count; `cause` is None where it is equal."""

    side: Side
    text: str
    weight: int
    template: str
    excluded: str | None
    cause: Cause | None = None
    refused: tuple[bytes, ...] = ()
    syntax_equal: bool = True
    programs: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """True where all that is compared agrees."""
        return self.cause is None


Task = tuple[str, int, Result, Result]
_ours: Ours | None = None
_environment: Environment | None = None


def compare(environment: Environment, tasks: Sequence[Task], jobs: int, progress: Progress) -> list[Compared]:
    """Compare (line, weight, first and second answer of the reference) on one side, `jobs` processes wide."""
    global _ours, _environment
    fold("", None)
    _ours, _environment = Ours(environment), environment  # loaded once, shared by the forked workers
    bar = progress.add_task(f"machine {environment.side}", total=len(tasks))
    found = []
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for compared in pool.imap(_one, tasks, chunksize=16):
            found.append(compared)
            progress.advance(bar)
    return found


def _one(task: Task) -> Compared:
    assert _ours is not None and _environment is not None
    text, weight, first, second = task
    side, template = _environment.side, fold(text)
    excluded = exclusion.before(text) or exclusion.after(text, side, first, second)
    if excluded is not None:
        return Compared(side, text, weight, template, excluded)
    ours, trace = _ours.run(text)
    return Compared(
        side,
        text,
        weight,
        template,
        None,
        cause(text, side, first, ours, trace),
        syntax.outcome(first),
        syntax.outcome(first) == syntax.outcome(ours),
        tuple(name.rpartition("/")[2] for name, _, _ in trace.programs),
    )


def equal_to(reference: Result, other: Result, line: str, side: Side, *, merged: bool) -> bool:
    """Whether another implementation's answer is the reference's; `merged` compares both streams as one."""
    real, theirs = mask(reference, line, side), mask(other, line, side)
    if not merged:
        return real == theirs
    return sorted((real[0] + real[1]).split(b"\n")) == sorted((theirs[0] + theirs[1]).split(b"\n")) and (
        real[2] == theirs[2]
    )


@dataclass(frozen=True)
class Figures:
    """The shares, in per cent. `templates` counts a template as equal where every compared line of it is, `syntax` the
    lines that either shell refused (`syntax_compared` of them)."""

    lines: int
    templates_compared: int
    syntax_compared: int
    templates: float
    templates_by_share: float
    weighted: float
    syntax: float
    excluded_templates: float
    excluded_weight: float

    def to_json(self) -> dict[str, float | int]:
        """As printed."""
        return {name: round(value, 2) for name, value in self.__dict__.items()}


def figures(rows: Sequence[Compared]) -> Figures:
    """The figures of a set of compared lines (both sides or one)."""
    by_template: dict[tuple[str, str], list[Compared]] = defaultdict(list)
    for row in rows:
        by_template[row.side, row.template].append(row)
    counted = [row for row in rows if row.excluded is None]
    kept = {
        key: kept for key, group in by_template.items() if (kept := [r for r in group if r.excluded is None])
    }
    refused = [row for row in counted if row.refused or not row.syntax_equal]
    return Figures(
        lines=len(rows),
        templates_compared=len(kept),
        syntax_compared=len(refused),
        templates=_share(sum(all(row.equal for row in group) for group in kept.values()), len(kept)),
        templates_by_share=_share(
            sum(sum(row.equal for row in group) / len(group) for group in kept.values()), len(kept)
        ),
        weighted=_share(sum(row.weight for row in counted if row.equal), sum(row.weight for row in counted)),
        syntax=_share(sum(row.syntax_equal for row in refused), len(refused)),
        excluded_templates=_share(len(by_template) - len(kept), len(by_template)),
        excluded_weight=_share(sum(row.weight for row in rows) - sum(row.weight for row in counted),
                               sum(row.weight for row in rows)),
    )  # fmt: skip


def _share(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole else 100.0

"""Brace expansion of bash: ``{a,b}`` and ``{1..10..2}``, over the unquoted parts of a word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from urltrap.machine.errors import BudgetError
from urltrap.machine.shell.ast import Lit, Part

_NUMBERS = re.compile(r"([-+]?\d{1,18})\.\.([-+]?\d{1,18})(?:\.\.([-+]?\d{1,18}))?\Z")
_LETTERS = re.compile(r"([A-Za-z])\.\.([A-Za-z])(?:\.\.([-+]?\d{1,18}))?\Z")
MAX_WORDS = 70_000
_MAX_DEPTH = 40

Atoms = list[str | Part]


def expand_braces(parts: Sequence[Part]) -> Iterator[tuple[Part, ...]] | None:
    """The words that the braces of `parts` make; None where there are none."""
    atoms: Atoms = []
    candidate = False
    for part in parts:
        if isinstance(part, Lit):
            atoms.extend(part.text)
            candidate = candidate or "{" in part.text
        else:
            atoms.append(part)
    if not candidate:
        return None
    made = _expand(atoms, 0)
    if len(made) == 1 and made[0] == atoms:
        return None
    return (_join(each) for each in made)


def _join(atoms: Atoms) -> tuple[Part, ...]:
    parts: list[Part] = []
    run: list[str] = []
    for atom in atoms:
        if isinstance(atom, str):
            run.append(atom)
            continue
        if run:
            parts.append(Lit("".join(run)))
            run = []
        parts.append(atom)
    if run:
        parts.append(Lit("".join(run)))
    return tuple(parts)


def _find(atoms: Atoms, start: int) -> tuple[int, int, list[int]] | None:
    """The first brace expression from `start`: (open, close, commas at its level)."""
    size = len(atoms)
    at = start
    failures = 0
    while at < size:
        if atoms[at] != "{":
            at += 1
            continue
        depth = 0
        commas: list[int] = []
        for cursor in range(at, size):
            atom = atoms[cursor]
            if atom == "{":
                depth += 1
            elif atom == "}":
                depth -= 1
                if depth == 0:
                    if commas or _sequence(atoms[at + 1 : cursor]) is not None:
                        return at, cursor, commas
                    break
            elif atom == "," and depth == 1:
                commas.append(cursor)
        failures += 1
        if failures > 200:
            return None  # unbalanced text: what follows stays as it is
        at += 1
    return None


def _expand(atoms: Atoms, depth: int) -> list[Atoms]:
    if depth > _MAX_DEPTH:
        raise BudgetError("brace nesting", _MAX_DEPTH)
    done: list[Atoms] = [[]]
    pos = 0
    while True:
        found = _find(atoms, pos)
        if found is None:
            tail = atoms[pos:]
            return [each + tail for each in done] if tail else done
        begin, end, commas = found
        before = atoms[pos:begin]
        choices: list[Atoms]
        if commas:
            choices = []
            bounds = [begin, *commas, end]
            for left, right in pairwise(bounds):
                choices.extend(_expand(atoms[left + 1 : right], depth + 1))
        else:
            sequence = _sequence(atoms[begin + 1 : end])
            assert sequence is not None  # _find checked it
            choices = [list(item) for item in sequence]
        if len(done) * len(choices) > MAX_WORDS:
            raise BudgetError("brace expansion", MAX_WORDS)
        done = [head + before + choice for head in done for choice in choices]
        pos = end + 1


def _sequence(atoms: Atoms) -> list[str] | None:
    if not all(isinstance(atom, str) for atom in atoms) or len(atoms) > 60:
        return None
    text = "".join(atom for atom in atoms if isinstance(atom, str))
    match = _NUMBERS.match(text)
    if match is not None:
        first, last = int(match[1]), int(match[2])
        width = 0
        for raw in (match[1], match[2]):
            digits = raw.lstrip("+-")
            if len(digits) > 1 and digits[0] == "0":
                width = max(len(match[1].lstrip("+")), len(match[2].lstrip("+")))
        numbers = _range(first, last, match[3])
        return [f"{number:0{width}d}" if width else str(number) for number in numbers]
    match = _LETTERS.match(text)
    if match is not None:
        return [chr(code) for code in _range(ord(match[1]), ord(match[2]), match[3])]
    return None


def _range(first: int, last: int, step_text: str | None) -> range:
    step = abs(int(step_text)) if step_text else 1
    step = step or 1
    if abs(last - first) // step >= MAX_WORDS:
        raise BudgetError("brace expansion", MAX_WORDS)
    return range(first, last + 1, step) if first <= last else range(first, last - 1, -step)

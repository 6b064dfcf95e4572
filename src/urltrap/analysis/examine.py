"""The whole analysis of one payload: everything above put together, for the payload and for what it contains."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from urltrap.analysis.archives import Budget, is_archive, unpack
from urltrap.analysis.elfdeep import elf_facts
from urltrap.analysis.kind import HEAD_BYTES, analyse
from urltrap.analysis.packers import entropy, packer
from urltrap.analysis.signatures import Signatures
from urltrap.analysis.similarity import fuzzy_hash
from urltrap.analysis.strings import MOST_FOUND, find_texts
from urltrap.model.artifact import Analysis, FoundText, Member, RuleMatch

ANALYSIS = "2"
"""Version of the analysis, kept with each; another one analyses everything again."""


@dataclass
class _Gathered:
    """What the payload and its files gave so far."""

    matches: list[RuleMatch] = field(default_factory=list)
    found: list[FoundText] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def examine(
    data: bytes,
    size: int,
    sha256: str,
    signatures: Signatures,
    magic: Callable[[bytes], tuple[str, str]] = lambda head: ("", ""),
    budget: Budget | None = None,
) -> Analysis:
    """Everything that is said of a payload.

    `data`: its bytes, cut where it is larger than what is looked at; `size` of the whole; `magic`: first bytes to
    libmagic's MIME type and description. Never raises for any bytes, executes nothing, unpacks within `budget`.
    """
    head = data[:HEAD_BYTES]
    base = analyse(head, size, sha256, magic(head))
    gathered = _Gathered()
    if len(data) < size:
        gathered.problems.append("cut")
    _scan(data, "", signatures, gathered)
    if is_archive(head):
        _open(data, "", signatures, gathered, budget or Budget(), 1)
    named = next((match for match in gathered.matches if match.family), None)
    first = named or next((match for match in gathered.matches if match.action or match.role), None)
    action = next(
        (match.action for match in [*([named] if named else []), *gathered.matches] if match.action), ""
    )
    return base.model_copy(
        update={
            "version": ANALYSIS,
            "problem": ", ".join(dict.fromkeys(gathered.problems))[:500],
            "entropy": round(entropy(data), 3),
            "tlsh": fuzzy_hash(data),
            "packer": packer(data),
            "elf": elf_facts(data) if base.kind == "elf" else None,
            "matches": list({(match.source, match.rule): match for match in gathered.matches}.values()),
            "family": named.family if named else "",
            "action": action,
            "role": first.role if first else "",
            "found": gathered.found[:MOST_FOUND],
            "members": gathered.members,
        }
    )


def _scan(data: bytes, member: str, signatures: Signatures, gathered: _Gathered) -> list[RuleMatch]:
    matches, problem = signatures.scan(data)
    gathered.matches += matches
    if problem:
        gathered.problems.append(problem)
    if len(gathered.found) < MOST_FOUND:
        gathered.found += find_texts(data, member)
    return matches


def _open(
    data: bytes, path: str, signatures: Signatures, gathered: _Gathered, budget: Budget, depth: int
) -> None:
    for item in unpack(data, budget):
        name = f"{path}!{item.path}" if path and item.path else path or item.path
        if item.problem:
            gathered.members.append(Member(path=_text(name), size=item.size, problem=item.problem))
            if not item.data:
                continue
        head = item.data[:HEAD_BYTES]
        sha256 = hashlib.sha256(item.data).hexdigest()
        seen = analyse(head, len(item.data), sha256)
        matches = _scan(item.data, _text(name), signatures, gathered)
        deeper = is_archive(head)
        problem = "too-deep" if deeper and depth >= budget.depth else item.problem
        if not item.problem:
            gathered.members.append(
                Member(
                    path=_text(name), size=len(item.data), sha256=sha256, kind=seen.kind,
                    architecture=seen.architecture, problem=problem,
                    family=next((match.family for match in matches if match.family), ""),
                )
            )  # fmt: skip
        if deeper and depth < budget.depth:
            _open(item.data, name, signatures, gathered, budget, depth + 1)


def _text(name: str) -> str:
    """An archive's name for a file as text that can be stored and shown."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")[:300]

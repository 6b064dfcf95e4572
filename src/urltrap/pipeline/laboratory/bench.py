"""What the laboratory's process does with one payload; also usable in the caller's own process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from urltrap.analysis import ANALYSIS, Budget, RulesError, Signatures, compile_rules, examine
from urltrap.model.artifact import Analysis

_LARGEST_RULES = 4_000_000


@dataclass(frozen=True, slots=True)
class Looked:
    """An analysis, or why there is none: `problem` is empty, timed-out, crashed or out-of-memory."""

    analysis: Analysis | None
    problem: str = ""


class InProcess:
    """Examines here and now, without limits: inside the laboratory's process, and in tests."""

    def __init__(
        self,
        signatures: Signatures,
        version: str,
        magic: Callable[[bytes], tuple[str, str]] = lambda head: ("", ""),
    ) -> None:
        self._signatures = signatures
        self._magic = magic
        self._version = version

    @property
    def version(self) -> str:
        """Version of the analysis with these rules."""
        return self._version

    @classmethod
    def from_folder(
        cls, folder: Path | None, magic: Callable[[bytes], tuple[str, str]] = lambda head: ("", "")
    ) -> tuple[InProcess, tuple[RulesError, ...]]:
        """An examiner with the package's rules and those of the operator's folder, and the files that are unusable."""
        sources, errors = load_rules(folder)
        signatures = compile_rules(sources)
        return cls(signatures, rules_version(sources), magic), (*errors, *signatures.errors)

    def examine(self, data: bytes, size: int, sha256: str) -> Looked:
        """The analysis of a payload's first bytes (`size` is that of the whole)."""
        found = examine(data, size, sha256, self._signatures, self._magic, Budget())
        return Looked(found.model_copy(update={"version": self._version}))

    def close(self) -> None:
        """Nothing is held."""


def load_rules(folder: Path | None) -> tuple[dict[str, str], list[RulesError]]:
    """Rules files by name: the package's own, then ``*.yar`` and ``*.yara`` of the operator's folder."""
    own = files("urltrap.analysis") / "rules"
    sources = {
        item.name: item.read_text("utf-8")
        for item in sorted(own.iterdir(), key=lambda item: item.name)
        if item.name.endswith(".yar")
    }
    errors: list[RulesError] = []
    if folder is None or not folder.is_dir():
        return sources, errors
    for path in sorted([*folder.rglob("*.yar"), *folder.rglob("*.yara")]):
        name = f"yara.d/{path.relative_to(folder)}"
        try:
            if path.stat().st_size > _LARGEST_RULES:
                errors.append(RulesError(name, f"larger than {_LARGEST_RULES:,} bytes; split it"))
                continue
            sources[name] = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            errors.append(RulesError(name, f"cannot be read: {error}"))
    return sources, errors


def rules_version(sources: dict[str, str]) -> str:
    """Version of the analysis with these rules: other rules, other version."""
    digest = hashlib.sha256("\0".join(f"{name}\0{text}" for name, text in sorted(sources.items())).encode())
    return f"{ANALYSIS}.{digest.hexdigest()[:10]}"

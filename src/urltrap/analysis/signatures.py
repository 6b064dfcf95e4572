"""YARA rules, compiled and run: the package's own, and the operator's beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import yara_x

from urltrap.model.artifact import RuleMatch

_MOST_MATCHES = 50
_SCAN_SECONDS = 10


@dataclass(frozen=True, slots=True)
class RulesError:
    """A rules file that cannot be used, and why; the others are."""

    source: str
    reason: str


@dataclass(frozen=True)
class Signatures:
    """Compiled rules. `errors` names the files that were left out."""

    rules: yara_x.Rules
    errors: tuple[RulesError, ...] = field(default=())

    def scan(self, data: bytes) -> tuple[list[RuleMatch], str]:
        """The rules that hit, the family's first, and what kept the scan from its end (empty: nothing did)."""
        scanner = yara_x.Scanner(self.rules)
        scanner.set_timeout(_SCAN_SECONDS)
        try:
            found = scanner.scan(data).matching_rules
        except yara_x.TimeoutError:
            return [], "rules timed out"
        except yara_x.ScanError as error:
            return [], f"rules failed: {str(error)[:200]}"
        matches = [_match(rule) for rule in found][:_MOST_MATCHES]
        matches.sort(key=lambda match: (not match.family, match.rule))
        return matches, ""


def compile_rules(sources: Mapping[str, str]) -> Signatures:
    """Compile rules files, name → text. A file that does not compile is left out and named in `errors`."""
    errors = []
    good = {}
    for source, text in sources.items():
        try:
            # Each is tried alone first: an error in the shared compiler would leave half of a file in it.
            _add(yara_x.Compiler(), source, text)
        except yara_x.CompileError as error:
            errors.append(RulesError(source, str(error).strip()[:500]))
            continue
        good[source] = text
    compiler = yara_x.Compiler()
    for source, text in good.items():
        _add(compiler, source, text)
    return Signatures(compiler.build(), tuple(errors))


def _add(compiler: yara_x.Compiler, source: str, text: str) -> None:
    # Two files may name a rule alike: each file is a namespace. Rules cannot include files of the disk.
    compiler.enable_includes(False)
    compiler.new_namespace(source)
    compiler.add_source(text, origin=source)


def _match(rule: yara_x.Rule) -> RuleMatch:
    said = {key: str(value)[:80] for key, value in rule.metadata}
    return RuleMatch(
        rule=rule.identifier[:120],
        source=rule.namespace[:200],
        family=said.get("family", said.get("malware_family", "")),
        action=said.get("action", ""),
        role=said.get("role", ""),
    )

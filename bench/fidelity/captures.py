"""Recorded answers of the references, kept outside of the project: by hash of line and environment, never the line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from fidelity.reference import Environment, Result


class Captures:
    """The answers of one environment: two runs of each line. Appended as they come, so that a stop loses nothing."""

    def __init__(self, folder: Path, environment: Environment) -> None:
        self.path = folder / f"captures-{environment.side}-{environment.version}.jsonl"
        self.environment = environment
        self._known: dict[str, tuple[Result, Result]] = {}
        if self.path.is_file():
            for row in self.path.read_text().splitlines():
                if row.endswith("}"):
                    kept = json.loads(row)
                    self._known[kept["key"]] = (
                        Result.from_json(kept["first"]),
                        Result.from_json(kept["second"]),
                    )

    def key(self, line: str) -> str:
        """The line's name in the cache."""
        return hashlib.sha256(
            f"{self.environment.version}\0{line}".encode("utf-8", "surrogateescape")
        ).hexdigest()[:24]

    def get(self, line: str) -> tuple[Result, Result] | None:
        """The two recorded answers; None where the line was not recorded."""
        return self._known.get(self.key(line))

    def put(self, line: str, first: Result, second: Result) -> None:
        """Keep two answers."""
        key = self.key(line)
        self._known[key] = (first, second)
        row = {"key": key, "first": first.to_json(), "second": second.to_json()}
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")

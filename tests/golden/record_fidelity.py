"""Records what a real bash and a real ash answer to our own lines: `python tests/golden/record_fidelity.py`, as root.

The lines are in fidelity_lines.json, which is written anew with the answers of the cells (see bench/fidelity.py).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from fidelity.machine import Ours  # noqa: E402
from fidelity.reference import KINDS, Cells, load  # noqa: E402

LINES = Path(__file__).with_name("fidelity_lines.json")
CACHE = Path("~/.cache/urltrap-fidelity").expanduser()


def main() -> None:
    """Ask for every line once and write the answers."""
    kept = json.loads(LINES.read_text(encoding="utf-8"))
    for side in KINDS:
        environment = load(side, CACHE)
        cells = Cells(environment, Ours(environment).shell_env())
        try:
            for row in kept[side]:
                answer = cells.run(row["line"])
                row.update(stdout=answer.stdout.decode(), stderr=answer.stderr.decode(), status=answer.status)
        finally:
            cells.close()
    LINES.write_text(json.dumps(kept, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""How much our machine is like a real one: attackers' lines in Debian's bash, in BusyBox's ash, and in machine/.

    python bench/fidelity.py [--diff OUT.md|OUT.jsonl] [--only PATTERN] [--program NAME] [--limit N]
                             [--jobs N] [--rebuild] [--root DIR] [--commands FILE] [--cowrie]

The references are made once in --root (default ~/.cache/urltrap-fidelity; root, mmdebstrap and busybox needed) and
asked only for lines that are not recorded there: later runs need only our side. Lines run only in cells without
network (`fidelity/cell.py`). Prints one JSON line; all shares are per cent. What is folded before comparing is the
table in `fidelity/masking.py`, what is left out the rule in `fidelity/exclusion.py`.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from fidelity import exclusion, lines, report  # noqa: E402
from fidelity.captures import Captures  # noqa: E402
from fidelity.compare import Compared, Task, compare, figures  # noqa: E402
from fidelity.machine import Ours  # noqa: E402
from fidelity.record import record  # noqa: E402
from fidelity.reference import KINDS, ReferenceError, Side, can_run, load  # noqa: E402
from fidelity.template import fold  # noqa: E402


def run_side(
    side: Side, chosen: list[lines.Line], options: argparse.Namespace, progress: Progress
) -> tuple[list[Compared], Captures]:
    """Record what is missing (where that can be done here), compare the rest."""
    environment = load(side, options.root, rebuild=options.rebuild)
    if environment.stale:
        print(f"{side}: the machine's image changed since the reference was made: --rebuild", file=sys.stderr)
    captures = Captures(options.root, environment)
    texts = [line.text for line in chosen]
    if can_run() == "":
        env = Ours(environment).shell_env()
        wanted = [text for text in texts if exclusion.before(text) is None]
        record(environment, captures, wanted, env, options.jobs, progress)
    tasks: list[Task] = []
    left_out: list[Compared] = []
    for line in chosen:
        reason = exclusion.before(line.text)
        answers = captures.get(line.text)
        if reason is not None:
            left_out.append(Compared(side, line.text, line.weight, fold(line.text), reason))
        elif answers is not None:
            tasks.append((line.text, line.weight, *answers))
    return left_out + compare(environment, tasks, options.jobs, progress), captures


def main() -> None:
    """Parse, run both sides, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--commands", type=Path, default=ROOT.parent / "shared" / "data" / "commands.jsonl")
    parser.add_argument("--root", type=Path, default=Path("~/.cache/urltrap-fidelity").expanduser())
    parser.add_argument(
        "--diff", type=Path, help="write the differing lines by cause (outside of the project)"
    )
    parser.add_argument("--causes", type=int, help="of --diff: only the heaviest N causes")
    parser.add_argument("--examples", type=int, help="of --diff: at most N lines of each cause")
    parser.add_argument("--only", help="a regular expression that the line must hold")
    parser.add_argument("--program", help="only lines in which our machine ran this program or builtin")
    parser.add_argument("--limit", type=int, help="only the N lines that were seen most")
    parser.add_argument("--side", choices=sorted(KINDS), help="only one of the machines")
    parser.add_argument(
        "--rebuild", action="store_true", help="furnish the references again and record all anew"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--cowrie", action="store_true", help="the same figure for Cowrie (recorded in --root)"
    )
    options = parser.parse_args()
    if not options.commands.is_file():
        parser.error(f"{options.commands} is not there: give a file of command lines with --commands")
    chosen = lines.only(lines.read(options.commands), options.only, options.limit)
    started = time.monotonic()
    rows: list[Compared] = []
    printed: dict[str, Any] = {
        "bench": "fidelity",
        "lines": len(chosen),
        "weight": sum(li.weight for li in chosen),
    }
    with Progress(console=Console(stderr=True)) as progress:
        for side in KINDS:
            if options.side not in (None, side):
                continue
            mine = [line for line in chosen if side in lines.sides(line)]
            try:
                found, captures = run_side(side, mine, options, progress)
            except ReferenceError as error:
                parser.exit(2, f"{error}\n")
            if options.program:
                found = [row for row in found if options.program in row.programs]
            printed[side] = figures(found).to_json()
            rows += found
            if side == "bash" and options.cowrie:
                from fidelity.cowrie import cowrie_figures

                printed["cowrie"] = cowrie_figures(
                    options.root, captures.environment, found, captures, progress
                )
    printed["both"] = figures(rows).to_json()
    printed["excluded"] = dict(collections.Counter(row.excluded for row in rows if row.excluded))
    printed["seconds"] = round(time.monotonic() - started, 1)
    if options.diff:
        report.write(options.diff, rows, causes=options.causes, lines=options.examples)
    print(json.dumps(printed))
    if printed["both"]["excluded_templates"] > 100 * exclusion.LIMIT and not options.only:
        print("more than a tenth of the templates is left out: the rule is too wide", file=sys.stderr)


if __name__ == "__main__":
    main()

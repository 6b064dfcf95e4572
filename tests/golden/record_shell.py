"""Record what the real shells answer to the shell's cases: ``python tests/golden/record_shell.py``.

Needs bash, dash and busybox. Runs only the lines of tests/machine/shell/cases.txt, each in an empty folder of its own,
and writes tests/machine/shell/golden.json (dialect → list of [script, status, stdout, stderr]).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent / "machine" / "shell"
PROGRAMS = {"bash": "bash", "dash": "dash", "ash": "busybox"}
FOLDER = "/tmp/w"


def cases() -> list[str]:
    """The scripts, in the order of the file."""
    return (HERE / "cases.txt").read_text().rstrip("\n").split("\n%%\n")


def run_real(dialect: str, script: str) -> tuple[int, str, str] | None:
    """(status, stdout, stderr) of the real shell; None where it is not installed."""
    program = shutil.which(PROGRAMS[dialect], path="/usr/bin:/bin")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [dialect, "-c", script],
            executable=program,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "HOME": "/root"},
            timeout=20,
            check=False,
        )
        texts = [
            data.decode("utf-8", "surrogateescape").replace(folder, FOLDER)
            for data in (done.stdout, done.stderr)
        ]
        return done.returncode, texts[0], texts[1]


def main() -> int:
    """Write the fixture."""
    golden: dict[str, list[list[object]]] = {}
    for dialect in PROGRAMS:
        rows: list[list[object]] = []
        for script in cases():
            answer = run_real(dialect, script)
            if answer is None:
                print(
                    f"{PROGRAMS[dialect]} is not installed: apt-get install {PROGRAMS[dialect]}",
                    file=sys.stderr,
                )
                return 1
            rows.append([script, *answer])
        golden[dialect] = rows
    (HERE / "golden.json").write_text(json.dumps(golden, indent=0, ensure_ascii=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

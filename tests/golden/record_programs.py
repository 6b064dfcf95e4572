"""Record what the real programs of Debian 12 answer: ``python tests/golden/record_programs.py`` on such a machine.

Reads ``programs.txt`` (one command line each), runs every line with bash in a new empty folder without network, and
writes stdout, stderr and status to ``programs.json``. Lines whose program is missing there are left out, visibly.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/root"}


def lines() -> list[str]:
    """The command lines; an arrow stands for a newline in one."""
    text = (HERE / "programs.txt").read_text()
    return [line.replace("⏎", "\n") for line in text.splitlines() if line and not line.startswith("#")]


def record(line: str) -> dict[str, object]:
    """What one line gives."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=folder,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
        )
    return {
        "line": line,
        "status": done.returncode,
        "out": base64.b64encode(done.stdout).decode(),
        "err": base64.b64encode(done.stderr).decode(),
    }


def main() -> int:
    """Record everything."""
    found = []
    for line in lines():
        answer = record(line)
        if answer["status"] == 127 and b"command not found" in base64.b64decode(str(answer["err"])):
            print(f"left out, a program is missing here: {line}", file=sys.stderr)
            continue
        found.append(answer)
    (HERE / "programs.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

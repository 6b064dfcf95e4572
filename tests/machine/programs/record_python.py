"""Record what Debian 12's python3 does with scripts: ``python tests/machine/programs/record_python.py [FILE...]``.

Run it as root on such a machine. The scripts of each FILE, between lines that are "# ---", are run as /tmp/t.py in a
mount namespace whose changes are thrown away and which has no network, and added to python_recorded.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from recorded.record import ENVIRONMENT, SCRATCH

HERE = Path(__file__).resolve().parent


def record(script: str) -> dict[str, object]:
    """What one script gives."""
    Path("/tmp/t.py").write_text(f"{script}\n", "utf-8")
    done = subprocess.run(
        ["/usr/bin/python3", "/tmp/t.py"], cwd="/tmp", env={**ENVIRONMENT, "LC_ALL": "C.UTF-8"}, timeout=20,
        stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    return {"script": script, "status": done.returncode, "out": done.stdout, "err": done.stderr}


def main(files: list[str]) -> int:
    """Record the scripts of the files that are named."""
    if os.environ.get("RECORDING") != "1":
        with tempfile.TemporaryDirectory() as folder:
            for number, file in enumerate(files):
                Path(folder, str(number)).write_bytes(Path(file).read_bytes())
            again = ["bash", "-c", SCRATCH, "record", folder, sys.executable, __file__]
            done = subprocess.run(
                ["unshare", "--mount", "--net", *again, *map(str, range(len(files)))],
                env={**os.environ, "RECORDING": "1"},
                stdout=subprocess.PIPE,
                check=False,
            )
        kept = HERE / "python_recorded.json"
        rows = {row["script"]: row for row in json.loads(kept.read_text("ascii")) + json.loads(done.stdout)}
        kept.write_text(json.dumps(list(rows.values()), indent=1, sort_keys=True) + "\n", "ascii")
        return done.returncode
    texts = [Path("/tmp", file).read_text("utf-8") for file in files]
    scripts = [each.strip("\n") for text in texts for each in text.split("\n# ---\n")]
    json.dump([record(each) for each in scripts], sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Record what the real programs of Debian 12 answer: ``python tests/machine/programs/recorded/record.py [TOPIC...]``.

Run it as root on such a machine. Every TOPIC.txt beside this file holds command lines, one a line; "⏎" stands for a
newline in one, a line that begins with "%setup " is run before each of them. Each runs with bash in a new /tmp/s, in
a mount namespace without network whose /etc, /home, /var and /tmp are thrown away afterwards and where awk is mawk,
Debian's own. TOPIC.json keeps stdout and stderr (as Latin-1, so that each character is one byte) and the status.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root", "TZ": "UTC"}
SCRATCH = """\
set -e
mount -t tmpfs none /mnt
for each in etc home var root; do
  mkdir -p /mnt/$each/upper /mnt/$each/work
  mount -t overlay overlay -o lowerdir=/$each,upperdir=/mnt/$each/upper,workdir=/mnt/$each/work /$each
done
mount --bind "$1" /tmp
chmod 1777 /tmp
shift
ln -sf /usr/bin/mawk /etc/alternatives/awk
exec "$@"
"""


def read(topic: str) -> tuple[str, list[str]]:
    """The set-up and the command lines of a topic."""
    setup, lines = [], []
    for line in (HERE / f"{topic}.txt").read_text("utf-8").splitlines():
        if line.startswith("%setup "):
            setup.append(line.removeprefix("%setup ").replace("⏎", "\n"))
        elif line and not line.startswith("#"):
            lines.append(line.replace("⏎", "\n"))
    return "\n".join(setup), lines


def record(setup: str, line: str) -> dict[str, object]:
    """What one line gives."""
    subprocess.run(
        ["bash", "-c", f"rm -rf /tmp/s; mkdir /tmp/s; cd /tmp/s\n{setup}"], env=ENVIRONMENT, check=True
    )
    done = subprocess.run(
        ["bash", "-c", line],
        cwd="/tmp/s",
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    return {
        "line": line,
        "status": done.returncode,
        "out": done.stdout.decode("latin-1"),
        "err": done.stderr.decode("latin-1"),
    }


def main(topics: list[str]) -> int:
    """Record the topics that are named, or all."""
    if os.environ.get("RECORDING") != "1":
        with tempfile.TemporaryDirectory() as folder:
            again = ["bash", "-c", SCRATCH, "record", folder, sys.executable, __file__, *topics]
            # The results leave the namespace as output: the folders that it changes are thrown away.
            done = subprocess.run(
                ["unshare", "--mount", "--net", *again],
                env={**os.environ, "RECORDING": "1"},
                stdout=subprocess.PIPE,
                check=False,
            )
        for topic, rows in json.loads(done.stdout or b"{}").items():
            (HERE / f"{topic}.json").write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", "ascii")
        return done.returncode
    found: dict[str, list[dict[str, object]]] = {}
    for topic in topics or sorted(path.stem for path in HERE.glob("*.txt")):
        setup, lines = read(topic)
        found[topic] = []
        for line in lines:
            answer = record(setup, line)
            if answer["status"] == 127 and "command not found" in str(answer["err"]):
                print(f"left out, a program is missing here: {line}", file=sys.stderr)
                continue
            found[topic].append(answer)
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

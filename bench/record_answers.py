"""What real programs say of themselves, recorded into the machine's data: versions, and the usage of those unwritten.

    python bench/record_answers.py OUT.json.zst --tree debian-12=DIR --tree debian-13=DIR [--jobs N]

Each DIR is a root file system as `urltrap image build` makes one (mmdebstrap with its packages). Every name in its
PATH is asked in closed cells (`fidelity/cell.py`; root needed), twice; what is not the same twice, takes too long or
names the cell itself is left out. Of the programs that the machine implements only version and help are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import zstandard

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from fidelity.reference import Cells, Environment, Result, _shift, persona_from_nothing  # noqa: E402
from urltrap.machine.programs.busybox.usages import APPLETS as PLACES  # noqa: E402
from urltrap.machine.programs.registry import load_all, lookup  # noqa: E402
from urltrap.ops.image_build import PROGRAM_NAMES  # noqa: E402

FOLDERS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin")
VERSION = ("--version", "-V", "-version", "-v")
HELP = "--help"
SPECIAL = (
    ("openssl", "version"),
    ("perl", "-v"),
    ("python3", "-V"),
    ("ssh", "-V"),
    ("nft", "-v"),
    ("apt-get", "-v"),
    ("nc", "-h"),
    ("wget", "-h"),
    ("curl", "-h"),
    ("ss", "-h"),
    ("ip", "help"),
    ("perl", "-h"),
    ("python3", "-h"),
    ("systemctl", "-h"),
    ("apt", "-h"),
    ("apt-get", "-h"),
    ("apt", ""),
    ("apt-get", ""),
    ("dircolors", "-p"),
    ("ssh-keygen", "-?"),
    ("bridge", "-V"),
    ("tc", "-V"),
    ("ip", "-V"),
)
"""Versions and helps that are asked for in another way, also of programs that the machine implements."""
SHOWS_THE_MACHINE = frozenset({
    "ctstat", "lnstat", "localectl", "losetup", "lsfd", "lsirq", "lslocks", "lsns", "nstat", "rtacct", "rtstat",
    "tload", "zramctl", "expiry", "faillog", "faillock", "grpck", "pwck", "systemd-firstboot",
    "systemd-sysusers", "systemd-analyze", "grpconv", "grpunconv", "pwconv", "pwunconv", "update-passwd",
})  # fmt: skip
"""Without an operand these show, or change, what the cell is: that is not recorded."""
MAX_BYTES = 6_000
MAX_HELP_BYTES = 40_000
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8",
       "SHELL": "/bin/bash", "USER": "root", "LOGNAME": "root"}  # fmt: skip


def names(tree: Path) -> dict[str, str]:
    """Names in PATH that are programs, and the name of the program behind each as the image calls it."""
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for path in sorted((tree / folder).iterdir()) if (tree / folder).is_dir() else ():
            real = path
            for _ in range(10):
                if not real.is_symlink():
                    break
                target = os.readlink(real)
                real = tree / target.lstrip("/") if target.startswith("/") else real.parent / target
            if not real.is_file() or not real.stat().st_mode & stat.S_IXUSR:
                continue
            found.setdefault(path.name, PROGRAM_NAMES.get(real.name, real.name))
    return found


def ask(environment: Environment, known: dict[str, str], jobs: int) -> dict[str, list[object]]:
    """Answers by "NAME\\0ARGUMENT" (the argument may be empty): [program, stdout, stderr, status]."""
    programs = load_all()
    questions = []
    for name, program in sorted(known.items()):
        written = program in programs
        for word in (*VERSION[:2], HELP) if written else (*VERSION, HELP, ""):
            if word or name not in SHOWS_THE_MACHINE:
                questions.append((name, word, program))
    questions += [(name, word, known[name]) for name, word in SPECIAL if name in known]
    pools = [Cells(environment, ENV) for _ in range(jobs)]
    free = list(pools)

    def one(question: tuple[str, str, str]) -> tuple[str, list[object]] | None:
        name, word, program = question
        cells = free.pop()
        try:
            line = f"{name} {word} </dev/null" if word else f"{name} </dev/null"
            first, second = cells.run(line), cells.run(line)
        finally:
            free.append(cells)
        helped = (name, word) in SPECIAL or word == HELP
        if first != second or not usable(first, environment.persona.hostname, word, helped):
            return None
        texts = [each.decode("utf-8", "surrogateescape") for each in (first.stdout, first.stderr)]
        if word in VERSION[1:] and not any(char.isdigit() for char in "".join(texts)):
            return None
        return f"{name}\0{word}", [program, *texts, first.status]

    with ThreadPoolExecutor(jobs) as workers:
        answers = dict(each for each in workers.map(one, questions) if each is not None)
    for cells in pools:
        cells.close()
    return answers


def usable(answer: Result, hostname: str, word: str = "", helped: bool = False) -> bool:
    """Whether an answer is about the program, not about the cell that it ran in. Silence counts where nothing was asked
    for: a filter whose input ends at once says nothing."""
    text = answer.stdout + answer.stderr
    foreign = [hostname.encode(), b"booted with systemd"]
    if not helped and word != VERSION[0]:
        foreign += [b"/tmp/", b"D-Bus", b"/proc", b"uid_map", b"dbus"]
    return (
        answer.ended == "exit"
        and answer.status is not None
        and (answer.status < 126 or answer.status == 255)
        and (len(text) > 0 or not word)
        and len(text) <= (MAX_HELP_BYTES if helped else MAX_BYTES)
        and not any(each in text for each in foreign)
    )


def applets(environment: Environment, jobs: int) -> dict[str, list[object]]:
    """The same of BusyBox' unwritten applets without operands, as "busybox\\0APPLET"."""
    from urltrap.machine.programs._cmd import APPLETS

    load_all()
    cells = Cells(environment, ENV)
    answers: dict[str, list[object]] = {}
    for name in PLACES:
        if APPLETS.get(name) or lookup(name):
            continue
        first, second = (cells.run(f"busybox {name} </dev/null") for _ in range(2))
        if (
            first == second
            and first.stdout + first.stderr
            and usable(first, environment.persona.hostname)
            and b"device" not in first.stderr
        ):
            texts = [each.decode("utf-8", "surrogateescape") for each in (first.stdout, first.stderr)]
            answers[f"busybox\0{name}"] = ["busybox", *texts, first.status]
    cells.close()
    return answers


def main() -> None:
    """Ask and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    parser.add_argument("--tree", action="append", required=True, metavar="KIND=DIR")
    parser.add_argument("--jobs", type=int, default=8)
    options = parser.parse_args()
    found: dict[str, dict[str, list[object]]] = {}
    for pair in options.tree:
        kind, _, folder = pair.partition("=")
        with tempfile.TemporaryDirectory(dir=Path(folder).parent, prefix="answers-") as scratch:
            os.chmod(scratch, 0o755)
            tree = Path(scratch, "tree")
            subprocess.run(["cp", "-a", folder, str(tree)], check=True)
            _shift(tree)
            environment = Environment("bash", tree, persona_from_nothing(kind, 1_790_000_000.0), "answers")
            found[kind] = ask(environment, names(tree), options.jobs) | applets(environment, options.jobs)
        print(f"{kind}: {len(found[kind])} answers", file=sys.stderr)
    text = json.dumps(found, separators=(",", ":"), sort_keys=True).encode()
    options.output.write_bytes(zstandard.ZstdCompressor(level=19).compress(text))
    print(
        json.dumps(
            {"bytes": options.output.stat().st_size, **{kind: len(rows) for kind, rows in found.items()}}
        )
    )


if __name__ == "__main__":
    main()

"""BusyBox's own shell tests over our ash: passed and total per section, as one JSON line.

    apt-get source busybox
    python bench/ash_test.py busybox-1.35.0/shell/ash_test [--section ash-vars] [--show] [--reference]

Each ``NAME.tests`` runs in a machine of its own; what it prints must equal ``NAME.right``. `--show` prints the first
differing lines, `--reference` asks the installed busybox the same (in bubblewrap), which shows what a build with other
options fails, too. Nothing of the suite is part of this project.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.machine.programs.support import CONNECTION, NOW, installation

from urltrap.machine.effects import Output
from urltrap.machine.machine import Machine
from urltrap.model.settings import SessionLimits

HELPERS = {
    "recho": """#!/t/bin/ash
i=1
for a; do
	printf "argv[%d] = <%s>\\n" $i "$a" | sed "$(printf 's/\\177/^?/g;s/\\001/^A/g')"
	i=$((i+1))
done
""",
    "zecho": """#!/t/bin/ash
printf "%s" "$1"
[ $# -gt 0 ] && shift
for a; do printf " %s" "$a"; done
echo
""",
    "printenv": """#!/t/bin/ash
if [ $# = 0 ]; then exec /usr/bin/env; fi
eval "v=\\${$1-}"
echo "$v"
""",
}
"""The suite's three small C programs, as scripts."""
LIMITS = SessionLimits(steps_per_command=4_000_000, output_bytes=4_000_000)
_EXCUSED = b"ash: using fallback suid method\n"


def options(folder: Path) -> dict[str, str]:
    """Every build option that a test asks for, as switched on."""
    found: set[str] = set()
    for path in folder.rglob("*"):
        if path.is_file():
            found.update(re.findall(r"CONFIG_\w+", path.read_bytes().decode("latin-1")))
    return dict.fromkeys(sorted(found), "y")


def ours(section: Path, name: str, environment: dict[str, str]) -> bytes:
    """What our ash prints for one test."""
    persona, image = installation("debian-12")
    counter = itertools.count(7)
    machine = Machine(
        image, persona, entropy=lambda below: next(counter) * 2_654_435_761 % below, limits=LIMITS
    )
    view = machine.view(0)
    view.mkdir("/t")
    view.mkdir("/t/bin")
    view.mkdir("/t/work")
    for program, text in HELPERS.items():
        view.write(f"/t/bin/{program}", text.encode(), mode=0o755)
    view.symlink("/bin/busybox", "/t/bin/ash")
    for path in section.iterdir():
        if path.is_file():
            view.write(f"/t/work/{path.name}", path.read_bytes(), mode=path.stat().st_mode & 0o777)
    exports = " ".join(f"{key}={value}" for key, value in environment.items())
    job = machine.login("root", CONNECTION, NOW).exec(
        f"cd /t/work; exec env {exports} THIS_SH=/t/bin/ash PATH=/t/bin:$PATH /t/bin/ash ./{name} 2>&1"
    )
    job.receive_eof()
    out = b""
    now = NOW
    for _ in range(20_000):
        out += b"".join(each.data for each in job.step(now) if isinstance(each, Output))
        if job.runnable:
            continue
        if job.wake_at is None or now > NOW + 300:
            break
        now = max(now, job.wake_at)
    job.end()
    return out


def real(section: Path, name: str, environment: dict[str, str]) -> bytes:
    """What the installed busybox prints for it, without network and without what is around."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise SystemExit("no busybox is installed: apt-get install busybox, or leave --reference out")
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch, "work")
        shutil.copytree(section, work)
        tools = Path(scratch, "bin")
        tools.mkdir()
        for program, text in HELPERS.items():
            (tools / program).write_text(text)
            (tools / program).chmod(0o755)
        (tools / "ash").symlink_to(busybox)
        command = ["bwrap", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib",
                   "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind",
                   scratch, "/t", "--unshare-all", "--die-with-parent", "--clearenv", "--chdir", "/t/work"]  # fmt: skip
        for key, value in {**environment, "THIS_SH": "/t/bin/ash", "PATH": "/t/bin:/usr/bin:/bin"}.items():
            command += ["--setenv", key, value]
        try:
            done = subprocess.run([*command, "/t/bin/ash", f"./{name}"], stdin=subprocess.DEVNULL, timeout=20,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)  # fmt: skip
        except subprocess.TimeoutExpired as late:
            return late.stdout or b""
        return done.stdout


def first_difference(got: bytes, right: bytes) -> str:
    """The first line that differs, both ways."""
    for number, (mine, theirs) in enumerate(itertools.zip_longest(got.split(b"\n"), right.split(b"\n"))):
        if mine != theirs:
            return f"line {number + 1}: {mine!r} instead of {theirs!r}"
    return ""


def main() -> None:
    """Run the suite."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--section", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--reference", action="store_true")
    given = parser.parse_args()
    if not (given.folder / "ash-vars").is_dir():
        raise SystemExit(
            f"{given.folder} has no ash-vars: name the shell/ash_test folder of BusyBox's source"
        )
    environment = options(given.folder)
    sections: dict[str, str] = {}
    passed = total = real_passed = both = 0
    for section in sorted(given.folder.glob("ash-*")):
        if (
            not section.is_dir()
            or (given.section and section.name != given.section)
            or section.name == "ash-z_slow"
        ):
            continue
        good = every = 0
        for test in sorted(section.glob("*.tests")):
            right_file = test.with_suffix(".right")
            if not right_file.is_file() or (given.only and given.only not in test.name):
                continue
            if not test.stat().st_mode & 0o111:
                continue
            right = right_file.read_bytes()
            every += 1
            got = ours(section, test.name, environment).replace(_EXCUSED, b"")
            good += got == right
            real_good = (
                not given.reference or real(section, test.name, environment).replace(_EXCUSED, b"") == right
            )
            real_passed += real_good
            both += real_good and got == right
            if got != right and given.show:
                print(f"{section.name}/{test.name}{'' if real_good else ' (the real one fails, too)'}: "
                      f"{first_difference(got, right)}", file=sys.stderr)  # fmt: skip
        sections[section.name] = f"{good}/{every}"
        passed, total = passed + good, total + every
    result: dict[str, object] = {"bench": "ash_test", "passed": passed, "total": total,
                                 "percent": round(100 * passed / max(1, total), 2), "sections": sections}  # fmt: skip
    if given.reference:
        result["installed_busybox_passed"] = real_passed
        result["of_those_ours_passed"] = both
    print(json.dumps(result))


if __name__ == "__main__":
    main()

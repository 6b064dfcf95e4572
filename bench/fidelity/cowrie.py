"""The peer's figure: the same lines in Cowrie's shell emulation, by its own server over SSH on loopback."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import Progress

from fidelity.captures import Captures
from fidelity.compare import Compared, equal_to
from fidelity.reference import Environment, ReferenceError, Result


def cowrie_figures(
    folder: Path, environment: Environment, rows: Sequence[Compared], captures: Captures, progress: Progress
) -> dict[str, Any]:
    """Templates equal and weighted share for Cowrie: one line of each template (the one seen most), told by the weight
    of the whole template. `merged`: both streams taken as one and lines in any order, as Cowrie sends errors to
    stdout."""
    heads, weights = _heads(rows)
    answers = _answers(folder, environment, [row.text for row in heads], progress)
    told: dict[str, Any] = {"version": _version(folder), "templates_tried": len(heads)}
    for name, merged in (("", False), ("_merged", True)):
        equal = []
        for row in heads:
            known, answer = captures.get(row.text), answers[row.text]
            if (
                known
                and answer.ended == "exit"
                and equal_to(known[0], answer, row.text, "bash", merged=merged)
            ):
                equal.append(row)
        told[f"templates{name}"] = round(100 * len(equal) / max(1, len(heads)), 2)
        weight = sum(weights[row.template] for row in equal)
        told[f"weighted{name}"] = round(100 * weight / max(1, sum(weights.values())), 2)
    return told


def _heads(rows: Sequence[Compared]) -> tuple[list[Compared], dict[str, int]]:
    best: dict[str, Compared] = {}
    weights: dict[str, int] = defaultdict(int)
    for row in rows:
        if row.excluded is None:
            weights[row.template] += row.weight
            if row.template not in best or row.weight > best[row.template].weight:
                best[row.template] = row
    return list(best.values()), weights


def _answers(
    folder: Path, environment: Environment, texts: list[str], progress: Progress
) -> dict[str, Result]:
    """Cowrie's answers, from the cache or asked now."""
    path = folder / f"cowrie-{_version(folder)}-{environment.version}.jsonl"
    keys = Captures(folder, environment)
    known: dict[str, Result] = {}
    if path.is_file():
        for line in path.read_text().splitlines():
            row = json.loads(line)
            known[row["key"]] = Result.from_json(row)
    missing = [text for text in texts if keys.key(text) not in known]
    if missing:
        bar = progress.add_task("cowrie", total=len(missing))
        with path.open("a") as file:
            for text, answer in zip(missing, _ask(folder, environment, missing), strict=True):
                row = {"key": keys.key(text), **answer}
                known[row["key"]] = Result.from_json(row)
                file.write(json.dumps(row) + "\n")
                progress.advance(bar)
    return {text: known[keys.key(text)] for text in texts}


def _ask(folder: Path, environment: Environment, texts: list[str]) -> Any:
    with tempfile.TemporaryDirectory(prefix="urltrap-cowrie-") as scratch:
        state = Path(scratch)
        (state / "etc").mkdir()
        for name in ("var/log/cowrie", "var/run", "var/lib/cowrie/tty", "var/lib/cowrie/downloads"):
            (state / name).mkdir(parents=True)
        (state / "etc/cowrie.cfg").write_text(_settings(environment))
        venv = folder / "cowrie-venv"
        command = [
            str(venv / "bin/python"),
            str(Path(__file__).with_name("cowrie_drive.py")),
            str(venv),
            str(state),
        ]
        with tempfile.TemporaryFile("w+") as given:
            given.write("".join(json.dumps({"text": text}) + "\n" for text in texts))
            given.seek(0)
            driver = subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE, text=True)
        assert driver.stdout is not None
        try:
            for line in driver.stdout:
                yield json.loads(line)
        finally:
            driver.terminate()
            driver.wait(20)


def _settings(environment: Environment) -> str:
    """Cowrie with the comparison's persona, as far as it can be told."""
    kernel = environment.persona.kernel
    return (
        f"[honeypot]\nhostname = {environment.persona.hostname}\ntimezone = UTC\ninteractive_timeout = 30\n"
        f"[shell]\nkernel_version = {kernel.release}\nkernel_build_string = {kernel.version}\n"
        f"hardware_platform = {kernel.machine}\noperating_system = GNU/Linux\narch = linux-x64-lsb\n"
        "[ssh]\nenabled = true\nlisten_endpoints = tcp:2222:interface=127.0.0.1\n[telnet]\nenabled = false\n"
    )


def _version(folder: Path) -> str:
    """The installed version; installed into a virtual environment in `folder` first where it is not there."""
    venv = folder / "cowrie-venv"
    if not (venv / "bin/cowrie").is_file():
        if shutil.which("unshare") is None:
            raise ReferenceError("unshare (util-linux) is missing: Cowrie must run without network")
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(venv / "bin/pip"), "install", "-q", "cowrie", "asyncssh"], check=True)
    ask = "import importlib.metadata as m; print(m.version('cowrie'))"
    return subprocess.run(
        [str(venv / "bin/python"), "-c", ask], check=True, capture_output=True, text=True
    ).stdout.strip()

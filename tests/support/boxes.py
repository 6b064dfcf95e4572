"""Boxes for tests: a root file system of this machine's own shell, a box process over it, programs run in its boxes."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from urltrap.machine.effects import Effect, Job, Output
from urltrap.machine.persona import generate
from urltrap.sandbox.init import compile_init
from urltrap.sandbox.job import BoxJob
from urltrap.sandbox.messages import Run
from urltrap.sandbox.oci import sweep
from urltrap.sandbox.process import cgroup_name, image_folder, probes
from urltrap.sandbox.tree import shift
from urltrap.sandbox.typed import TypedLines

_PROCESS = """
import asyncio, pathlib, structlog, sys
from urltrap.model.settings import MachineSettings
from urltrap.sandbox.process import run_boxes
from urltrap.sandbox.uplink.authority import Authority
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
data = pathlib.Path(sys.argv[1])
async def main():
    settings = MachineSettings.model_validate({"sandbox": {"processes": 40, "disk_bytes": 8_000_000, "files": 2000}})
    await run_boxes(settings, data, {}, None, ready=lambda: print("ready", flush=True), stop=asyncio.Event(),
                    authority=Authority.of(data / "keys"))
asyncio.run(main())
"""


def why_not() -> str:
    """Why there can be no boxes on this machine; empty where there can."""
    found = probes()
    if not any(each.usable for each in found):
        return "; ".join(f"{each.driver} {each.why}" for each in found)
    for program in ("bash", "busybox", "gcc"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    return ""


def make_root(root: Path) -> None:
    """bash, BusyBox and the escape battery, with what they are linked to."""
    for name in ("bin", "tmp", "proc", "sys", "dev", "mnt", "root", "usr/bin", "etc"):
        (root / name).mkdir(parents=True)
        (root / name).chmod(0o755)
    root.chmod(0o755)
    for name in ("bash", "busybox"):
        program = shutil.which(name) or ""
        shutil.copy(program, root / "bin" / name)
        linked = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        for library in re.findall(r"/\S+", linked):  # none where it is static
            place = root / library.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, place)
    for applet in subprocess.run(["busybox", "--list"], capture_output=True, text=True).stdout.split():
        if not (root / "bin" / applet).exists():
            (root / "bin" / applet).symlink_to("busybox")
    source = Path(__file__).parents[1] / "sandbox/escape/attempts.c"
    subprocess.run(["gcc", "-static", "-w", "-o", root / "bin/attempts", source], check=True)
    for folder, folders, _ in os.walk(root):
        for name in folders:
            Path(folder, name).chmod(0o755)
    shift(root)


def start(data: Path) -> subprocess.Popen[str]:
    """A box process that is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROCESS, str(data)], stdout=subprocess.PIPE, text=True, umask=0o077
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "ready\n"
    return process


PROCESSES: dict[Path, subprocess.Popen[str]] = {}
"""The box process of a data folder: a test may kill it and start another."""


@contextmanager
def boxes(folder: Path) -> Iterator[Path]:
    """A data folder whose box process runs; nothing of it is left afterwards."""
    persona = generate(b"b" * 32, "debian-12", 1.7e9)
    (folder / "persona.json").write_text(persona.model_dump_json())
    for name in ("run", "keys"):
        (folder / name).mkdir()
    image = image_folder(folder, persona)
    make_root(image)
    compile_init(image.parent)
    PROCESSES[folder] = start(folder)
    try:
        yield folder
    finally:
        PROCESSES[folder].terminate()
        PROCESSES.pop(folder).wait()
        name = cgroup_name(folder)
        sweep(name)
        for place in (Path("/run") / name, Path("/run") / f"{name}-persona"):
            shutil.rmtree(place)


def no_fallback() -> Job:
    """What a test gets that is to have a box."""
    raise AssertionError("there was no box")


async def run(
    data: Path,
    *argv: str,
    typed: bytes = b"",
    terminal: tuple[int, int] | None = None,
    act: Callable[[BoxJob, bytes], None] = lambda job, out: None,
    instead: Callable[[], Job] = no_fallback,
    address: str = "192.0.2.1",
    uid: int = 0,
) -> tuple[int, bytes, bytes, list[Effect]]:
    """Run to the end: status, standard output and error, and all effects."""
    run = Run(
        address=address, argv=[word.encode() for word in argv], environment={"PATH": "/bin", "TERM": "xterm"},
        uid=uid, gid=0, groups=[], folder="/root", terminal=terminal,
    )  # fmt: skip
    job = BoxJob(
        data / "run/box.sock", run, instead, typed=TypedLines(100) if terminal else None, file_limit=1000
    )
    woken = asyncio.Event()
    job.on_wake = woken.set
    job.receive(typed)
    if not terminal:
        job.receive_eof()
    out = {1: b"", 2: b""}
    effects: list[Effect] = []
    async with asyncio.timeout(60):
        while job.exit_status is None:
            woken.clear()
            for effect in job.step(0):
                effects.append(effect)
                if isinstance(effect, Output):
                    out[effect.stream] += effect.data
            act(job, out[1])
            if job.exit_status is None and not job.runnable:
                await woken.wait()
            await asyncio.sleep(0)
    status = job.exit_status
    job.end()
    return status, out[1], out[2], effects

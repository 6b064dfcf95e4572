"""One process of urltrap: reads its launch line from the supervisor, runs, ends with it.

Forked by the nursery, or started alone as ``python -m urltrap.ops.worker FD``: FD is the reading end of a pipe whose
first line is the launch; when the pipe closes, the supervisor is gone and so are we. Readiness is one JSON line on
standard output, and so is why it ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import structlog

from urltrap.ops.data_folder import DataFolder
from urltrap.ops.failure import explain
from urltrap.ops.logs import configure_logs
from urltrap.ops.processes import Launch, become

log = structlog.get_logger()

_BEAT_SECONDS = 10.0

Ready = Callable[[list[str]], None]
"""Called once, with the addresses that the process listens on."""


def load(kinds: Iterable[str]) -> None:
    """Import what processes of these kinds run, so that those which are forked afterwards have it already."""
    _loop_factory()
    for kind in kinds:
        for module in _MODULES[kind]:
            importlib.import_module(module)


def run(descriptor: int) -> int:
    """Run the process that the launch line names until it ends, SIGTERM, or the supervisor's death; its status."""
    with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as pipe:
        launch = Launch.from_json(_first_line(pipe))
    if launch.environment is not None:
        os.environ.clear()
        os.environ.update(launch.environment)
    configure_logs(launch.plan.name)
    os.umask(0o077)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(launch, descriptor))
    except Exception as error:
        _say(explain(error).to_json())
        return 1
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _first_line(pipe: Any) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        chunk = pipe.read(1)
        if not chunk:
            raise RuntimeError("the supervisor went away before it said what to run")
        line += chunk
    return line


def _ready(listen: list[str]) -> None:
    _say(json.dumps({"ready": True, "listen": listen}))


def _say(message: str) -> None:
    sys.stdout.write(message + "\n")
    sys.stdout.flush()


async def _run(launch: Launch, descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(descriptor, stop.set)  # nothing more is ever written: readable means closed
    task = asyncio.ensure_future(_RUNNERS[launch.plan.kind](launch, DataFolder(launch.data), stop))
    stopped = asyncio.ensure_future(stop.wait())
    beat = asyncio.ensure_future(_beat())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        # Each runner watches `stop` itself where it has something to put in order; this is the bound on it.
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), 8)
        task.cancel()
    stopped.cancel()
    beat.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _beat() -> None:
    """Say now and then that the event loop turns; who is silent for long is killed by the supervisor."""
    while True:
        await asyncio.sleep(_BEAT_SECONDS)
        _say(json.dumps({"alive": True}))


async def _trap(launch: Launch, folder: DataFolder, stop: asyncio.Event) -> None:
    from urltrap.sensors.trap import run_trap

    await run_trap(
        launch.settings,
        folder.root,
        worker=launch.plan.name,
        workers=launch.plan.count,
        ready=_ready,
        stop=stop,
        drop=lambda: become(launch.user),
    )


async def _box(launch: Launch, folder: DataFolder, stop: asyncio.Event) -> None:
    from urltrap.sandbox.process import run_boxes
    from urltrap.sandbox.uplink.authority import Authority
    from urltrap.sensors.ssh.server import load_host_keys, public_key_lines

    # It stays root: mounts and namespaces are made by nobody else, which is why it is not the trap that makes them.
    await run_boxes(
        launch.settings.machine,
        folder.root,
        public_key_lines(load_host_keys(folder.keys)),
        launch.user,
        ready=lambda: _ready([]),
        stop=stop,
        authority=Authority.of(folder.keys),
    )


async def _uplink(launch: Launch, folder: DataFolder, stop: asyncio.Event) -> None:
    from urltrap.sandbox.uplink.authority import Authority
    from urltrap.sandbox.uplink.process import run_uplink

    authority = Authority.of(folder.keys)
    become(launch.user)
    await run_uplink(launch.settings, folder.root, authority, ready=lambda: _ready([]), stop=stop)


async def _fetcher(launch: Launch, folder: DataFolder, stop: asyncio.Event) -> None:
    from urltrap.model.canary import canary_host
    from urltrap.ops.fetcher import run

    canary = canary_host((folder.keys / "secret").read_bytes())
    become(launch.user)
    await run(launch.settings, folder, canary, stop, lambda: _ready([]))


async def _pipeline(launch: Launch, folder: DataFolder, stop: asyncio.Event) -> None:
    from urltrap.pipeline.process import run_pipeline

    installation = folder.installation
    become(launch.user)
    await run_pipeline(
        launch.settings, folder.root, ready=lambda: _ready([]), stop=stop, installation=installation
    )


async def _site(launch: Launch, folder: DataFolder, stop: asyncio.Event) -> None:
    from urltrap.site.process import run_site

    secret = (folder.keys / "secret").read_bytes()
    become(launch.user)
    await run_site(launch.settings, folder.root, ready=_ready, stop=stop, secret=secret)


async def _public(launch: Launch, folder: DataFolder, stop: asyncio.Event) -> None:
    from urltrap.site.public.process import run_public

    secret = (folder.keys / "secret").read_bytes()
    become(launch.user)
    await run_public(launch.settings, folder.root, ready=_ready, stop=stop, secret=secret)


async def _shipper(launch: Launch, folder: DataFolder, stop: asyncio.Event) -> None:
    from urltrap.journal.shipping.process import run_shipper

    become(launch.user)
    await run_shipper(launch.settings.journal, folder.root, ready=lambda: _ready([]), stop=stop)


async def _collector(launch: Launch, folder: DataFolder, stop: asyncio.Event) -> None:
    from urltrap.pipeline.fleet.process import run_collector

    await run_collector(
        launch.settings,
        folder.root,
        launch.plan.index,
        ready=_ready,
        stop=stop,
        drop=lambda: become(launch.user),
    )


async def _backup(launch: Launch, folder: DataFolder, stop: asyncio.Event) -> None:
    from urltrap.ops.backup.process import run_backups

    # It stays who it is: host keys and settings, which it backs up, are readable by nobody else.
    await run_backups(launch.settings, folder, ready=lambda: _ready([]), stop=stop)


async def _watch(launch: Launch, folder: DataFolder, stop: asyncio.Event) -> None:
    from urltrap.model.canary import Canary
    from urltrap.ops.watching import run_watch

    canary = Canary.of((folder.keys / "secret").read_bytes())
    become(launch.user)
    await run_watch(launch.settings, folder, ready=_ready, stop=stop, canary=canary)


async def _outputs(launch: Launch, folder: DataFolder, stop: asyncio.Event) -> None:
    from urltrap.exchange.outputs import run_outputs

    # It stays who it is: a log or socket that the operator names may be open to nobody else.
    await run_outputs(
        launch.settings.outputs, folder.journal, folder.outputs, ready=lambda: _ready([]), stop=stop
    )


_RUNNERS: dict[str, Callable[[Launch, DataFolder, asyncio.Event], Awaitable[None]]] = {
    "trap": _trap,
    "uplink": _uplink,
    "box": _box,
    "fetcher": _fetcher,
    "pipeline": _pipeline,
    "site": _site,
    "public": _public,
    "collector": _collector,
    "shipper": _shipper,
    "backup": _backup,
    "watch": _watch,
    "outputs": _outputs,
}

_MODULES = {
    "trap": ("urltrap.sensors.trap",),
    "uplink": ("urltrap.sandbox.uplink.authority", "urltrap.sandbox.uplink.process"),
    "box": ("urltrap.sandbox.process", "urltrap.sandbox.uplink.authority", "urltrap.sensors.ssh.server"),
    "fetcher": ("urltrap.model.canary", "urltrap.ops.fetcher"),
    "pipeline": ("urltrap.pipeline.process",),
    "site": ("urltrap.site.process",),
    "public": ("urltrap.site.public.process",),
    "collector": ("urltrap.pipeline.fleet.process",),
    "shipper": ("urltrap.journal.shipping.process",),
    "backup": ("urltrap.ops.backup.process",),
    "watch": ("urltrap.model.canary", "urltrap.ops.watching"),
    "outputs": ("urltrap.exchange.outputs",),
}
"""What the runners import."""

if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1])))

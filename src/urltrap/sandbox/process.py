"""The box process: the driver that the settings ask for, the boxes, and the socket that the traps ask at."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.resources
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from urltrap.machine.image import RECORDS
from urltrap.machine.persona import Persona
from urltrap.model.sandbox_settings import Isolation
from urltrap.model.settings import MachineSettings
from urltrap.sandbox.boxes import Boxes
from urltrap.sandbox.bundle import BoxLimits
from urltrap.sandbox.driver import Probe, SandboxError
from urltrap.sandbox.init import residents
from urltrap.sandbox.messages import SOCKET, UPLINK_SOCKET
from urltrap.sandbox.oci import RUNTIMES, OciDriver, probe
from urltrap.sandbox.server import serve
from urltrap.sandbox.tree import write_layer
from urltrap.sandbox.uplink.authority import Authority
from urltrap.sandbox.uplink.namespace import Place
from urltrap.sandbox.uplink.trust import trust

log = structlog.get_logger("box")


def image_folder(data: Path, persona: Persona) -> Path:
    """Where the root file system of a persona's boxes is kept; `urltrap image build --sandbox` makes it."""
    return data / "sandbox" / RECORDS[persona.kind].removesuffix(".img.zst")


def cgroup_name(data: Path) -> str:
    """Name of the control groups of a data folder's boxes: two installations must not sweep each other's away."""
    return f"urltrap-{hashlib.blake2b(str(data.resolve()).encode(), digest_size=4).hexdigest()}"


def probes(isolation: Isolation = "kernel") -> list[Probe]:
    """Every driver that isolates like this, in the order in which they are tried, with what it lacks here.

    One that isolates less is never taken in its place.
    """
    if isolation == "kernel":
        return [probe(runtime) for runtime in RUNTIMES]
    return [
        Probe(
            isolation,
            f'boxes isolated by "{isolation}" are not built yet',
            'set machine.sandbox.isolation = "kernel", or machine.kind = "emulated"',
        )
    ]


async def run_boxes(
    settings: MachineSettings,
    data: Path,
    host_keys: Mapping[str, bytes],
    owner: tuple[int, int] | None,
    *,
    ready: Callable[[], None],
    stop: asyncio.Event,
    authority: Authority | None = None,
) -> None:
    """Make boxes for the traps until `stop` is set. Where no box can be made here it says so, loudly, and waits: the
    traps go on with emulated machines. `owner`: the traps' (uid, gid).
    `authority`: whose certificates the boxes trust."""
    persona = Persona.model_validate(json.loads((data / "persona.json").read_bytes()))
    try:
        driver = _driver(settings, data, persona, host_keys, authority)
        trial = await driver.create("trial")
        await trial.destroy()
    except (SandboxError, OSError) as error:
        log.error("NO SANDBOX: attackers get emulated machines", reason=str(error), see="urltrap doctor")
        ready()
        await stop.wait()
        return
    limits = settings.sandbox
    boxes = Boxes(
        driver,
        most=limits.boxes,
        seconds=limits.seconds,
        idle_seconds=limits.idle_seconds,
        uplink=data / UPLINK_SOCKET,
    )
    try:
        await serve(boxes, data / SOCKET, owner, ready, stop)
    finally:
        driver.close()
        shutil.rmtree(_layer(data))


def _layer(data: Path) -> Path:
    """Where the persona's files are for boxes: not in the data folder, which is the traps' user's."""
    return Path("/run") / f"{cgroup_name(data)}-persona"


def _driver(
    settings: MachineSettings,
    data: Path,
    persona: Persona,
    host_keys: Mapping[str, bytes],
    authority: Authority | None,
) -> OciDriver:
    found = probes(settings.sandbox.isolation)
    usable = next((each for each in found if each.usable), None)
    if usable is None:
        raise SandboxError("; ".join(f"{each.driver} {each.why}: {each.remedy}" for each in found))
    name = cgroup_name(data)
    layer = _layer(data)
    if layer.exists():
        shutil.rmtree(layer)
    layer.mkdir()
    blob = (importlib.resources.files("urltrap.machine.data") / RECORDS[persona.kind]).read_bytes()
    write_layer(layer, blob, persona, host_keys)
    if authority is not None:
        trust(layer, image_folder(data, persona), authority)
    limits = settings.sandbox
    return OciDriver(
        usable.driver,
        image_folder(data, persona),
        layer,
        Path("/run") / name,
        name,
        persona.hostname,
        BoxLimits(limits.memory_bytes, limits.processes, limits.processors, limits.disk_bytes, limits.files),
        residents(persona),
        _place(persona),
    )


def _place(persona: Persona) -> Place:
    """How a persona's box stands in its network: behind NAT, as its emulated machine does."""
    primary = persona.primary
    return Place(primary.name, primary.mac, primary.address, primary.prefix, persona.network.gateway)

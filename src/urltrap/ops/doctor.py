"""`urltrap doctor`: what on this machine helps or hinders, each with the command that mends it."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from urltrap.machine.persona import Persona
from urltrap.model.settings import Settings
from urltrap.ops.data_folder import DataFolder, running
from urltrap.ops.processes import reachable_by
from urltrap.ops.system_user import NoSuchUser, target_user
from urltrap.pipeline.laboratory.upx import UNCONFINED, Upx
from urltrap.sandbox.init import NAME
from urltrap.sandbox.process import image_folder, probes

State = Literal["ok", "note", "bad"]

FREE_BYTES = 2_000_000_000
OPEN_FILES = 4096


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `remedy` says what to do where it is not ok."""

    what: str
    state: State
    words: str
    remedy: str = ""


def examine(folder: DataFolder, settings: Settings) -> list[Finding]:
    """Everything that can be known without starting anything."""
    checks: tuple[Callable[[DataFolder, Settings], Iterator[Finding]], ...] = (
        _python,
        _libmagic,
        _upx,
        _geo,
        _assets,
        _disk,
        _files,
        _user,
        _ports,
        _site,
        _public,
        _sandbox,
        _testing,
    )
    return [finding for check in checks for finding in check(folder, settings)]


def _python(_folder: DataFolder, _settings: Settings) -> Iterator[Finding]:
    yield Finding("Python", "ok", sys.version.split()[0])


def _libmagic(_folder: DataFolder, _settings: Settings) -> Iterator[Finding]:
    try:
        import magic

        magic.from_buffer(b"x", mime=True)
    except (ImportError, OSError) as error:
        yield Finding(
            "libmagic",
            "note",
            f"absent ({error}): payload types come from our own reader alone",
            "sudo apt-get install libmagic1",
        )
    else:
        yield Finding("libmagic", "ok", "payload types are named by it")


def _upx(folder: DataFolder, _settings: Settings) -> Iterator[Finding]:
    found = Upx.installed(folder.quarantine / "unpacking")
    if found is not None and not found.confined():
        yield Finding(
            "UPX",
            "note",
            f"installed and not used: {UNCONFINED}",
            "run a kernel with Landlock or seccomp",
        )
        return
    if found is not None:
        yield Finding("UPX", "ok", f"payloads packed by it are unpacked, never run ({found.program})")
        return
    # Debian 12 has it in its backports alone.
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    backports = release.get("VERSION_CODENAME") == "bookworm"
    command = "sudo apt-get install " + ("-t bookworm-backports upx-ucl" if backports else "upx-ucl")
    yield Finding(
        "UPX",
        "note",
        "absent: URLs in payloads packed by it stay hidden",
        command + (" (with bookworm-backports among the apt sources)" if backports else ""),
    )


def geo_dir(settings: Settings) -> Path:
    """Where the country and network files are looked for."""
    return (
        Path(settings.intel.geo_dir)
        if settings.intel.geo_dir
        else Path(sys.prefix) / "share" / "urltrap" / "geo"
    )


def _geo(_folder: DataFolder, settings: Settings) -> Iterator[Finding]:
    place = geo_dir(settings)
    found = sorted(path.name for path in place.glob("*.mmdb")) if place.is_dir() else []
    if found:
        yield Finding("places", "ok", ", ".join(found))
    else:
        yield Finding(
            "places",
            "note",
            f"no mmdb files in {place}: countries and networks stay unknown",
            "make geo (in a checkout), or set intel.geo_dir",
        )


def _assets(_folder: DataFolder, _settings: Settings) -> Iterator[Finding]:
    if resources.files("urltrap.site").joinpath("static/build/manifest.json").is_file():
        yield Finding("front-end", "ok", "charts, map and replay are built")
    else:
        yield Finding(
            "front-end", "note", "not built: pages work without charts, map and replay", "make assets"
        )


def _disk(folder: DataFolder, _settings: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(folder.root).free
    state: State = "ok" if free >= FREE_BYTES else "bad"
    yield Finding(
        "disk",
        state,
        f"{free / 1e9:.1f} GB free",
        "" if state == "ok" else "free some: writing stops before the disk is full",
    )


def _files(_folder: DataFolder, _settings: Settings) -> Iterator[Finding]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = hard == resource.RLIM_INFINITY or hard >= OPEN_FILES
    yield Finding(
        "open files",
        "ok" if enough else "bad",
        f"up to {hard}",
        "" if enough else f"raise the limit to {OPEN_FILES} or more (ulimit -Hn, LimitNOFILE= in systemd)",
    )


def _user(folder: DataFolder, settings: Settings) -> Iterator[Finding]:
    try:
        user = target_user(settings.supervisor.user)
    except NoSuchUser as error:
        words, _, remedy = str(error).partition("; ")
        yield Finding("user", "bad", words, remedy)
        return
    if user is None:
        yield Finding("user", "ok", f"runs as uid {os.geteuid()}, not root")
        return
    for path in (Path(__file__), Path(sys.executable), folder.root):
        blocked = reachable_by(user, path)
        if blocked is not None:
            yield Finding(
                "user",
                "bad",
                f"root could not be dropped: uid {user[0]} cannot pass {blocked}",
                "keep program and data where everybody may pass, or set supervisor.user",
            )
            return
    yield Finding("user", "ok", f"root is dropped to uid {user[0]} after binding")


def _ports(folder: DataFolder, settings: Settings) -> Iterator[Finding]:
    if running(folder) is not None:
        return  # it runs: the ports are taken by ourselves
    wanted = [("site", settings.site.listen)] if settings.site.enabled else []
    if settings.public.enabled:
        wanted.append(("public", settings.public.listen))
    if settings.metrics.enabled:
        wanted.append(("metrics", settings.metrics.listen))
    for name, sensor in (("ssh", settings.sensors.ssh), ("telnet", settings.sensors.telnet)):
        if sensor.enabled:
            wanted += [(name, address) for address in sensor.listen]
    for name, address in wanted:
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, int(port)))
            except OSError as error:
                remedy = (
                    "start as root (root is dropped after binding), or redirect the port"
                    if isinstance(error, PermissionError)
                    else f"stop what uses it (ss -ltnp | grep {port}) or change the address"
                )
                yield Finding(f"{name} {address}", "bad", error.strerror or str(error), remedy)
            else:
                yield Finding(f"{name} {address}", "ok", "free")


def _site(_folder: DataFolder, settings: Settings) -> Iterator[Finding]:
    if not settings.site.enabled:
        return
    host = settings.site.listen.rpartition(":")[0].strip("[]")
    if host not in ("127.0.0.1", "::1", "localhost"):
        yield Finding(
            "site",
            "bad",
            f"listens on {settings.site.listen}: whoever sees it there knows that this machine is a trap",
            'site.listen = "127.0.0.1:8080", and reach it through an SSH tunnel',
        )


def _public(_folder: DataFolder, settings: Settings) -> Iterator[Finding]:
    public = settings.public
    if not (public.enabled or public.export):
        return
    if public.allow_sensor_address:
        yield Finding(
            "public",
            "bad",
            f"may stand on a sensor's address ({public.listen}): whoever finds it there knows what that machine is",
            "unset public.allow_sensor_address; serve it elsewhere, or as files: urltrap publish DIR",
        )
    if public.single_source == "age":
        yield Finding(
            "public",
            "note",
            "a URL that one network showed gets out: an attacker finds the sensor by URLs of his own",
            'public.single_source = "withhold"',
        )
    if not public.contact:
        yield Finding(
            "public",
            "note",
            "nobody can be reached: no security.txt, and no address for disputes",
            'public.contact = "mailto:abuse@…", which must not name a sensor',
        )
    if not public.address:
        yield Finding(
            "public", "note", "the feeds' page cannot tell whole addresses", 'public.address = "https://…"'
        )


def _sandbox(folder: DataFolder, settings: Settings) -> Iterator[Finding]:
    found = probes(settings.machine.sandbox.isolation)
    works = [each.driver for each in found if each.usable]
    if settings.machine.kind != "sandbox":
        words = f"boxes could be made by {works[0]}" if works else f"{found[0].driver} {found[0].why}"
        yield Finding("sandbox", "ok", f"not used ({words})")
        return
    for each in found:
        state: State = "ok" if each.usable else "note" if works else "bad"
        yield Finding(
            f"sandbox: {each.driver}",
            state,
            "boxes can be made by it" if each.usable else each.why,
            each.remedy,
        )
    try:
        persona = Persona.model_validate(json.loads(folder.persona.read_bytes()))
    except (OSError, ValueError):
        return  # without a persona nothing starts; `urltrap up` says so
    image = image_folder(folder.root, persona)
    if image.is_dir() and not (image.parent / NAME).is_file():
        yield Finding(
            "sandbox: image",
            "bad",
            "of another version: attackers get emulated machines",
            "sudo urltrap image build --sandbox",
        )
    elif image.is_dir():
        yield Finding("sandbox: image", "ok", str(image))
    else:
        yield Finding(
            "sandbox: image",
            "bad",
            "not built: attackers get emulated machines",
            "sudo urltrap image build --sandbox",
        )


def _testing(_folder: DataFolder, settings: Settings) -> Iterator[Finding]:
    if settings.testing.public_networks:
        yield Finding(
            "testing",
            "bad",
            f"testing.public_networks is set: {', '.join(settings.testing.public_networks)} may be fetched from",
            "remove it outside of tests",
        )

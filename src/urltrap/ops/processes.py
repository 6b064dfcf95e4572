"""The processes that `urltrap up` runs, each as one entry: what it is called, and the function that runs it.

Every process gets its part of the settings over a pipe (a sensor holds no database password and no key of a
provider), tells that it is ready, and ends when the supervisor's end of the pipe closes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from urltrap.model.fleet_settings import FleetSettings, ShipSettings
from urltrap.model.intel_settings import REVEAL, IntelKeys
from urltrap.model.output_settings import OutputSettings
from urltrap.model.settings import BackupSettings, IntelSettings, Settings, StoreSettings
from urltrap.model.watch_settings import AlertSettings

NAMES = (
    "fetcher", "pipeline", "site", "public", "collector", "uplink", "box", "trap", "shipper", "backup", "watch",
    "outputs",
)  # fmt: skip
"""Order of start: who is asked starts before who asks."""


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """One process to run: `name` as shown and as journal writer ("trap-0"), `kind` as in NAMES."""

    name: str
    kind: str
    index: int = 0
    count: int = 1


@dataclass(frozen=True, slots=True)
class Launch:
    """What a process is told at its start; `user` is (uid, gid) to become, None to stay who it is, `environment` all
    of its environment, None to keep what it has."""

    plan: ProcessPlan
    data: Path
    settings: Settings
    user: tuple[int, int] | None
    environment: Mapping[str, str] | None = None

    def to_json(self) -> bytes:
        """One line of JSON."""
        body = {
            "plan": [self.plan.name, self.plan.kind, self.plan.index, self.plan.count],
            "data": str(self.data),
            "settings": self.settings.model_dump(mode="json", context=REVEAL),
            "user": self.user,
            "environment": None if self.environment is None else dict(self.environment),
        }
        return json.dumps(body).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> Launch:
        """The inverse of `to_json`."""
        body: Mapping[str, Any] = json.loads(line)
        user = body["user"]
        return cls(
            ProcessPlan(*body["plan"]),
            Path(body["data"]),
            Settings.model_validate_json(json.dumps(body["settings"])),
            (user[0], user[1]) if user else None,
            body["environment"],
        )


def plan_processes(settings: Settings) -> list[ProcessPlan]:
    """The processes that these settings ask for, in order of start."""
    if settings.fleet.only:
        return _collectors(settings)
    plans = [ProcessPlan("fetcher", "fetcher")]
    if not settings.journal.ship:
        plans.append(ProcessPlan("pipeline", "pipeline"))
        if settings.site.enabled:
            plans.append(ProcessPlan("site", "site"))
        if settings.public.enabled or settings.public.export:
            plans.append(ProcessPlan("public", "public"))
        plans += _collectors(settings)
    if settings.sensors.ssh.enabled or settings.sensors.telnet.enabled:
        if settings.machine.kind == "sandbox":
            plans += [ProcessPlan("uplink", "uplink"), ProcessPlan("box", "box")]
        count = settings.sensors.workers or os.cpu_count() or 1
        plans += [ProcessPlan(f"trap-{index}", "trap", index, count) for index in range(count)]
    if settings.journal.ship:
        plans.append(ProcessPlan("shipper", "shipper"))
    elif settings.backup.enabled:
        plans.append(ProcessPlan("backup", "backup"))
    comes = settings.canary.enabled and settings.sensors.ssh.enabled
    if settings.metrics.enabled or settings.alerts.targets or settings.backup.enabled or comes:
        plans.append(ProcessPlan("watch", "watch"))
    if settings.outputs.any:
        plans.append(ProcessPlan("outputs", "outputs"))
    return plans


def _collectors(settings: Settings) -> list[ProcessPlan]:
    count = settings.fleet.processes if settings.fleet.any else 0
    return [ProcessPlan(f"collector-{index}", "collector", index, count) for index in range(count)]


def settings_for(kind: str, settings: Settings) -> Settings:
    """The settings that a process of this kind may know: no database or provider access for trap and
    fetcher, no provider's key for the site, and the addresses of alerts for nobody but who sends them."""
    if kind != "watch":
        settings = settings.model_copy(update={"alerts": AlertSettings()})
    if kind != "outputs":
        settings = settings.model_copy(update={"outputs": OutputSettings()})
    if kind != "collector":
        settings = settings.model_copy(update={"fleet": FleetSettings()})
    if kind != "shipper":
        unshipped = settings.journal.model_copy(update={"ship_token": ShipSettings().ship_token})
        settings = settings.model_copy(update={"journal": unshipped})
    if kind == "collector":
        return settings.model_copy(update={"intel": IntelSettings(), "backup": BackupSettings()})
    if kind in ("trap", "fetcher", "outputs", "shipper", "uplink", "box"):
        return settings.model_copy(
            update={"store": StoreSettings(), "intel": IntelSettings(), "backup": BackupSettings()}
        )
    if kind == "public":
        return settings.model_copy(update={"intel": IntelSettings(), "backup": BackupSettings()})
    if kind == "site":
        intel = settings.intel.model_copy(update={"keys": IntelKeys()})
        return settings.model_copy(update={"intel": intel, "backup": _without_places(settings.backup)})
    if kind == "watch":
        return settings.model_copy(
            update={
                "store": StoreSettings(), "intel": IntelSettings(), "backup": _without_places(settings.backup)
            }
        )  # fmt: skip
    return settings


_ORDINARY = frozenset(
    {"PATH", "HOME", "USER", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TERM", "NO_COLOR", "VIRTUAL_ENV"}
)
_FACING_ATTACKERS = frozenset({"trap", "fetcher", "collector", "uplink", "box"})


def environment_for(kind: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment that a process of this kind gets. Settings come through the pipe, so none of ours; and whoever
    faces attackers gets no password of other programs (PGPASSWORD, AWS_SECRET_ACCESS_KEY) either."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("URLTRAP_")
        and (kind not in _FACING_ATTACKERS or name in _ORDINARY or name.startswith(("LC_", "PYTHON")))
    }


def _without_places(backup: BackupSettings) -> BackupSettings:
    """When backups are due, and nothing of where they go: those addresses and options may hold passwords."""
    return backup.model_copy(update={"targets": [], "target_options": {}})


def become(user: tuple[int, int] | None) -> None:
    """Drop root for good: supplementary groups, group, user, in this order; nothing where `user` is None."""
    if user is None or os.geteuid() != 0:
        return
    uid, gid = user
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def reachable_by(user: tuple[int, int], path: Path) -> Path | None:
    """The first folder on the way to `path` that this user cannot pass, None where all are open to him."""
    uid, gid = user
    for place in (*reversed(path.resolve().parents), path.resolve()):
        status = place.stat()
        shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
        need = 1 if place.is_dir() else 4
        if not (status.st_mode >> shift) & need:
            return place
    return None

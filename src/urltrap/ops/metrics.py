"""Figures for Prometheus, read when they are asked for from what the processes write down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http.server import HTTPServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from urltrap.model.settings import Settings
from urltrap.ops.data_folder import DataFolder
from urltrap.pipeline.line_state import line_state
from urltrap.store.backups import backup_state

_OLD_SECONDS = 120.0
"""Figures of a process that are older than this are those of one that ended."""
_MOMENTS = {
    "last_at": ("urltrap_backup_made_timestamp_seconds", "When the newest backup was made"),
    "verified_at": (
        "urltrap_backup_verified_timestamp_seconds",
        "When a backup was last verified by its hashes",
    ),
    "verified_whole_at": (
        "urltrap_backup_restored_timestamp_seconds",
        "When a backup was last restored and compared",
    ),
    "copied_at": (
        "urltrap_backup_copied_timestamp_seconds",
        "When newest events were last copied to the targets",
    ),
}


class BackupFigures(Collector):
    """Ages and troubles of the backups."""

    def __init__(self, folder: DataFolder, settings: Settings, now: Callable[[], datetime]) -> None:
        self._folder, self._settings, self._now = folder, settings, now
        self._since = now()

    def collect(self) -> Iterable[Metric]:
        """A moment that never came is 0, so that its age is alarming."""
        state = backup_state(self._folder.root)
        for name, (metric, words) in _MOMENTS.items():
            moment = getattr(state, name)
            yield GaugeMetricFamily(metric, words, value=moment.timestamp() if moment else 0.0)
        overdue = state.overdue(self._settings.backup, self._now(), self._since)
        yield GaugeMetricFamily(
            "urltrap_backup_overdue",
            "Things about the backups that are older than two periods or failed",
            len(overdue),
        )


class ProcessFigures(Collector):
    """Which processes run, and how often each was started again."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """One series per process that the supervisor keeps."""
        up = GaugeMetricFamily("urltrap_process_up", "Whether the process is ready", labels=["process"])
        restarts = CounterMetricFamily(
            "urltrap_process_restarts", "How often it was started again", labels=["process"]
        )
        try:
            processes = json.loads(self._folder.status.read_text())["processes"]
        except (FileNotFoundError, ValueError, KeyError):
            processes = {}
        for name, state in processes.items():
            up.add_metric([name], float(bool(state["ready"])))
            restarts.add_metric([name], state["restarts"])
        return [up, restarts]


class TrapFigures(Collector):
    """What each trap process says of itself (`sensors.figures`); those of a process that ended are left out."""

    def __init__(self, folder: DataFolder, now: Callable[[], datetime]) -> None:
        self._folder, self._now = folder, now

    def collect(self) -> Iterable[Metric]:
        """Connections, what was shed, memory, and how near the disk is to being full."""
        by_door = ["process", "sensor"]
        opened = GaugeMetricFamily("urltrap_connections_open", "Open connections", labels=by_door)
        waiting = GaugeMetricFamily(
            "urltrap_connections_waiting", "Open connections that are not logged in", labels=by_door
        )
        served = CounterMetricFamily("urltrap_connections_served", "Connections let in", labels=by_door)
        shed = CounterMetricFamily("urltrap_connections_shed", "Connections turned away", labels=by_door)
        memory = GaugeMetricFamily("urltrap_trap_resident_bytes", "Memory of the process", labels=["process"])
        pressure = GaugeMetricFamily(
            "urltrap_journal_pressure",
            "Classes of records that are left out because the disk fills (0 to 3)",
            labels=["process"],
        )
        left_out = CounterMetricFamily(
            "urltrap_journal_left_out",
            "Records left out because the disk filled",
            labels=["process", "class"],
        )
        for path in sorted(self._folder.run.glob("trap-*.figures.json")):
            process = path.name.partition(".")[0]
            try:
                body = json.loads(path.read_bytes())
                if self._now().timestamp() - body["at"] > _OLD_SECONDS:
                    continue
                for name, door in body["doors"].items():
                    opened.add_metric([process, name], door["open"])
                    waiting.add_metric([process, name], door["not_logged_in"])
                    served.add_metric([process, name], door["served"])
                    shed.add_metric([process, name], door["shed"])
                memory.add_metric([process], body["resident_bytes"])
                pressure.add_metric([process], body["pressure"])
                for what, count in body["left_out"].items():
                    left_out.add_metric([process, what], count)
            except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
                continue  # of another version, or gone
        return [opened, waiting, served, shed, memory, pressure, left_out]


class LineFigures(Collector):
    """The synthetic attacker: alarm on its age."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """A moment that never came is 0, so that its age is alarming; nothing where it does not come."""
        state = line_state(self._folder.root)
        if state.visit is None:
            return
        for metric, words, moment in (
            (
                "urltrap_canary_visited",
                "When the synthetic attacker last got in and its file",
                state.visit.well_at,
            ),
            (
                "urltrap_canary_stored",
                "When the last session of it ended that is in the store",
                state.stored_at,
            ),
        ):
            value = moment.timestamp() if moment else 0.0
            yield GaugeMetricFamily(f"{metric}_timestamp_seconds", words, value=value)
        if state.visit.seconds is not None:
            yield GaugeMetricFamily(
                "urltrap_canary_visit_seconds", "How long its last good visit took", value=state.visit.seconds
            )


def registry(
    folder: DataFolder, settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> CollectorRegistry:
    """All figures of a data folder."""
    made = CollectorRegistry()
    made.register(BackupFigures(folder, settings, now))
    made.register(ProcessFigures(folder))
    made.register(TrapFigures(folder, now))
    made.register(LineFigures(folder))
    return made


def serve(listen: str, figures: CollectorRegistry) -> tuple[HTTPServer, str]:
    """Serve figures in a thread: the server, and its address. OSError where the address is taken."""
    host, _, port = listen.rpartition(":")
    server, _ = start_http_server(int(port), host.strip("[]") or "0.0.0.0", figures)
    return server, f"{host}:{server.server_port}"

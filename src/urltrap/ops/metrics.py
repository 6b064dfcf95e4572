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
from urltrap.store.backups import backup_state

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


def registry(
    folder: DataFolder, settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> CollectorRegistry:
    """All figures of a data folder."""
    made = CollectorRegistry()
    made.register(BackupFigures(folder, settings, now))
    made.register(ProcessFigures(folder))
    return made


def serve(listen: str, figures: CollectorRegistry) -> tuple[HTTPServer, str]:
    """Serve figures in a thread: the server, and its address. OSError where the address is taken."""
    host, _, port = listen.rpartition(":")
    server, _ = start_http_server(int(port), host.strip("[]") or "0.0.0.0", figures)
    return server, f"{host}:{server.server_port}"

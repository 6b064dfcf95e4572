"""Messages to the operator: told once when something goes wrong, again while it lasts, and once when it is over."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from urltrap.model.watch_settings import AlertSettings

log = structlog.get_logger("urltrap.alerts")

Send = Callable[[str, str], bool]
"""Tells a title and a text; whether every target took it."""


def sender(settings: AlertSettings) -> Send:
    """Sends to the targets of the settings; where none is set, the log is all there is."""

    def send(title: str, text: str) -> bool:
        if not settings.targets:
            return True
        import apprise

        targets = apprise.Apprise()
        understood = [targets.add(url) for url in settings.targets]
        if not all(understood):
            # Which one it was is told by its place: the address holds a password.
            wrong = ", ".join(str(place + 1) for place, well in enumerate(understood) if not well)
            log.error("alert.bad_target", place=wrong, do="alerts.targets: see apprise's list of services")
        return bool(targets.notify(body=text, title=title)) and all(understood)

    return send


class Alerts:
    """What was told and when, kept in a file, so that a restart does not tell it again."""

    def __init__(self, path: Path, send: Send, repeat: timedelta) -> None:
        self._path, self._send, self._repeat = path, send, repeat

    def look(self, found: Mapping[str, Sequence[str]], now: datetime) -> list[str]:
        """`found`: subject → what is wrong with it (nothing: all is well). The subjects that were told of."""
        told = self._read()
        spoken = []
        for subject, words in found.items():
            last = told.get(subject)
            if words and (last is None or now - last >= self._repeat):
                log.error("alert", subject=subject, words=list(words))
                sent = self._send(f"urltrap: {subject} need you", "\n".join(words))
            elif not words and last is not None:
                log.info("alert.over", subject=subject)
                sent = self._send(f"urltrap: {subject} are well again", "What was wrong is over.")
            else:
                continue
            if not sent:
                log.error("alert.not_sent", subject=subject, next_try="in a minute")
                continue
            if words:
                told[subject] = now
            else:
                told.pop(subject)
            spoken.append(subject)
        if spoken:
            self._write(told)
        return spoken

    def _read(self) -> dict[str, datetime]:
        try:
            kept = json.loads(self._path.read_text())
            return {subject: datetime.fromisoformat(at).astimezone(UTC) for subject, at in kept.items()}
        except (FileNotFoundError, ValueError, AttributeError):
            return {}

    def _write(self, told: dict[str, datetime]) -> None:
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps({subject: at.isoformat() for subject, at in told.items()}))
        temporary.rename(self._path)

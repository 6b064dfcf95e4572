"""What is known of the backups: the newest, the newest that was verified, what went wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

from urltrap.model.base import Model, Utc
from urltrap.model.settings import BackupSettings

_RESTORED_EVERY = timedelta(days=1)


class BackupState(Model):
    """Newest backup, newest verified ones, and what failed since; empty where nothing happened yet."""

    last: str = ""
    last_at: Utc | None = None
    verified: str = ""
    verified_at: Utc | None = None
    """Every object of the newest backup had its hash."""
    verified_whole: str = ""
    verified_whole_at: Utc | None = None
    """A backup was restored into a scratch place and compared."""
    sealed: bool = False
    """The newest backup is encrypted and its secret key is not on this machine: only hashes can be verified here."""
    copied_at: Utc | None = None
    problem: str = ""
    targets: dict[str, str] = {}

    def overdue(self, settings: BackupSettings, now: datetime, since: datetime) -> list[str]:
        """Why an alert is due, as sentences; empty where all is well.

        `since`: when somebody began to look; what never happened is as old as that. Due is what is older than two
        periods: a verified backup every `every_minutes`, a restored one every day, a copy at every target.
        """
        if not settings.enabled:
            return []
        found = []
        period = timedelta(minutes=settings.every_minutes)
        if now - (self.verified_at or since) > 2 * period:
            found.append(
                f"no backup has been verified {_when(self.verified_at)}; one is due every {_span(period)}"
            )
        restored_every = max(period, _RESTORED_EVERY)
        if not self.sealed and now - (self.verified_whole_at or since) > 2 * restored_every:
            found.append(
                f"no backup has been restored for a try {_when(self.verified_whole_at)}; one is due every "
                f"{_span(restored_every)}"
            )
        found += [
            f"{target}: {word}" for target, word in sorted(self.targets.items()) if not word.startswith("ok ")
        ]
        if found and self.problem:
            found.append(f"the last try said: {self.problem}")
        return found


def _when(moment: datetime | None) -> str:
    return f"since {moment:%Y-%m-%d %H:%M} UTC" if moment else "yet"


def _span(period: timedelta) -> str:
    hours = period / timedelta(hours=1)
    return (
        "day"
        if hours == 24
        else "hour"
        if hours == 1
        else f"{hours:g} hours"
        if hours > 1
        else f"{hours * 60:g} minutes"
    )

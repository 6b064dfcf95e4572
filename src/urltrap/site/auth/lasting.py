"""How long who was let in stays in, also for answers that have no end."""

from __future__ import annotations

from datetime import datetime, timedelta

from urltrap.model.settings import SiteSettings
from urltrap.site.auth.identity import Identity
from urltrap.store import Store
from urltrap.store.accounts import sessions, users
from urltrap.store.accounts.sessions import Lifetime


def lifetime_of(settings: SiteSettings) -> Lifetime:
    """How long log-ins last by these settings."""
    return Lifetime(timedelta(minutes=settings.idle_minutes), timedelta(days=settings.login_days))


def lasts(store: Store, who: Identity, lifetime: Lifetime, now: datetime) -> bool:
    """Whether the log-in goes on, in the same role; where nobody had an account, whether nobody has one yet.

    Asking is not using: a log-in that only such an answer holds open runs out. Raises StoreError.
    """
    if who.open_house:
        return not users.any_user(store)
    held = sessions.held(store, who.token, lifetime, now)
    return held is not None and (held.user.name, held.user.role) == (who.name, who.role)

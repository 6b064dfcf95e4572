"""What programs tell syslog of: kept for ``journalctl`` and ``logread``, until the machine starts again."""

from __future__ import annotations

from urltrap.machine.api import Process

_KEPT = 300
_TEXT_MAX = 500


def log(p: Process, who: str, text: str, *, priority: str = "authpriv.info") -> None:
    """A line of the program `who`, as syslog(3) sends it; the oldest are forgotten."""
    rows = p.logged
    rows.append([f"{p.now():.6f}", f"{who}[{p.pid}]", text[:_TEXT_MAX], priority])
    del rows[:-_KEPT]


def session(p: Process, service: str, user: str, uid: int, *, opened: bool) -> None:
    """pam_unix's line of a session that begins or ends."""
    what = f"opened for user {user}(uid={uid}) by (uid={p.uid})" if opened else f"closed for user {user}"
    log(p, service.partition("-")[0], f"pam_unix({service}:session): session {what}")

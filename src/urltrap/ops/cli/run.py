"""`urltrap up`: run everything in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import structlog

from urltrap.exchange.outputs import make_outputs
from urltrap.model.settings import Settings
from urltrap.ops.cli.common import DEFAULT_DATA, CommandError, DataOption, app, console, open_folder, program
from urltrap.ops.data_folder import DataFolder
from urltrap.ops.failure import explain_os
from urltrap.ops.logs import configure_logs
from urltrap.ops.processes import reachable_by
from urltrap.ops.supervisor import Supervisor
from urltrap.ops.system_user import NoSuchUser, hand_over, target_user

log = structlog.get_logger()

_SOCKET_PATH = 107
"""Bytes of a Unix socket's name (unix(7))."""


@app.command()
def up(data: DataOption = DEFAULT_DATA) -> None:
    """Start the trap, the fetcher, the pipeline and the site; ends with Ctrl-C."""
    folder, settings = open_folder(data)
    try:
        make_outputs(settings.outputs)
    except ValueError as error:
        raise CommandError(f"[outputs] in {folder.settings}: {error}") from error
    configure_logs("supervisor")
    _prepare(folder, settings)
    user = _unprivileged(folder, settings)
    with only_one(folder):
        supervisor = Supervisor(settings, folder, user)
        shown = False

        def announce() -> None:
            nonlocal shown
            if not shown and supervisor.is_up:
                shown = True
                _announce(supervisor, data)

        supervisor.on_change = announce
        asyncio.run(supervisor.run())
    if supervisor.failure:
        raise CommandError(f"NOT up: {supervisor.failure}")


def _prepare(folder: DataFolder, settings: Settings) -> None:
    """Make what is missing of the folders, and find out now whether they can be used."""
    if len(os.fsencode(folder.fetcher_socket)) > _SOCKET_PATH:
        raise CommandError(
            f"NOT up: the path of the data folder is too long: {folder.fetcher_socket} has more than "
            f"the {_SOCKET_PATH} bytes that a socket's name may have; use a folder with a shorter path"
        )
    try:
        for path in folder.folders:
            path.mkdir(mode=0o700, exist_ok=True)
            with tempfile.TemporaryFile(dir=path) as probe:
                probe.write(bytes(65_536))
                probe.flush()
                os.fsync(probe.fileno())
    except OSError as error:
        error.filename = str(path)  # not that of the probe
        raise CommandError(
            f"NOT up: the data folder cannot be written: {explain_os(error).reason}"
        ) from error
    free, reserve = shutil.disk_usage(folder.journal).free, settings.journal.free_bytes_reserve
    if free < reserve:
        raise CommandError(
            f"NOT up: {free / 1e6:.0f} MB are free at {folder.journal}, and {reserve / 1e6:.0f} MB are kept in "
            "reserve: no event would be recorded; free some room, or lower journal.free_bytes_reserve"
        )


def _unprivileged(folder: DataFolder, settings: Settings) -> tuple[int, int] | None:
    """The user that root becomes, with the folders handed to it; None (and a warning) where it could not work."""
    try:
        user = target_user(settings.supervisor.user)
    except NoSuchUser as error:
        raise CommandError(f"NOT up: {error}") from None
    if user is None:
        return None
    for path in (Path(__file__), Path(sys.executable), folder.root):
        blocked = reachable_by(user, path)
        if blocked is not None:
            log.warning(
                "started as root and staying root: the unprivileged user cannot pass a folder; "
                "keep the program and its data where everybody may pass, or set supervisor.user",
                folder=str(blocked),
            )
            return None
    if not settings.store.url:
        # Made now, so that it is not a process that stays root (backup) which makes it, for itself.
        folder.database.touch(mode=0o600)
    hand_over(folder, user)
    return user


@contextlib.contextmanager
def only_one(folder: DataFolder) -> Iterator[None]:
    """Two supervisors on one data folder would fight over its journal."""
    with open(folder.run / "up.lock", "a+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CommandError(
                f"urltrap is already running on {folder.root}; see: {program()} status --data {folder.root}"
            ) from None
        yield


def _announce(supervisor: Supervisor, data: Path) -> None:
    listening = {state.plan.kind: state.listen for state in supervisor.states}
    lines = ["", "urltrap is up"]
    site = listening.get("site") or []
    if site:
        lines.append(f"  look    http://{site[0]}/")
    if public := listening.get("public"):
        lines.append(f"  public  http://{public[0]}/        (no log-in)")
    for address in listening.get("trap") or []:
        protocol, _, where = address.partition(" ")
        host, _, port = where.rpartition(":")
        host = "127.0.0.1" if host in ("0.0.0.0", "") else "::1" if host == "[::]" else host.strip("[]")
        if protocol == "ssh":
            lines.append(
                f"  attack  ssh -p {port} root@{host}        (any password; the second or third try gets in,"
                " and from then on that one)"
            )
        elif protocol == "telnet":
            lines.append(f"  attack  telnet {host} {port}        (log in as root, in the same way)")
    lines += [f"  missing {name}: {reason}" for name, reason in supervisor.missing.items()]
    if supervisor.settings.journal.ship:
        lines.append("  list    on the collector: urltrap urls, urltrap fleet")
    else:
        lines.append(f"  list    {program()} urls --data {data}")
    lines += ["  stop    Ctrl-C", ""]
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)

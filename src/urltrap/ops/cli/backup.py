"""`urltrap backup`: make, list and verify backups, and make a key to encrypt them with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pyrage
import typer

from urltrap.journal import JournalError
from urltrap.ops.backup.errors import BackupError
from urltrap.ops.backup.manifest import at as manifest_at
from urltrap.ops.backup.manifest import list_manifests, why_none
from urltrap.ops.backup.vault import Vault
from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    CommandError,
    DataOption,
    JsonOption,
    app,
    console,
    console_err,
    open_folder,
    print_json,
    print_table,
)
from urltrap.store import StoreError

group = typer.Typer(help="Make, list and verify backups.", no_args_is_help=True)
app.add_typer(group, name="backup")

AtOption = Annotated[
    str, typer.Option("--at", help="the newest backup made then or before, e.g. 2026-11-24T05:00")
]


@contextmanager
def explained() -> Iterator[None]:
    """Errors of backups, store and journal as one clear message."""
    try:
        yield
    except (BackupError, StoreError, JournalError) as error:
        raise CommandError(str(error)) from error


def moment(text: str) -> datetime | None:
    """The moment that --at names, in UTC where it names no zone; None for an empty one."""
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--at {text!r} is no moment; write it as 2026-11-24T05:00 (UTC)") from None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


@group.command()
def now(
    data: DataOption = DEFAULT_DATA,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="keep every file anew, also what older backups have")
    ] = False,
) -> None:
    """Make a backup at once, restore it whole into a scratch place, compare, and copy it to every target."""
    folder, settings = open_folder(data)
    with explained(), console_err.status("backing up") as shown:
        vault = Vault(folder, settings)
        manifest = vault.back_up("manual", fresh, lambda what: shown.update(f"backing up: {what}"))
    rows = sum(manifest.database.counts.values())
    name = manifest.name.rpartition("/")[2]
    _say(f"{name}: {len(manifest.files):,} files, {rows:,} rows, {manifest.size / 1e6:,.1f} MB")
    state = vault.state()
    if state.verified_whole == manifest.name:
        _say("verified: restored into a scratch place and compared")
    else:
        _say("verified by hash only: the secret key is not on this machine (backup.age_identity_file)")
    for target, word in state.targets.items():
        _say(f"{target}: {word}")
    if any(not word.startswith("ok") for word in state.targets.values()):
        raise CommandError("the backup is in the local folder, but not at every target")


@group.command("list")
def list_(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """List the backups, oldest first."""
    folder, settings = open_folder(data)
    with explained():
        vault = Vault(folder, settings)
        manifests, damaged = list_manifests(vault.local)
    state = vault.state()
    rows = [
        {
            "made": manifest.made.isoformat(timespec="seconds"),
            "kind": manifest.kind,
            "database": manifest.database.dialect,
            "rows": sum(manifest.database.counts.values()),
            "files": len(manifest.files),
            "megabytes": round(manifest.size / 1e6, 1),
            "encrypted to": manifest.encrypted_to,
            "verified": "whole" if manifest.name == state.verified_whole
            else "hashes" if manifest.name == state.verified else "",
        }
        for manifest in manifests
    ]  # fmt: skip
    if as_json:
        print_json({"backups": rows, "damaged": damaged, "state": state})
        return
    print_table(
        f"backups in {vault.local.label}",
        tuple(rows[0]) if rows else ("made",),
        [tuple(r.values()) for r in rows],
    )
    for what in damaged:
        _say(f"damaged: {what}")


@group.command()
def verify(
    data: DataOption = DEFAULT_DATA,
    at: AtOption = "",
    hashes: Annotated[bool, typer.Option("--hashes", help="compare hashes only, without restoring")] = False,
) -> None:
    """Restore a backup (the newest) into a scratch place and compare it with what was backed up."""
    folder, settings = open_folder(data)
    with explained(), console_err.status("verifying") as shown:
        vault = Vault(folder, settings)
        manifests, damaged = list_manifests(vault.local)
        wanted = moment(at)
        manifest = manifest_at(manifests, wanted)
        if manifest is None:
            raise CommandError(why_none(vault.local, wanted))
        done = vault.verify(manifest, not hashes, lambda what: shown.update(f"verifying: {what}"))
    if done.whole:
        _say(
            f"{done.name.rpartition('/')[2]}: restored and equal: {done.files:,} files, {done.rows:,} rows, "
            f"{done.events:,} events in its journal"
        )
    else:
        _say(f"{done.name.rpartition('/')[2]}: the hashes of {done.files:,} files are right")
    if damaged:
        raise CommandError("; ".join(damaged))


@group.command()
def key(file: Annotated[Path, typer.Argument(help="new file for the secret key")]) -> None:
    """Make a pair of keys: the secret one into FILE, the public one for backup.age_recipient."""
    identity = pyrage.x25519.Identity.generate()
    try:
        with open(file, "x", encoding="ascii", opener=_private) as out:
            out.write(f"# public key: {identity.to_public()}\n{identity}\n")
    except FileExistsError:
        raise CommandError(
            f"{file} exists and is not overwritten: without it, no backup made for it can be read"
        ) from None
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from error
    _say(
        f"secret key: {file}: keep it away from this machine and its backups; without it they cannot be restored"
    )
    _say(f'[backup]\nage_recipient = "{identity.to_public()}"')


def _private(path: str, flags: int) -> int:
    import os

    return os.open(path, flags, 0o600)

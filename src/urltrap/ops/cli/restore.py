"""`urltrap restore`: everything back from a backup, also on a bare machine."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from urltrap.ops.backup.manifest import at as manifest_at
from urltrap.ops.backup.manifest import list_manifests, why_none
from urltrap.ops.backup.restoring import restore as restore_backup
from urltrap.ops.backup.sealing import read_identities
from urltrap.ops.backup.target import Target
from urltrap.ops.backup.vault import Vault
from urltrap.ops.cli.backup import AtOption, explained, moment
from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    CommandError,
    DataOption,
    app,
    console,
    console_err,
    open_folder,
)
from urltrap.ops.settings import SettingsError, load_settings


@app.command()
def restore(
    data: DataOption = DEFAULT_DATA,
    at: AtOption = "",
    into: Annotated[Path | None, typer.Option("--into", help="where to; default: the data folder")] = None,
    source: Annotated[
        str, typer.Option("--from", help="folder or URL of the backups; default: the data folder's")
    ] = "",
    option: Annotated[
        list[str] | None, typer.Option("--option", help="NAME=VALUE for the URL, e.g. endpoint_url=https://…")
    ] = None,
    identity: Annotated[Path | None, typer.Option("--identity", help="file with age's secret key")] = None,
    database: Annotated[
        str, typer.Option("--database", help="server to restore into instead of store.url")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="move what is there aside, and drop tables")] = False,
) -> None:
    """Restore the newest backup (with what came after it), or the newest of a time."""
    with explained(), console_err.status("restoring") as shown:
        identities = read_identities(identity) if identity else []
        target = _source(data, source, option or [])
        manifests, damaged = list_manifests(target)
        wanted = moment(at)
        manifest = manifest_at(manifests, wanted)
        if manifest is None:
            raise CommandError(why_none(target, wanted))
        done = restore_backup(
            target,
            manifest,
            into or data,
            identities,
            store_url=lambda work: database or _configured(work),
            force=force,
            newest=wanted is None,
            step=lambda what: shown.update(f"restoring: {what}"),
        )
    rows = sum(done.counts.values())
    lines = [
        f"restored into {into or data}: the backup of {manifest.made:%Y-%m-%d %H:%M:%S} UTC, "
        f"{len(manifest.files):,} files, {rows:,} rows (compared)"
    ]
    if done.newer_bytes:
        lines.append(f"and {done.newer_bytes:,} bytes of newer events, which urltrap up takes in by itself")
    if done.aside:
        lines.append(f"what was there before: {done.aside}")
    lines += [f"damaged and left out: {what}" for what in damaged]
    lines.append(f"start: urltrap up --data {into or data}")
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _source(data: Path, source: str, options: list[str]) -> Target:
    named = {}
    for option in options:
        match = re.fullmatch(r"([A-Za-z_]\w*)=(.*)", option)
        if match is None:
            raise CommandError(f"--option {option!r} is not NAME=VALUE")
        named[match[1]] = match[2]
    if source:
        return Target(source, named)
    if (data / "urltrap.toml").exists():
        return Vault(*open_folder(data)).local
    if (data / "backups").is_dir():
        return Target(str(data / "backups"))
    raise CommandError(
        f"{data} has no backups; say where they are: urltrap restore --from FOLDER_OR_URL --into {data}"
    )


def _configured(work: Path) -> str:
    try:
        return load_settings(work / "urltrap.toml", os.environ).store.url
    except SettingsError as error:
        raise CommandError(
            f"the restored settings cannot be used; nothing was put in place: {error}"
        ) from error

"""`urltrap publish`: what everyone may see as a folder of files, for any web host."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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
)
from urltrap.ops.cli.store import opened_store
from urltrap.site.assets import AssetsMissing
from urltrap.site.public.export import ExportError
from urltrap.site.public.process import export_site, own_names


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="written anew as a whole, in one step")],
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Write the site for everyone into DIR, as files that any web host can serve.

    What has not changed since the last time keeps its file and date. Only what came through the publication gate is in
    it: copy it to a host that has nothing to do with a sensor's address.
    """
    place, _ = open_folder(data)
    try:
        secret = (place.keys / "secret").read_bytes()
    except OSError as error:
        raise CommandError(
            f"{error.filename}: {error.strerror}; run this as the user who runs urltrap"
        ) from error
    progress = Progress(
        TextColumn("pages"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console_err,
        transient=True, disable=not sys.stderr.isatty(),
    )  # fmt: skip
    with opened_store(data) as (store, settings), progress:
        task = progress.add_task("pages", total=None)
        try:
            done = export_site(
                store, settings, secret, folder, own_names(place.root),
                lambda n, of: progress.update(task, completed=n, total=of),
            )  # fmt: skip
        except (ExportError, AssetsMissing) as error:
            raise CommandError(str(error)) from error
    if as_json:
        print_json(asdict(done))
        return
    console.print(
        f"{done.urls:,} URLs in {done.files:,} files in {folder} "
        f"({done.written:,} written, {done.removed:,} gone, {done.bytes / 1e6:,.1f} MB)",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip

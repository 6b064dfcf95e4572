"""`urltrap init DIR`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, get_args

import typer

from urltrap.machine.persona import Kind
from urltrap.model.settings import Settings
from urltrap.ops.cli.common import CommandError, app, console, program
from urltrap.ops.data_folder import DataFolder, DataFolderError
from urltrap.ops.init import init_data_folder
from urltrap.ops.settings import SettingsError, load_settings
from urltrap.ops.system_user import make_system_user


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="where to make the data folder", metavar="DIR")] = Path(
        "data"
    ),
    persona: Annotated[
        str, typer.Option(help=f"what the machine claims to be: {', '.join(get_args(Kind))}")
    ] = "debian-12",
    data: Annotated[Path | None, typer.Option("--data", help="the same as DIR")] = None,
) -> None:
    """Make a data folder: settings, host keys, secret, persona. Asks nothing; keeps what exists."""
    kind = next((known for known in get_args(Kind) if known == persona), None)
    if kind is None:
        raise CommandError(f"no persona {persona!r}; known: {', '.join(get_args(Kind))}")
    root = data or directory
    try:
        report = init_data_folder(root, persona_kind=kind)
    except DataFolderError as error:
        raise CommandError(str(error)) from error
    if report.made:
        console.print(
            f"made in {root}: {', '.join(report.made)}", highlight=False, markup=False, soft_wrap=True
        )
    if report.kept:
        console.print(
            f"kept as it was: {', '.join(report.kept)}", highlight=False, markup=False, soft_wrap=True
        )
    if os.geteuid() == 0 and not _settings(report.folder).supervisor.user:
        said = make_system_user()
        if said:
            console.print(said, highlight=False, markup=False, soft_wrap=True)
    console.print(f"settings: {report.folder.settings}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"start with: {program()} up --data {root}", highlight=False, markup=False, soft_wrap=True)


def _settings(folder: DataFolder) -> Settings:
    try:
        return load_settings(folder.settings, os.environ)
    except SettingsError as error:
        raise CommandError(str(error)) from error

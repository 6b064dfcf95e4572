"""`urltrap image build`: record the machine's base images from real packages, or make the root of the boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from urltrap.ops.cli.common import DEFAULT_DATA, CommandError, DataOption, app, console, console_err
from urltrap.ops.image_build import BuildError, build_image
from urltrap.ops.sandbox_image import build_sandbox_image

group = typer.Typer(help="The base images that attackers see.", no_args_is_help=True)
app.add_typer(group, name="image")


@group.command()
def build(
    output: Annotated[
        Path | None, typer.Argument(help="the file to write, for example debian-12.img.zst")
    ] = None,
    kind: Annotated[str, typer.Option(help="debian-12, debian-13 or busybox")] = "debian-12",
    sandbox: Annotated[
        bool,
        typer.Option("--sandbox", help="make the root file system of the boxes instead, in the data folder"),
    ] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Make a throw-away root file system from this machine's package sources and record it into one file."""
    if (output is None) != sandbox:
        raise CommandError("say which file to write, or --sandbox")
    with console_err.status("packages are fetched and unpacked, this takes a minute or two"):
        try:
            if output is None:
                place, size = build_sandbox_image(data), ""
            else:
                place, size = output, f", {build_image(kind, output):,} bytes"
        except BuildError as error:
            raise CommandError(str(error)) from error
    console.print(f"written: {place}{size}", highlight=False, markup=False, soft_wrap=True)

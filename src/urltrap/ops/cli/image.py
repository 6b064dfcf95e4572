"""`urltrap image build`: record the machine's base images from real packages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from urltrap.ops.cli.common import CommandError, app, console, console_err
from urltrap.ops.image_build import BuildError, build_image

group = typer.Typer(help="The base images that attackers see.", no_args_is_help=True)
app.add_typer(group, name="image")


@group.command()
def build(
    output: Annotated[Path, typer.Argument(help="the file to write, for example debian-12.img.zst")],
    kind: Annotated[str, typer.Option(help="debian-12, debian-13 or busybox")] = "debian-12",
) -> None:
    """Make a throw-away root file system from this machine's package sources and record it into one file."""
    with console_err.status(
        f"building {kind}: packages are fetched and unpacked, this takes a minute or two"
    ):
        try:
            size = build_image(kind, output)
        except BuildError as error:
            raise CommandError(str(error)) from error
    console.print(f"written: {output}, {size:,} bytes", highlight=False, markup=False, soft_wrap=True)

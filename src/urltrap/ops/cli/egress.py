"""`urltrap egress on|off|status`: the kill switch of the only door out."""

from __future__ import annotations

import typer

from urltrap.ops.cli.common import DEFAULT_DATA, DataOption, app, console, open_folder

group = typer.Typer(help="The kill switch of everything that leaves this machine.", no_args_is_help=True)
app.add_typer(group, name="egress")


@group.command()
def off(data: DataOption = DEFAULT_DATA) -> None:
    """Nothing is resolved or fetched from now on; running fetches are aborted."""
    folder, _ = open_folder(data)
    folder.egress_off.touch()
    console.print("egress is off: attackers' URLs are recorded, nothing is fetched")


@group.command()
def on(data: DataOption = DEFAULT_DATA) -> None:
    """Fetch again, as egress.mode says."""
    folder, settings = open_folder(data)
    folder.egress_off.unlink(missing_ok=True)
    console.print(f"egress is on, mode {settings.egress.mode}")


@group.command()
def status(data: DataOption = DEFAULT_DATA) -> None:
    """Say whether anything may leave."""
    folder, settings = open_folder(data)
    state = (
        "off (urltrap egress on switches it on)"
        if folder.egress_off.exists()
        else f"on, mode {settings.egress.mode}"
    )
    console.print(f"egress is {state}")

"""`urltrap profile`: recording real servers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from urltrap.ops.audit.client import NotSsh, ServerEnded
from urltrap.ops.audit.runner import Target
from urltrap.ops.cli.common import CommandError, app, console

profile_app = typer.Typer(help="Profiles of real servers.", no_args_is_help=True)
app.add_typer(profile_app, name="profile")


def target_of(
    address: str,
    user: str = "",
    password: str | None = None,
    key: Path | None = None,
    silence: float = 0.4,
    at_a_time: int = 16,
) -> Target:
    """The server that HOST:PORT names, with a way in. CommandError where it is no address or the key is unreadable."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise CommandError(f"{address} is no HOST:PORT")
    pair = None
    if key is not None:
        import asyncssh

        try:
            pair = asyncssh.load_keypairs([str(key)])[0]
        except (OSError, asyncssh.KeyImportError) as error:
            raise CommandError(f"the key {key} cannot be read ({error})") from error
    return Target(host.strip("[]"), int(port), user, password, pair, silence, at_a_time)


@profile_app.command()
def capture(
    address: Annotated[str, typer.Argument(help="HOST:PORT of a real server of yours")],
    name: Annotated[str, typer.Option(help="what to call the profile")],
    into: Annotated[
        Path, typer.Option(help="the folder for NAME.json, NAME.answers.json and NAME.moduli")
    ] = Path(),
    user: Annotated[str, typer.Option(help="a user to log in as, for what lies behind log-in")] = "",
    key: Annotated[Path | None, typer.Option(help="a private key that lets this user in")] = None,
    runs: Annotated[int, typer.Option(min=1, max=50, help="how often to ask everything")] = 5,
    silence: Annotated[
        float, typer.Option(min=0.05, max=30, help="seconds of silence that end an answer")
    ] = 2.0,
    at_a_time: Annotated[int, typer.Option(min=1, max=200, help="connections at a time")] = 16,
) -> None:
    """Record a real SSH server: what it offers, how it answers, how long it takes.

    Ask only servers of your own: it opens some hundred connections at a time in several runs (raise MaxStartups).
    """
    from urltrap.ops.audit.capture import capture as record
    from urltrap.ops.audit.capture import moduli_lines

    target = target_of(address, user, key=key, silence=silence, at_a_time=at_a_time)
    try:
        captured = asyncio.run(record(target, name, runs=runs))
    except (OSError, ServerEnded, NotSsh) as error:
        raise CommandError(f"{address} cannot be recorded: {error or type(error).__name__}") from error
    into.mkdir(parents=True, exist_ok=True)
    (into / f"{name}.json").write_text(captured.profile.model_dump_json(indent=2) + "\n", "utf-8")
    (into / f"{name}.answers.json").write_text(json.dumps(captured.answers, indent=0) + "\n", "utf-8")
    if captured.groups:
        (into / f"{name}.moduli").write_text(moduli_lines(captured.groups), "ascii")
    console.print(
        f"{name}: {captured.profile.version}, {len(captured.answers)} probes answered", markup=False
    )

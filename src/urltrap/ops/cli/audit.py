"""`urltrap audit`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from urltrap.ops.audit.client import NotSsh, ServerEnded
from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    CommandError,
    DataOption,
    JsonOption,
    app,
    console,
    open_folder,
    print_json,
    print_table,
)
from urltrap.ops.cli.profile import target_of


@app.command()
def audit(
    address: Annotated[
        str | None, typer.Argument(help="HOST:PORT; else the data folder's SSH sensor")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    user: Annotated[str, typer.Option(help="a user to log in as, for what lies behind log-in")] = "",
    password: Annotated[
        str | None, typer.Option(envvar="URLTRAP_AUDIT_PASSWORD", help="the user's password")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="a private key that lets the user in")] = None,
    silence: Annotated[
        float, typer.Option(min=0.05, max=30, help="seconds of silence that end an answer")
    ] = 0.6,
    as_json: JsonOption = False,
) -> None:
    """Ask an SSH server what detectors ask; tell what gives it away, worst first, with exit status 1.

    Ask only servers of your own. It opens some six hundred connections, sixteen at a time.
    """
    from urltrap.ops.audit.report import audit as examine

    if address is None:
        listen = open_folder(data)[1].sensors.ssh.listen
        if not listen:
            raise CommandError("the SSH sensor listens nowhere; name HOST:PORT")
        host, _, port = listen[0].rpartition(":")
        address = f"{'127.0.0.1' if host in ('0.0.0.0', '') else '::1' if host == '[::]' else host}:{port}"
    target = target_of(address, user, password, key, silence)
    try:
        report = asyncio.run(examine(target))
    except (OSError, ServerEnded, NotSsh) as error:
        raise CommandError(f"{address} cannot be audited: {error or type(error).__name__}") from error
    if as_json:
        print_json(asdict(report))
    else:
        asked = f"{report.asked} probes answered, {report.not_asked} could not be asked"
        console.print(
            f"{report.banner}\nhasshServer {report.hassh_server}: {report.population}\n{asked}", markup=False
        )
        print_table(
            f"{len(report.findings)} things give it away",
            ("weight", "what*", "seen*", "a real one*", "what to do*"),
            ((str(each.weight), each.what, each.seen, each.real, each.fix) for each in report.findings),
        )
    if report.findings:
        raise typer.Exit(1)

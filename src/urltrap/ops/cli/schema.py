"""`urltrap schema`: the JSON Schema of the records, made from the models themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from urltrap.ops.cli.common import app, console
from urltrap.ops.schema import schema_text


@app.command()
def schema(
    output: Annotated[Path | None, typer.Option(help="write here instead of to standard output")] = None,
) -> None:
    """Print the JSON Schema of all journal events."""
    if output is None:
        typer.echo(schema_text(), nl=False)
    else:
        output.write_text(schema_text(), encoding="utf-8")
        console.print(f"written: {output}", highlight=False, markup=False)

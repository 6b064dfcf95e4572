"""`urltrap lists`: which context lists are there; `urltrap lists update` downloads lists and dumps now."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from urltrap.intel import dumps
from urltrap.intel.download import kept
from urltrap.intel.lists import folder as context_lists
from urltrap.intel.lists.catalogue import kind_of
from urltrap.intel.lists.folder import Outcome
from urltrap.model.intel_settings import IntelSettings
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
from urltrap.pipeline.freshening import dump_folder, list_folder

lists_app = typer.Typer(help="Context lists and dumps of reputation providers.", invoke_without_command=True)
app.add_typer(lists_app, name="lists")


@lists_app.callback()
def show(context: typer.Context, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Show the downloaded lists and dumps: version, age, and why the newest download failed where it did."""
    if context.invoked_subcommand is not None:
        return
    folder, settings = open_folder(data)
    rows = list(_rows(settings.intel, folder.root))
    if as_json:
        print_json(rows)
        return
    print_table(
        "lists and dumps",
        ("name", "what", "downloaded (UTC)", "bytes", "problem*"),
        ((row["name"], row["kind"], row["fetched"][:16].replace("T", " "), row["size"] or "", row["problem"])
         for row in rows),
    )  # fmt: skip
    if not any(row["fetched"] for row in rows):
        console.print(f"nothing was downloaded yet: urltrap lists update --data {data}", highlight=False)


@lists_app.command()
def update(
    data: DataOption = DEFAULT_DATA,
    only: Annotated[str | None, typer.Option(help="lists or dumps; both where it is left out")] = None,
    as_json: JsonOption = False,
) -> None:
    """Download all lists and dumps that changed. One that fails stays as it was; exit status 1 where any did."""
    if only not in (None, "lists", "dumps"):
        raise CommandError("--only: lists or dumps")
    folder, settings = open_folder(data)
    outcomes = asyncio.run(_update(settings.intel, folder.root, only, quiet=as_json))
    _hand_over(folder.root)
    if as_json:
        print_json([{"name": o.name, "result": o.result, "reason": o.reason} for o in outcomes])
    else:
        counted = {word: sum(o.result == word for o in outcomes) for word in ("changed", "same", "failed")}
        console.print(
            f"{counted['changed']} changed, {counted['same']} as before, {counted['failed']} failed",
            highlight=False,
        )
    if any(outcome.result == "failed" for outcome in outcomes):
        raise typer.Exit(1)


async def _update(settings: IntelSettings, root: Path, only: str | None, quiet: bool) -> list[Outcome]:
    def tell(outcome: Outcome) -> None:
        if not quiet and outcome.result != "same":
            console.print(
                f"  {outcome.name}: {outcome.result} {outcome.reason}", highlight=False, markup=False
            )

    now = datetime.now(UTC)
    outcomes = []
    if only != "dumps":
        outcomes += await context_lists.update(settings, list_folder(root), now, force=True, tell=tell)
    if only != "lists":
        outcomes += await dumps.update(settings, dump_folder(root), now, force=True, tell=tell)
    return outcomes


def _rows(settings: IntelSettings, root: Path) -> Iterator[dict[str, Any]]:
    for source in context_lists.sources(settings, list_folder(root)):
        yield _row(source.name, kind_of(source.name), source.file)
    for part in dumps.parts(settings, dump_folder(root)):
        yield _row(part.file.stem, f"dump of {part.provider}", part.file)


def _row(name: str, kind: str, file: Path) -> dict[str, Any]:
    known = kept(file)
    return {
        "name": name,
        "kind": kind,
        "fetched": known.fetched,
        "size": known.size,
        "problem": known.problem,
    }


def _hand_over(root: Path) -> None:
    """What root downloads belongs to whoever owns the data folder: the pipeline runs as that user."""
    owner = root.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    intel = root / "intel"
    for base, _, files in os.walk(intel):
        for place in (base, *(os.path.join(base, name) for name in files)):
            os.chown(place, owner.st_uid, owner.st_gid, follow_symlinks=False)

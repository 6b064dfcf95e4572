"""`urltrap recover`: the URLs that a text would fetch, by running it in the machine with the network recorded."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from urltrap import recover as recovery
from urltrap.model.sighting import Recovered
from urltrap.model.url import defang
from urltrap.ops.cli.common import CommandError, app, console, console_err, print_json, print_table, visible

LONGEST = 16_000_000
"""Bytes of an input that are read; recovery itself runs less (it says so)."""
_SURE = 60
_SHOW_PROGRESS_FROM = 1_000_000


@app.command()
def recover(
    source: Annotated[
        str, typer.Argument(help="the file with the text; - for standard input", metavar="FILE|-")
    ] = "-",
    explain: Annotated[bool, typer.Option("--explain", help="show how each URL came out, as a tree")] = False,
    plain: Annotated[
        bool, typer.Option("--text", help="look for URLs only (mails, notes): run nothing")
    ] = False,
    all_kinds: Annotated[bool, typer.Option("--all", help="call-backs, pools and mere mentions too")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
    as_lines: Annotated[
        bool,
        typer.Option(
            "--jsonl", help='read lines {"text": …}, print one JSON list of URLs for each, in order'
        ),
    ] = False,
) -> None:
    """Recover the URLs that a text would fetch, by running it with the network recorded. Nothing is contacted."""
    if as_lines:
        with _opened(source) as stream:
            _lines(stream)
        return
    with _opened(source) as stream:
        data = stream.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise CommandError(f"{source}: larger than {LONGEST} bytes: split it, or give its lines with --jsonl")
    found = recovery.read(data, recovery.Context(language="text" if plain else "shell"))
    shown = [
        item for item in found.found if all_kinds or (item.kind == "payload" and item.confidence >= _SURE)
    ]
    if as_json:
        print_json({"urls": [item.model_dump(mode="json") for item in shown], "notes": found.notes})
        return
    if explain:
        _tree(source, shown)
    elif shown:
        print_table(
            "recovered", ("URL*", "client", "how*", "sure", "flags"),
            ((_address(item), item.client, _how(item), item.confidence, _flags(item)) for item in shown),
        )  # fmt: skip
    else:
        console.print("no URL", highlight=False)
    for note in found.notes:
        console_err.print(f"note: {visible(note)}", markup=False, highlight=False)


class _opened:
    """The input as a stream of bytes; CommandError where it cannot be read."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.stream: BinaryIO = sys.stdin.buffer

    def __enter__(self) -> BinaryIO:
        if self.source != "-":
            try:
                self.stream = Path(self.source).open("rb")
            except OSError as error:
                raise CommandError(
                    f"{self.source}: {error.strerror}: give a readable file, or - for standard input"
                ) from error
        return self.stream

    def __exit__(self, *args: object) -> None:
        if self.source != "-":
            self.stream.close()


def _lines(stream: BinaryIO) -> None:
    out = sys.stdout
    for number, line in enumerate(_watched(stream), 1):
        if not line.strip():
            continue
        try:
            text = json.loads(line)["text"]
            data = text.encode("utf-8", "surrogatepass")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CommandError(
                f'line {number} is no JSON object with a "text": one such object on each line is expected'
            ) from error
        found = [item.url for item in recovery.urls(data) if item.confidence >= _SURE and not item.runtime]
        out.write(json.dumps(found) + "\n")
        out.flush()


def _watched(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a stream, with a progress bar where it is a long file and somebody watches."""
    try:
        size = os.fstat(stream.fileno()).st_size
    except OSError:
        size = 0
    if size < _SHOW_PROGRESS_FROM or not sys.stderr.isatty():
        yield from stream
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("recovering"), BarColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console_err, transient=True) as progress:
        task = progress.add_task("recovering", total=size)
        for line in stream:
            yield line
            progress.advance(task, len(line))


def _address(item: Recovered) -> str:
    return defang(item.url)


def _how(item: Recovered) -> str:
    return " → ".join(item.chain) or item.method


def _flags(item: Recovered) -> str:
    told: list[str] = [*item.flags]
    if item.kind != "payload":
        told.insert(0, item.kind)
    if item.conditional:
        told.append("conditional")
    if item.runtime:
        told.append("run-time")
    return ", ".join(told)


def _tree(source: str, items: list[Recovered]) -> None:
    """The chains as one tree: texts in texts, the client that asks, the URL at the end."""
    from rich.text import Text
    from rich.tree import Tree

    root = Tree(Text(visible("standard input" if source == "-" else source), style="bold"))
    branches: dict[tuple[str, ...], Any] = {(): root}
    for item in items:
        path: tuple[str, ...] = ()
        for step in item.chain or [item.method]:
            parent, path = branches[path], (*path, step)
            if path not in branches:
                branches[path] = parent.add(Text(visible(step)))
        line = Text(visible(_address(item)), style="green" if not item.flags else "yellow", overflow="fold")
        told = [
            _flags(item),
            f"→ {visible(item.output)}" if item.output not in ("", "-") else "",
            f"{item.confidence} %",
        ]
        leaf = branches[path].add(line + Text("  " + "  ".join(part for part in told if part), style="dim"))
        if item.raw.decode("utf-8", "replace") not in (item.url, ""):
            leaf.add(Text(f"written as {visible(item.raw)}", style="dim", overflow="fold"))
    console.print(root)

"""What all commands share: the data folder, settings, output as table or JSON, visible control characters."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from pydantic import BaseModel
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from urltrap.model.settings import Settings
from urltrap.ops.data_folder import DataFolder, DataFolderError, existing
from urltrap.ops.settings import SettingsError, load_settings
from urltrap.ops.system_user import hand_over_at_exit

app = typer.Typer(
    help="A honeypot that turns attackers into a live, validated list of malicious URLs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# Piped output has no width of its own; tables then get room instead of being folded to 80 columns.
console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 200)
console_err = Console(stderr=True)


@app.callback()
def _group() -> None:
    """A honeypot that turns attackers into a live, validated list of malicious URLs."""
    # Without a callback, typer would turn an app of one command into that command (only the needed one is loaded).


class CommandError(Exception):
    """A command cannot do what was asked; the message says what to do next."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


DataOption = Annotated[
    Path, typer.Option("--data", envvar="URLTRAP_DATA", help="the data folder", show_default=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="how many rows at most")]
DEFAULT_DATA = Path("data")


def open_folder(data: Path) -> tuple[DataFolder, Settings]:
    """The data folder and its settings; CommandError with the next step where either cannot be used."""
    try:
        folder = existing(data)
        settings = load_settings(folder.settings, os.environ)
    except (DataFolderError, SettingsError) as error:
        raise CommandError(str(error)) from error
    hand_over_at_exit(folder)
    return folder, settings


def program() -> str:
    """How this program is called again: "urltrap", or its path where the shell would not find it by that."""
    called = Path(sys.argv[0])
    if called.name != "urltrap" or shutil.which("urltrap") == str(called.absolute()):
        return "urltrap"
    return os.path.relpath(called) if called.absolute().is_relative_to(Path.cwd()) else str(called)


def check_choice(kind: Any, given: str | None, what: str) -> None:
    """CommandError where `given` is not one of the words of the Literal `kind`."""
    if given is not None and given not in get_args(kind):
        raise CommandError(f"no {what} {given!r}; known: {', '.join(get_args(kind))}")


def visible(value: object) -> str:
    """Attackers' text for a terminal: control, format and bidirectional characters become escapes, never raw."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode("ascii")
        for char in text
    )


def cell(value: object) -> Text:
    """A table cell: visible text, never markup."""
    return Text("" if value is None else visible(value), overflow="fold")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for people. A column whose name ends in "*" takes the room that is left and folds; others stay whole.

    Where the window is too narrow for that, each row is printed as a list of its fields: nothing is cut.
    """
    listed = [[value if isinstance(value, Text) else cell(value) for value in row] for row in rows]
    # By itself: as a table's title it would be folded to the width of the columns.
    console.print(Text(visible(title), style="italic"), soft_wrap=True)
    if _fits(columns, listed):
        table = Table(header_style="bold", expand=False, box=box.SIMPLE_HEAD)
        for column in columns:
            folds = column.endswith("*")
            least = min(_FOLDED, _widest(columns, listed, column)) if folds else None
            table.add_column(column.rstrip("*"), overflow="fold", no_wrap=not folds, min_width=least)
        for row in listed:
            table.add_row(*row)
        console.print(table)
    else:
        for row in listed:
            fields = Table.grid(padding=(0, 2))
            fields.add_column(style="dim", no_wrap=True)
            fields.add_column(overflow="fold")
            for column, value in zip(columns, row, strict=True):
                if value.plain:
                    fields.add_row(column.rstrip("*"), value)
            console.print(fields, "", sep="")
    if not listed:
        console.print("nothing yet", style="dim")


_FOLDED = 24
"""A column that folds is not made narrower than this: one word to a line is no longer read."""


def _widest(columns: Sequence[str], rows: Sequence[Sequence[Text]], column: str) -> int:
    index = columns.index(column)
    return max(len(column.rstrip("*")), *(row[index].cell_len for row in rows)) if rows else len(column)


def _fits(columns: Sequence[str], rows: Sequence[Sequence[Text]]) -> bool:
    """Whether every column gets what it needs, with a space at each of its sides and one between columns."""
    needed = 1
    for column in columns:
        widest = _widest(columns, rows, column)
        needed += 3 + (min(_FOLDED, widest) if column.endswith("*") else widest)
    return needed <= console.width


def print_json(value: BaseModel | Sequence[BaseModel] | dict[str, Any] | list[Any]) -> None:
    """JSON for machines on standard output; models in their JSON form."""

    def plain(item: Any) -> Any:
        if isinstance(item, BaseModel):
            return item.model_dump(mode="json")
        if isinstance(item, dict):
            return {key: plain(below) for key, below in item.items()}
        if isinstance(item, (list, tuple)):
            return [plain(below) for below in item]
        return item

    sys.stdout.write(json.dumps(plain(value), ensure_ascii=True, indent=1) + "\n")

"""`urltrap db`: make, update, look at and move the database."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    CommandError,
    DataOption,
    JsonOption,
    app,
    console,
    console_err,
    open_folder,
    print_json,
    print_table,
)
from urltrap.ops.cli.run import only_one
from urltrap.store import StoreError, newest_schema, open_store, owner
from urltrap.store.compare import row_counts
from urltrap.store.engine import schema_at, schema_of
from urltrap.store.moving import move
from urltrap.store.queries import overview

_LATELY = timedelta(minutes=10)
"""An installation that recorded something within this time is taken for one that runs."""

group = typer.Typer(help="Make, update, look at and move the database.", no_args_is_help=True)
app.add_typer(group, name="db")


@group.command()
def init(data: DataOption = DEFAULT_DATA) -> None:
    """Make the tables in the database that the settings name; harmless to repeat."""
    _open(data)


@group.command()
def upgrade(data: DataOption = DEFAULT_DATA) -> None:
    """Bring the database to the newest schema (urltrap up does it by itself, too)."""
    _open(data)


def _open(data: DataOption) -> None:
    folder, settings = open_folder(data)
    url = folder.store_url(settings.store.url)
    try:
        before = schema_at(url)
        store = open_store(url)
        label = store.label
        store.close()
    except StoreError as error:
        raise CommandError(str(error)) from error
    after = newest_schema()
    words = f"has schema {after} already" if before == after else f"schema {before or 'none'} → {after}"
    console.print(f"{label}: {words}", highlight=False, markup=False, soft_wrap=True)


@group.command()
def status(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Show which database is used, its schema and the rows of every table."""
    folder, settings = open_folder(data)
    try:
        store = open_store(folder.store_url(settings.store.url), migrate=False)
        try:
            with store.connect() as connection:
                counts = row_counts(connection)
            body = {"database": store.label, "schema": schema_of(store), "rows": counts}
        finally:
            store.close()
    except StoreError as error:
        raise CommandError(str(error)) from error
    if as_json:
        print_json(body)
        return
    rows = [(name, f"{count:,}") for name, count in sorted(counts.items()) if count]
    print_table(f"{body['database']}, schema {body['schema']}", ("table", "rows"), rows)


@group.command("take-over")
def take_over(
    data: DataOption = DEFAULT_DATA,
    force: Annotated[
        bool, typer.Option("--force", help="also where the other installation recorded something lately")
    ] = False,
) -> None:
    """Give a database that belonged to another installation, which is gone for good, to this one."""
    folder, settings = open_folder(data)
    with only_one(folder):
        try:
            store = open_store(folder.store_url(settings.store.url))
            try:
                former = owner.owner(store)
                if former == folder.installation:
                    raise CommandError(f"{store.label} is this installation's already; nothing was changed")
                newest = overview.pulse(store).last_event
                age = None if newest is None else datetime.now(UTC) - newest
                if former and age is not None and age < _LATELY and not force:
                    raise CommandError(
                        f"installation {former} recorded something {age.total_seconds() / 60:.0f} minutes ago: it "
                        "seems to run still. Stop it for good; --force takes its database all the same"
                    )
                put_aside = owner.take_over(store, folder.installation)
                label = store.label
            finally:
                store.close()
        except StoreError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(
                f"{error.filename}: {error.strerror}; run it as the owner of {folder.keys}"
            ) from error
    console.print(
        f"{label} is this installation's now; what it holds stays, {len(put_aside)} places in the former one's "
        "journals were put aside. Start urltrap up.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


@group.command("move")
def move_(
    to: Annotated[
        str, typer.Option("--to", help="the empty database, e.g. postgresql+psycopg://user@host/urltrap")
    ],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Copy everything into another database and compare rows and checksums; the old one stays as it is."""
    folder, settings = open_folder(data)
    try:
        make_url(to)
    except ArgumentError as error:
        raise CommandError(
            "--to is not a database's address; e.g. mariadb+pymysql://user@host/urltrap"
        ) from error
    with only_one(folder):
        try:
            source = open_store(folder.store_url(settings.store.url))
            try:
                target = open_store(to)
                try:
                    with console_err.status("moving") as shown:
                        moved = move(
                            source, target, lambda table, rows: shown.update(f"{table}: {rows:,} rows")
                        )
                    label = target.label
                finally:
                    target.close()
            finally:
                source.close()
        except StoreError as error:
            raise CommandError(str(error)) from error
    total = sum(table.rows for table in moved)
    where = (
        "the environment variable URLTRAP_STORE__URL"
        if "URLTRAP_STORE__URL" in os.environ
        else str(folder.settings)
    )
    console.print(
        f"moved {total:,} rows in {len(moved)} tables to {label}; rows and checksums agree.\n"
        f"Now set store.url to it in {where} and start urltrap up. The old database was not changed.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )

"""`urltrap user` and `urltrap key`: who may use the site, and which programs its API."""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    CommandError,
    DataOption,
    JsonOption,
    app,
    console,
    print_json,
    print_table,
)
from urltrap.ops.cli.store import opened_store
from urltrap.site.auth import passwords
from urltrap.store import Store
from urltrap.store.accounts import keys, users
from urltrap.store.accounts.audit import Actor
from urltrap.store.accounts.users import AccountError

user = typer.Typer(
    help="Who may use the site. Passwords are asked for, or read from standard input.", no_args_is_help=True
)
key = typer.Typer(help="Keys for programs that read the API and the feeds.", no_args_is_help=True)
app.add_typer(user, name="user")
app.add_typer(key, name="key")

NameArgument = Annotated[str, typer.Argument(metavar="NAME")]
RightArgument = Annotated[str, typer.Argument(metavar="RIGHT", help=f"one of {', '.join(users.RIGHTS)}")]
RoleOption = Annotated[str, typer.Option(help=f"one of {', '.join(users.ROLES)}")]


@user.command("add")
def add_user(name: NameArgument, data: DataOption = DEFAULT_DATA, role: RoleOption = "viewer") -> None:
    """Make a user. From the first one on, the site asks everybody to log in."""
    with _accounts(data) as (store, now, by):
        first = not users.any_user(store)
        if first and role != "admin":
            raise CommandError("the first user is the one who sees to the others: --role admin")
        if users.find(store, name) is not None:
            raise CommandError(
                f"there is a user {name} already; `urltrap user passwd {name}` changes the password"
            )
        users.add(store, name, role, passwords.hash_of(_new_password(name)), now, by)
    _say(f"{name} may log in as {role}")
    if first:
        _say("from now on the site asks everybody to log in")


@user.command("list")
def list_users(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Show all users."""
    with _accounts(data) as (store, _now, _by):
        rows = users.all_users(store)
    if as_json:
        print_json(
            [
                {
                    "name": row.name, "role": row.role, "rights": sorted(row.right_set), "codes": bool(row.totp),
                    "since": row.created.isoformat(),
                }
                for row in rows
            ]
        )  # fmt: skip
        return
    print_table(
        "users of the site",
        ("name", "role", "rights", "one-time codes", "since (UTC)"),
        [
            (row.name, row.role, row.rights, "yes" if row.totp else "no", f"{row.created:%Y-%m-%d %H:%M}")
            for row in rows
        ],
    )


@user.command("passwd")
def change_password(name: NameArgument, data: DataOption = DEFAULT_DATA) -> None:
    """Give a user another password; all log-ins of that user end."""
    with _accounts(data) as (store, now, by):
        if users.find(store, name) is None:
            raise CommandError(f"there is no user {name}; `urltrap user list` names all")
        users.set_password(store, name, passwords.hash_of(_new_password(name)), now, by)
    _say(f"{name} has another password, and is logged out everywhere")


@user.command("role")
def change_role(
    name: NameArgument,
    role: Annotated[str, typer.Argument(help=f"one of {', '.join(users.ROLES)}")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Give a user another role; it counts from the next page on."""
    with _accounts(data) as (store, now, by):
        users.set_role(store, name, role, now, by)
    _say(f"{name} is {role}")


@user.command("allow")
def allow(name: NameArgument, right: RightArgument, data: DataOption = DEFAULT_DATA) -> None:
    """Give a user a right that no role has: `payloads`, to download what attackers brought (as an encrypted zip)."""
    with _accounts(data) as (store, now, by):
        users.set_right(store, name, right, True, now, by)
    _say(f"{name} has the right {right}; what is done with it is in the log")


@user.command("deny")
def deny(name: NameArgument, right: RightArgument, data: DataOption = DEFAULT_DATA) -> None:
    """Take a right from a user; it counts at once."""
    with _accounts(data) as (store, now, by):
        users.set_right(store, name, right, False, now, by)
    _say(f"{name} has the right {right} no more")


@user.command("remove")
def remove_user(name: NameArgument, data: DataOption = DEFAULT_DATA) -> None:
    """Take a user away; all log-ins of that user end."""
    with _accounts(data) as (store, now, by):
        users.remove(store, name, now, by)
        left = users.any_user(store)
    _say(f"{name} is removed")
    if not left:
        _say(
            "nobody has an account now: a site that listens on this machine alone is open to whoever reaches it"
        )


@user.command("codes-off")
def codes_off(name: NameArgument, data: DataOption = DEFAULT_DATA) -> None:
    """Ask a user, whose app is lost, for no one-time codes any more."""
    with _accounts(data) as (store, now, by):
        users.set_totp(store, name, "", 0, now, by)
    _say(f"a log-in of {name} asks for no code any more")


@key.command("add")
def add_key(
    name: NameArgument,
    data: DataOption = DEFAULT_DATA,
    scope: Annotated[
        str, typer.Option(help=f"what it may do, with commas: {','.join(keys.SCOPES)}")
    ] = "read",
    rate: Annotated[str, typer.Option(help="how often it may ask, as N/min")] = "60/min",
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it. It is shown this once."""
    told = re.fullmatch(r"(\d{1,6})(?:/min)?", rate.strip())
    if told is None:
        raise CommandError(f"{rate!r} is no rate; say for example --rate 60/min")
    with _accounts(data) as (store, now, by):
        scopes = [word.strip() for word in scope.split(",") if word.strip()]
        secret = keys.add(store, name, scopes, int(told[1]), now, by)
    if as_json:
        print_json({"name": name, "key": secret})
        return
    _say(f"# Send it as Authorization: Bearer KEY. It is not shown again.\n{secret}")


@key.command("list")
def list_keys(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Show all keys, without what they are."""
    with _accounts(data) as (store, _now, _by):
        rows = keys.all_keys(store)
    if as_json:
        print_json(
            [
                {
                    "name": row.name, "scopes": sorted(row.scopes), "per_minute": row.per_minute,
                    "created": row.created.isoformat(), "used": row.used.isoformat() if row.used else None,
                }
                for row in rows
            ]
        )  # fmt: skip
        return
    print_table(
        "keys of the API",
        ("name", "scopes", "a minute", "since (UTC)", "last used (UTC)"),
        [
            (
                row.name, ", ".join(sorted(row.scopes)), row.per_minute, f"{row.created:%Y-%m-%d %H:%M}",
                f"{row.used:%Y-%m-%d %H:%M}" if row.used else "never",
            )
            for row in rows
        ],
    )  # fmt: skip


@key.command("remove")
def remove_key(name: NameArgument, data: DataOption = DEFAULT_DATA) -> None:
    """Refuse a key from now on."""
    with _accounts(data) as (store, now, by):
        keys.remove(store, name, now, by)
    _say(f"the key {name} is refused from now on")


@contextmanager
def _accounts(data: Path) -> Iterator[tuple[Store, datetime, Actor]]:
    """The store, the moment, and who does it: whoever is at the machine."""
    with opened_store(data) as (store, _settings):
        try:
            yield store, datetime.now(UTC), Actor(f"{_who()} (command line)")
        except AccountError as error:
            raise CommandError(str(error)) from error


def _who() -> str:
    """Who sits at the machine; a number where nothing gives it a name (a container with a user of its own)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # until and since Python 3.13
        return f"uid {os.getuid()}"


def _new_password(name: str) -> str:
    """A new password: typed twice at a terminal, else the first line of standard input; never an argument."""
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password for {name}: ")
        problem = passwords.problem_with(password, name)
        if not problem and getpass.getpass("Again: ") != password:
            problem = "The second one is another."
    else:
        password = sys.stdin.readline().rstrip("\r\n")
        problem = passwords.problem_with(password, name)
    if problem:
        raise CommandError(problem)
    return password


def _say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)

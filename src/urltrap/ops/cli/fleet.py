"""`urltrap fleet`: the sensors that send to this collector; adding and removing one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from urltrap.model.settings import Settings
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
from urltrap.ops.data_folder import DataFolder
from urltrap.pipeline.fleet.accounts import AccountError, Accounts
from urltrap.pipeline.fleet.beats import Beats
from urltrap.pipeline.fleet.broker_configuration import broker_configuration
from urltrap.pipeline.fleet.certificate import CertificateError, certificate_files, fingerprint
from urltrap.pipeline.fleet.overview import SensorState, fleet_overview
from urltrap.pipeline.fleet.process import beats_folder, collector_key
from urltrap.store import StoreError, open_store

group = typer.Typer(help="The sensors that send their journals to this collector.", no_args_is_help=False)
app.add_typer(group, name="fleet")

NameArgument = Annotated[str, typer.Argument(help="the sensor's name: lower-case letters, digits, '-'")]


@group.callback(invoke_without_command=True)
def fleet(context: typer.Context, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Show every sensor's version, lag and last event, or add and remove one."""
    if context.invoked_subcommand is not None:
        return
    folder, settings = open_folder(data)
    now = datetime.now(UTC)
    rows = _rows(folder, settings, now)
    print_of = _fingerprint(folder, settings)
    if as_json:
        print_json({"sensors": rows, "fingerprint": print_of})
        return
    print_table(
        f"sensors that send to {data}",
        ("sensor", "state", "version", "heard", "lag", "waiting", "last event (UTC)", "remarks*"),
        [
            (
                row.name,
                row.state,
                row.version,
                _ago(row.heard_at, now),
                _duration(row.lag_seconds),
                "" if row.waiting_bytes is None else f"{row.waiting_bytes / 1e6:.1f} MB",
                "" if row.last_event is None else row.last_event.strftime("%Y-%m-%d %H:%M:%S"),
                _remarks(row),
            )
            for row in rows
        ],
    )
    if print_of:
        console.print(f"certificate: SHA-256 {print_of}", highlight=False, soft_wrap=True)


@group.command()
def add(
    name: NameArgument,
    data: DataOption = DEFAULT_DATA,
    address: Annotated[
        str, typer.Option(help="how the sensor reaches this collector; default: fleet.address")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Make an account for a sensor and print what it needs. The token is shown this once."""
    folder, settings = open_folder(data)
    where = address or settings.fleet.address
    if not where.startswith(("https://", "nats://")):
        raise CommandError(
            "how do sensors reach this collector? Set fleet.address, or give --address https://HOST:PORT"
        )
    accounts = _accounts(folder)
    try:
        seen = _fingerprint(folder, settings, make=True) if where.startswith("https://") else ""
        token = accounts.add(name)
    except (AccountError, CertificateError) as error:
        raise CommandError(str(error)) from error
    finally:
        accounts.close()
    lines = {"ship": where, "ship_token": token}
    if seen and not settings.fleet.certificate:
        lines["ship_fingerprint"] = seen
    if as_json:
        print_json({"name": name, "journal": lines})
        return
    text = "\n".join(f'{key} = "{value}"' for key, value in lines.items())
    console.print(
        f"# On the sensor, in urltrap.toml, under [journal]. The token is not shown again.\n{text}",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip
    if where.startswith("nats://"):
        console.print(
            "# ship_ca = FILE, where no authority of the sensor's system vouches for the broker. Give the broker what\n"
            "# `urltrap fleet broker` prints now, and reload it.",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
    if not settings.fleet.any:
        console.print(
            "This machine does not collect yet: set fleet.listen or fleet.nats and start urltrap.",
            style="yellow",
        )


@group.command()
def broker(data: DataOption = DEFAULT_DATA) -> None:
    """Print the configuration of a NATS broker for this collector and its sensors. It holds no secret."""
    folder, _ = open_folder(data)
    accounts = _accounts(folder)
    try:
        console.print(
            broker_configuration(collector_key((folder.keys / "secret").read_bytes()), accounts.all()),
            highlight=False, markup=False, soft_wrap=True, end="",
        )  # fmt: skip
    except AccountError as error:
        raise CommandError(str(error)) from error
    finally:
        accounts.close()


@group.command()
def remove(name: NameArgument, data: DataOption = DEFAULT_DATA) -> None:
    """Refuse a sensor from now on; what it sent stays."""
    folder, settings = open_folder(data)
    accounts = _accounts(folder)
    try:
        accounts.remove(name)
    except AccountError as error:
        raise CommandError(str(error)) from error
    finally:
        accounts.close()
    console.print(f"{name} is refused from now on; what it sent stays", markup=False, highlight=False)
    if settings.fleet.nats:
        console.print("Give the broker what `urltrap fleet broker` prints now, and reload it.", markup=False)


def _accounts(folder: DataFolder) -> Accounts:
    try:
        return Accounts(folder.root)
    except AccountError as error:
        raise CommandError(str(error)) from error


def _fingerprint(folder: DataFolder, settings: Settings, make: bool = False) -> str:
    """The fingerprint of the collector's certificate; empty where it has none and none is to be made."""
    certificate = Path(settings.fleet.certificate or folder.keys / "fleet" / "collector.crt")
    if make:
        certificate, _ = certificate_files(settings.fleet, folder.keys / "fleet")
    return fingerprint(certificate) if certificate.exists() else ""


def _rows(folder: DataFolder, settings: Settings, now: datetime) -> list[SensorState]:
    accounts = _accounts(folder)
    try:
        store = open_store(folder.store_url(settings.store.url), migrate=False)
        try:
            return fleet_overview(accounts.names(), Beats(beats_folder(folder.root)), store, now)
        finally:
            store.close()
    except (AccountError, StoreError) as error:
        raise CommandError(str(error)) from error
    finally:
        accounts.close()


def _remarks(row: SensorState) -> str:
    remarks = []
    if row.clock_off_seconds:
        way = "ahead" if row.clock_off_seconds > 0 else "behind"
        remarks.append(f"its clock is {_duration(abs(row.clock_off_seconds))} {way}")
    if row.compacted_sessions:
        remarks.append(f"{row.compacted_sessions} flood sessions summed up")
    if row.dropped_segments:
        remarks.append(f"{row.dropped_segments} segments dropped: its spool was full")
    if row.complaint:
        remarks.append(row.complaint)
    return "; ".join(remarks)


def _ago(moment: datetime | None, now: datetime) -> str:
    return "" if moment is None else f"{_duration((now - moment).total_seconds())} ago"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{max(0, round(seconds))} s"
    return f"{seconds // 60:.0f} min" if seconds < 7200 else f"{seconds // 3600:.0f} h"

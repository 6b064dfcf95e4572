"""`urltrap import` and `urltrap tail`: another honeypot's records into our journal."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from urltrap.exchange.cowrie import (
    CowrieReader,
    Follower,
    LogFile,
    LogFileError,
    LogPosition,
    find_logs,
    lines_of,
)
from urltrap.exchange.importing import Importer
from urltrap.journal import JournalError, JournalWriter
from urltrap.model.settings import Settings
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
from urltrap.ops.data_folder import DataFolder
from urltrap.quarantine import Quarantine, QuarantineError

imports = typer.Typer(help="Read records of other honeypots.", no_args_is_help=True)
app.add_typer(imports, name="import")
tails = typer.Typer(help="Follow the log of another honeypot as a sensor of ours.", no_args_is_help=True)
app.add_typer(tails, name="tail")

_POLL_SECONDS = 0.25
_LARGEST_RECORDING = 10_000_000
_OPEN_AT_ONCE = 2_000  # sessions that a followed log remembers: they are stored with its position

SensorOption = Annotated[str, typer.Option(help="the sensor's name, instead of the one that the log gives")]
FilesOption = Annotated[
    Path | None,
    typer.Option(
        exists=True, file_okay=False,
        help="Cowrie's var/lib/cowrie: downloads/ and tty/ below it are taken along",
    ),
]  # fmt: skip


@imports.callback()
def _import_group() -> None:
    """Read records of other honeypots."""


@tails.callback()
def _tail_group() -> None:
    """Follow the log of another honeypot as a sensor of ours."""


@imports.command("cowrie")
def import_cowrie(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="cowrie.json files (plain, gz, zst, bz2, xz), or folders that hold them"),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    sensor: SensorOption = "",
    files: FilesOption = None,
    database: Annotated[
        str,
        typer.Option(help="a Cowrie database instead: mysql://user@host/cowrie", envvar="COWRIE_DATABASE"),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Read Cowrie's JSON logs, or its database, into the journal. Reading one again changes nothing."""
    if bool(paths) == bool(database):
        raise CommandError("name the logs (files or folders), or a database with --database")
    for path in paths or ():
        if re.match(r"(mysql|mariadb)(\+\w+)?:/", str(path)):
            raise CommandError(f"{path} looks like a database's address: give it with --database")
    folder, settings = open_folder(data)
    damaged: list[str] = []
    with _importing(folder, settings, "cowrie-import", sensor, files) as (importer, reader):
        if database:
            from urltrap.exchange.cowrie.database import CowrieDatabaseError, events_of

            try:
                for events in _counted(events_of(database, reader)):
                    importer.put(events)
            except CowrieDatabaseError as error:
                raise CommandError(str(error)) from error
        else:
            damaged = _read_logs(importer, paths or [])
        importer.settle()
    _report(importer, reader, folder, as_json)
    if damaged:
        raise CommandError(
            f"{'; '.join(damaged)}. Everything else was taken; once those are mended, the same command takes what is "
            "left of them, and nothing twice"
        )


@tails.command("cowrie")
def tail_cowrie(
    path: Annotated[Path, typer.Argument(help="the cowrie.json that a running Cowrie writes")],
    data: DataOption = DEFAULT_DATA,
    sensor: SensorOption = "",
    files: FilesOption = None,
    from_start: Annotated[
        bool, typer.Option(help="take what is in the log already, where it was never followed before")
    ] = True,
) -> None:
    """Follow a running Cowrie's log into the journal until Ctrl-C; it goes on where it stood."""
    folder, settings = open_folder(data)
    name = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:12]
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    writer = f"cowrie-tail-{name}"
    with _importing(folder, settings, writer, sensor, files, _OPEN_AT_ONCE) as (importer, reader):
        state = folder.imports / f"tail-{name}.json"
        position = _recall(state, reader)
        follower = Follower(path, position or (None if from_start else _end_of(path)))
        console_err.print(f"following {path}; Ctrl-C ends it", highlight=False, markup=False, soft_wrap=True)
        try:
            while not ended.is_set():
                before = importer.done.lines
                for line in follower.lines():
                    importer.take(line)
                    if ended.is_set():
                        break
                if importer.done.lines != before:
                    importer.settle()
                    _remember(state, follower.position, reader)
                    continue
                ended.wait(_POLL_SECONDS)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}") from error
        finally:
            follower.close()
    done = importer.done
    console_err.print(
        f"{done.lines:,} lines, {done.events:,} events, {done.bad:,} bad lines", highlight=False, markup=False
    )


@contextlib.contextmanager
def _importing(
    folder: DataFolder,
    settings: Settings,
    writer: str,
    sensor: str,
    files: Path | None,
    remembered: int = 50_000,
) -> Iterator[tuple[Importer, CowrieReader]]:
    """An importer on the journal of its own writer; mistakes of disk and journal become clear messages."""
    _become_owner(folder.journal)
    try:
        folder.imports.mkdir(mode=0o700, exist_ok=True)
        recordings = None if files is None else _recordings(files / "tty")
        reader = CowrieReader(sensor, recordings, remembered)
        with (
            JournalWriter(folder.journal, writer, settings.journal) as journal,
            open(folder.imports / f"{writer}-bad.jsonl", "ab") as aside,
        ):
            payloads = None if files is None else files / "downloads"
            importer = Importer(reader, journal, _set_aside(aside), Quarantine(folder.quarantine), payloads)
            yield importer, reader
    except (JournalError, QuarantineError, LogFileError) as error:
        raise CommandError(f"{error}. What was taken before is safe; the same command goes on.") from error
    except OSError as error:
        raise CommandError(f"{error.filename or folder.root}: {error.strerror}") from error


def _become_owner(folder: Path) -> None:
    """Root writes as the user that the data belongs to, so that the processes of the trap can read it."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)


def _recordings(folder: Path) -> Callable[[str], bytes | None]:
    def content(name: str) -> bytes | None:
        try:
            with open(folder / Path(name).name, "rb") as file:
                return file.read(_LARGEST_RECORDING)
        except (OSError, ValueError):
            return None  # many installations remove recordings sooner than logs

    return content


def _set_aside(file: BinaryIO) -> Callable[[bytes, str], None]:
    def keep(line: bytes, reason: str) -> None:
        entry = {
            "at": datetime.now(UTC).isoformat(),
            "reason": reason,
            "base64": base64.b64encode(line).decode(),
        }
        file.write(json.dumps(entry).encode("ascii") + b"\n")

    return keep


def _read_logs(importer: Importer, paths: list[Path]) -> list[str]:
    """Take the logs; what is wrong with those that could not be read to their ends."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    logs = find_logs(paths)
    columns = (TextColumn("{task.description}"), BarColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    hidden = not sys.stderr.isatty()
    damaged = []
    with Progress(*columns, console=console_err, transient=True, disable=hidden) as progress:
        task = progress.add_task("reading", total=sum(log.size for log in logs))
        before = 0
        for log in logs:
            progress.update(task, description=log.path.name)
            try:
                for read in _read_log(importer, log):
                    progress.update(task, completed=before + read)
            except LogFileError as error:
                damaged.append(str(error))
            before += log.size
    return damaged


def _read_log(importer: Importer, log: LogFile) -> Iterator[int]:
    """Take a log; now and then the number of bytes of it that were read."""
    for count, (line, read) in enumerate(lines_of(log)):
        importer.take(line)
        if not count & 4095:
            yield read


def _counted(batches: Iterator[list[Any]]) -> Iterator[list[Any]]:
    with console_err.status("reading the database") as status:
        for count, batch in enumerate(batches):
            yield batch
            if not count & 255:
                status.update(f"reading the database: {count:,} sessions")


def _recall(state: Path, reader: CowrieReader) -> LogPosition | None:
    try:
        kept = json.loads(state.read_bytes())
        reader.recall(kept["sessions"])
        return LogPosition(*kept["position"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"{state} is damaged: remove it, and the log is taken from its start again"
        ) from error


def _remember(state: Path, position: LogPosition, reader: CowrieReader) -> None:
    kept = {
        "position": list(astuple(position)),
        "sessions": reader.memory(),
    }
    fresh = state.with_suffix(".new")
    fresh.write_text(json.dumps(kept), "ascii")
    fresh.replace(state)


def _end_of(path: Path) -> LogPosition | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return LogPosition(status.st_dev, status.st_ino, status.st_size)


def _report(importer: Importer, reader: CowrieReader, folder: DataFolder, as_json: bool) -> None:
    done = importer.done
    ignored: Counter[str] = reader.ignored
    if as_json:
        told = {"lines": done.lines, "events": done.events, "bad": done.bad, "files": done.files}
        print_json({**told, "ignored": dict(ignored)})
        return
    rows: list[tuple[str, str]] = [
        ("lines read", f"{done.lines:,}"),
        ("events journalled", f"{done.events:,}"),
        ("files taken along", f"{done.files:,}"),
        ("bad lines", f"{done.bad:,}"),
    ]
    rows += [(f"left out: {kind}", f"{count:,}") for kind, count in ignored.most_common(20)]
    print_table("imported", ("what", "how many"), rows)
    if done.bad:
        where = folder.imports / "cowrie-import-bad.jsonl"
        console.print(f"bad lines are kept in {where}", highlight=False, markup=False, soft_wrap=True)

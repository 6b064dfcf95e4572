"""A database that Cowrie filled (its `output_mysql`, `output_postgresql` or `output_sqlite`) as our events.

Its tables are read session by session and put back into the order of their times, as lines of a log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    Connection,
    DateTime,
    MetaData,
    String,
    Table,
    create_engine,
    inspect,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchTableError, SQLAlchemyError

from urltrap.exchange.cowrie.fields import CowrieLineError
from urltrap.exchange.cowrie.reading import CowrieReader
from urltrap.model.event import EventBase

_SESSIONS = 500
_NEEDED = ("sessions", "auth", "input", "downloads")
_MORE = ("clients", "sensors", "keyfingerprints", "params", "ipforwards", "ipforwardsdata")

Line = dict[str, Any]


class CowrieDatabaseError(Exception):
    """The database cannot be read; the message says what to do and holds no password."""


def events_of(url: str, reader: CowrieReader) -> Iterator[list[EventBase]]:
    """The events of each session, oldest session first. `url` is SQLAlchemy's, such as mysql://cowrie@host/cowrie."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise CowrieDatabaseError("the database is named as mysql://user:password@host/cowrie") from None
    drivers = {"mysql": "mysql+pymysql", "mariadb": "mysql+pymysql", "postgresql": "postgresql+psycopg"}
    parsed = parsed.set(drivername=drivers.get(parsed.drivername, parsed.drivername))
    shown = parsed.render_as_string(hide_password=True)
    try:
        engine = create_engine(parsed)
        try:
            with engine.connect() as connection:
                yield from _read(connection, reader, shown)
        finally:
            engine.dispose()
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise CowrieDatabaseError(f"{shown} cannot be read: {str(cause).splitlines()[0]}") from error


def _read(connection: Connection, reader: CowrieReader, shown: str) -> Iterator[list[EventBase]]:
    there = set(inspect(connection).get_table_names()) | set(inspect(connection).get_view_names())
    missing = [name for name in _NEEDED if name not in there]
    if missing:
        raise CowrieDatabaseError(f"{shown} is no database of Cowrie's: it has no table {', '.join(missing)}")
    tables = {name: _table(connection, name) for name in (*_NEEDED, *_MORE) if name in there}
    sensors = _names(connection, tables, "sensors", "ip")
    clients = _names(connection, tables, "clients", "version")
    sessions = tables["sessions"]
    after: tuple[Any, Any] | None = None
    while True:
        query = select(sessions).order_by(sessions.c.starttime, sessions.c.id).limit(_SESSIONS)
        if after is not None:
            start, last = after
            query = query.where(
                (sessions.c.starttime > start) | ((sessions.c.starttime == start) & (sessions.c.id > last))
            )
        rows = connection.execute(query).mappings().all()
        if not rows:
            return
        after = (rows[-1]["starttime"], rows[-1]["id"])
        lines = _lines_of(connection, tables, [row["id"] for row in rows])
        for row in rows:
            yield _session(reader, row, sensors, clients, lines.get(str(row["id"]), []))


def _table(connection: Connection, name: str) -> Table:
    try:
        return Table(
            name, MetaData(), autoload_with=connection, listeners=[("column_reflect", _times_as_text)]
        )
    except NoSuchTableError as error:
        raise CowrieDatabaseError(f"the table {name} cannot be read") from error


def _times_as_text(inspector: Any, table: Table, column: dict[str, Any]) -> None:
    # SQLite has no type for times: Cowrie writes text with a T and a Z, which the dialect's own type refuses.
    if inspector.dialect.name == "sqlite" and isinstance(column["type"], (DateTime, TIMESTAMP)):
        column["type"] = String()


def _names(connection: Connection, tables: Mapping[str, Table], name: str, column: str) -> dict[Any, str]:
    table = tables.get(name)
    if table is None:
        return {}
    rows = connection.execute(select(table.c.id, table.c[column]))
    return {row[0]: str(row[1]) for row in rows}


def _lines_of(
    connection: Connection, tables: Mapping[str, Table], ids: Sequence[Any]
) -> dict[str, list[Line]]:
    """The lines of these sessions, each session's in the order of the tables."""
    found: dict[str, list[Line]] = {}
    for name, convert in _CONVERT.items():
        table = tables.get(name)
        if table is None:
            continue
        order = [table.c.id] if "id" in table.c else []
        for row in connection.execute(
            select(table).where(table.c.session.in_(ids)).order_by(*order)
        ).mappings():
            line = convert(row)
            if row.get("timestamp") is not None:
                line["timestamp"] = _iso(row["timestamp"])
            found.setdefault(str(row["session"]), []).append(line)
    return found


def _session(
    reader: CowrieReader,
    row: Mapping[Any, Any],
    sensors: Mapping[Any, str],
    clients: Mapping[Any, str],
    lines: list[Line],
) -> list[EventBase]:
    start = _iso(row["starttime"])
    common = {
        "session": str(row["id"]), "sensor": sensors.get(row["sensor"], str(row["sensor"])),
        "src_ip": str(row["ip"] or ""),
    }  # fmt: skip
    told: list[Line] = [{"eventid": "cowrie.session.connect", "timestamp": start}]
    client = clients.get(row.get("client"))
    if client:
        told.append({"eventid": "cowrie.client.version", "version": client, "timestamp": start})
    if row.get("termsize"):
        width, _, height = str(row["termsize"]).partition("x")
        told.append({"eventid": "cowrie.client.size", "width": width, "height": height, "timestamp": start})
    # What has no time of its own belongs to the log-in.
    told += sorted(lines, key=lambda line: line.get("timestamp", start))
    if row.get("endtime") is not None:
        end = _iso(row["endtime"])
        seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
        told.append({"eventid": "cowrie.session.closed", "duration": max(seconds, 0), "timestamp": end})
    events: list[EventBase] = []
    for line in told:
        try:
            events += reader.convert({"timestamp": start, **line, **common})
        except CowrieLineError:
            reader.ignored[f"{line['eventid']} (damaged)"] += 1
    return events


def _iso(value: Any) -> str:
    """A moment of the database in UTC: drivers give datetimes, SQLite text."""
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)).isoformat()


def _auth(row: Mapping[Any, Any]) -> Line:
    kind = "success" if row["success"] else "failed"
    return {"eventid": f"cowrie.login.{kind}", "username": row["username"], "password": row["password"]}


def _input(row: Mapping[Any, Any]) -> Line:
    # Cowrie adds a second row with success 0 for what it did not find.
    kind = "failed" if row["success"] is not None and not row["success"] else "input"
    return {"eventid": f"cowrie.command.{kind}", "input": row["input"]}


def _download(row: Mapping[Any, Any]) -> Line:
    url, sha256 = row["url"] or "", row["shasum"]
    if not url and sha256:
        return {"eventid": "cowrie.session.file_upload", "filename": row["outfile"], "shasum": sha256}
    kind = "file_download" if sha256 else "file_download.failed"
    return {"eventid": f"cowrie.session.{kind}", "url": url, "outfile": row["outfile"], "shasum": sha256}


def _fingerprint(row: Mapping[Any, Any]) -> Line:
    return {
        "eventid": "cowrie.client.fingerprint",
        "username": row["username"],
        "fingerprint": row["fingerprint"],
    }


def _params(row: Mapping[Any, Any]) -> Line:
    return {"eventid": "cowrie.session.params", "arch": row["arch"]}


def _forward(row: Mapping[Any, Any]) -> Line:
    return {"eventid": "cowrie.direct-tcpip.request", "dst_ip": row["dst_ip"], "dst_port": row["dst_port"]}


def _forwarded(row: Mapping[Any, Any]) -> Line:
    return {**_forward(row), "eventid": "cowrie.direct-tcpip.data", "data": row["data"]}


_CONVERT = {
    "keyfingerprints": _fingerprint,
    "auth": _auth,
    "params": _params,
    "input": _input,
    "downloads": _download,
    "ipforwards": _forward,
    "ipforwardsdata": _forwarded,
}

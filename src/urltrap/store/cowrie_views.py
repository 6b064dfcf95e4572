"""Views with the names of Cowrie's tables and columns, so that dashboards made for its MySQL read this store.

The names are those of Cowrie's `docs/sql/mysql.sql` (3.1.4). Views are no part of a migration: they are made anew
whenever they are not what this version says, and dropped before a migration changes what they read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, inspect

_MARK = "cowrie_views_"
"""The name of a view that says by its ending how the others were made: no row that a copy would have to leave out."""

# PostgreSQL's own conversion ends the whole query at the first byte that is no UTF-8: such a value comes as escapes.
_POSTGRESQL_TEXT = """
CREATE OR REPLACE FUNCTION urltrap_text(value bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$ BEGIN RETURN convert_from(value, 'UTF8');
EXCEPTION WHEN others THEN RETURN encode(value, 'escape'); END $$
"""


@dataclass(frozen=True, slots=True)
class _Words:
    """What each kind of database calls it. Moments come in UTC, whole seconds, as Cowrie's `datetime` has them."""

    text: Callable[[str], str]
    moment: Callable[[str], str]
    number_in: Callable[[str, str], str]
    """A number of a JSON record."""
    digits: str
    """What an integer is cast to, to be joined with text."""
    join: Callable[..., str]
    quoted: Callable[[str], str] = '"{}"'.format


def _postgresql_text(column: str) -> str:
    # Nearly all is plain ASCII: said to be so by its escaped form, which then is the text.
    plain = f"encode({column}, 'escape')"
    return f"CASE WHEN length({plain}) = length({column}) THEN {plain} ELSE urltrap_text({column}) END"


def _sqlite_text(column: str) -> str:
    # It converts nothing, and many clients end at the first byte that is no UTF-8: what is not ASCII comes in digits.
    foreign = "'*[^' || char(1) || '-' || char(127) || ']*'"
    ascii = f"instr({column}, x'00') = 0 AND CAST({column} AS TEXT) NOT GLOB {foreign}"
    return f"CASE WHEN {ascii} THEN CAST({column} AS TEXT) ELSE '\\x' || hex({column}) END"


_WORDS = {
    "sqlite": _Words(
        text=_sqlite_text,
        moment=lambda column: f"datetime({column} / 1000000, 'unixepoch')",
        number_in=lambda column, name: f"json_extract(CAST({column} AS TEXT), '$.{name}')",
        digits="VARCHAR(10)",
        join=lambda *parts: " || ".join(parts),
    ),
    "postgresql": _Words(
        text=_postgresql_text,
        moment=lambda column: f"(to_timestamp({column} / 1000000) AT TIME ZONE 'UTC')",
        number_in=lambda column, name: f"(convert_from({column}, 'UTF8')::json ->> '{name}')",
        digits="VARCHAR(10)",
        join=lambda *parts: " || ".join(parts),
    ),
    "mysql": _Words(
        text=lambda column: f"CONVERT({column} USING utf8mb4)",
        moment=lambda column: f"(TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ({column} DIV 1000000) SECOND)",
        number_in=lambda column, name: f"JSON_VALUE(CONVERT({column} USING utf8mb4), '$.{name}')",
        digits="CHAR(10)",
        join=lambda *parts: f"CONCAT({', '.join(parts)})",
        quoted="`{}`".format,
    ),
}


def _id(alias: str) -> str:
    """Cowrie numbers rows as they come: a number that grows with time, from moment and place in the session."""
    return f"{alias}.at * 1000 + {alias}.seq"


def definitions(dialect: str) -> Mapping[str, str]:
    """Name → SELECT of every view, in the words of `dialect` (`sqlite`, `postgresql`, `mysql` or `mariadb`)."""
    w = _WORDS[dialect.replace("mariadb", "mysql")]
    text, moment = w.text, w.moment
    size = w.join(w.number_in("e.body", "columns"), "'x'", w.number_in("e.body", "rows"))
    recording = w.join(
        "'/sessions/'", "r.session", "'/recording.cast?channel='", f"CAST(r.channel AS {w.digits})"
    )
    return {
        "auth": f"SELECT {_id('l')} AS id, l.session AS session, CASE WHEN l.accepted THEN 1 ELSE 0 END AS success, "
        f"{text('l.username')} AS username, COALESCE({text('l.password')}, '') AS password, "
        f"{moment('l.at')} AS timestamp FROM logins l WHERE l.password IS NOT NULL OR l.accepted",
        "clients": f"SELECT c.number AS id, {text('c.version')} AS version FROM client_names c",
        # A name that was not found stands here twice, as in Cowrie: as it was typed, and as what failed.
        "input": f"SELECT {_id('c')} AS id, c.session AS session, {moment('c.at')} AS timestamp, NULL AS realm, "
        f"1 AS success, {text('c.text')} AS input FROM commands c UNION ALL "
        f"SELECT {_id('n')}, n.session, {moment('n.at')}, NULL, 0, {text('n.text')} FROM not_found n",
        "sensors": "SELECT n.number AS id, n.sensor AS ip FROM sensor_names n",
        "sessions": f"SELECT s.id AS id, {moment('s.started')} AS starttime, {moment('s.ended')} AS endtime, "
        f"n.number AS sensor, s.src_ip AS ip, (SELECT {size} FROM events e WHERE e.session = s.id AND "
        "e.kind = 'terminal.requested' ORDER BY e.seq LIMIT 1) AS termsize, c.number AS client "
        "FROM attacker_sessions s LEFT JOIN sensor_names n ON n.sensor = s.sensor "
        "LEFT JOIN client_names c ON c.client_key = s.client_key WHERE s.connected",
        # Where the site has the recording: Cowrie names its file there.
        "ttylog": "SELECT s.started * 1000 + r.channel AS id, r.session AS session, "
        f"{recording} AS ttylog, "
        "SUM(length(r.frames)) AS size FROM recordings r JOIN attacker_sessions s ON s.id = r.session "
        "GROUP BY r.session, r.channel, s.started",
        "downloads": f"SELECT {_id('a')} AS id, a.session AS session, {moment('a.at')} AS timestamp, "
        f"{text('a.url')} AS url, {_kept(w, 'a.sha256')} AS {w.quoted('outfile')}, a.sha256 AS shasum "
        "FROM answers a UNION ALL "
        f"SELECT {_id('f')}, f.session, {moment('f.at')}, '', {_kept(w, 'f.sha256')}, f.sha256 FROM files f "
        "WHERE f.sha256 IS NOT NULL",
        "keyfingerprints": f"SELECT {_id('l')} AS id, l.session AS session, {text('l.username')} AS username, "
        "l.key_fingerprint AS fingerprint FROM logins l WHERE l.method = 'publickey'",
        "params": f"SELECT {_id('v')} AS id, v.session AS session, {text('v.value')} AS arch FROM environment v "
        f"WHERE {text('v.name')} = 'cowrie.arch'",
        "ipforwards": f"SELECT {_id('f')} AS id, f.session AS session, {moment('f.at')} AS timestamp, "
        f"{text('f.host')} AS dst_ip, f.port AS dst_port FROM forwards f WHERE f.direction = 'direct'",
        "ipforwardsdata": f"SELECT {_id('f')} AS id, f.session AS session, {moment('f.at')} AS timestamp, "
        f"{text('f.host')} AS dst_ip, f.port AS dst_port, {text('f.first_bytes')} AS data FROM forwards f "
        f"WHERE f.direction = 'direct' AND length(f.first_bytes) > 0",
    }


def _kept(words: _Words, column: str) -> str:
    joined = words.join("'var/lib/cowrie/downloads/'", column)
    return f"CASE WHEN {column} IS NULL THEN NULL ELSE {joined} END"


def current(connection: Connection) -> bool:
    """Whether all views are there, as this version makes them."""
    wanted = definitions(connection.dialect.name)
    return {*wanted, _mark(wanted)} <= set(inspect(connection).get_view_names())


def make(connection: Connection) -> None:
    """Make all views anew, in a write transaction."""
    drop(connection)
    wanted = definitions(connection.dialect.name)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_POSTGRESQL_TEXT)
    quote = connection.dialect.identifier_preparer.quote
    for name, query in {**wanted, _mark(wanted): "SELECT 1 AS made"}.items():
        connection.exec_driver_sql(f"CREATE VIEW {quote(name)} AS {query}")


def drop(connection: Connection) -> None:
    """Drop those views that are there."""
    quote = connection.dialect.identifier_preparer.quote
    for name in inspect(connection).get_view_names():
        if name in definitions(connection.dialect.name) or name.startswith(_MARK):
            connection.exec_driver_sql(f"DROP VIEW {quote(name)}")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("DROP FUNCTION IF EXISTS urltrap_text(bytea)")


def names(dialect: str) -> list[str]:
    """The names of all views, the one besides that says how they were made included."""
    wanted = definitions(dialect)
    return [*wanted, _mark(wanted)]


def _mark(wanted: Mapping[str, str]) -> str:
    text = "\n".join(f"{name} {query}" for name, query in wanted.items())
    return _MARK + hashlib.sha256(text.encode()).hexdigest()[:12]

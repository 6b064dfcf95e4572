"""How the databases compare text: byte by byte, all alike, whatever a server's or a database's own default is."""

from __future__ import annotations

from sqlalchemy import Connection

from urltrap.store import partitions


def compare_bytes(connection: Connection) -> None:
    """Make every column of text compare as bytes; nothing is done where all do already.

    MariaDB by default takes "A" and "a ", in keys too, for the same. PostgreSQL by default asks the system's locale,
    which makes each step of a search in an index several times as long, and orders otherwise than the others do.
    Changed columns' indexes are made anew, which takes minutes where there are tens of millions of events. SQLite
    compares bytes.
    """
    kind = connection.dialect.name
    if kind == "postgresql":
        _postgresql(connection)
    elif kind in ("mysql", "mariadb"):
        _mariadb(connection)


def _postgresql(connection: Connection) -> None:
    # Partitions follow the table that they belong to, and views must not stand on a column that changes.
    found = connection.exec_driver_sql(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
        "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_collation l ON l.oid = a.attcollation "
        "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
        "AND a.attnum > 0 AND NOT a.attisdropped AND l.collname <> 'C' ORDER BY 1, a.attnum"
    ).all()
    quote = connection.dialect.identifier_preparer.quote
    changes: dict[str, list[str]] = {}
    for table, column, kind in found:
        changes.setdefault(table, []).append(f'ALTER COLUMN {quote(column)} TYPE {kind} COLLATE "C"')
    for table, changed in changes.items():
        if table == "events" and partitions.is_divided(connection):
            partitions.collate(connection, "C")
            continue
        connection.exec_driver_sql(f"ALTER TABLE {quote(table)} {', '.join(changed)}")


def _mariadb(connection: Connection) -> None:
    exact = "utf8mb4_nopad_bin" if getattr(connection.dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
    wrong = connection.exec_driver_sql(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() "
        "AND table_type = 'BASE TABLE' AND table_collation <> %s",
        (exact,),
    ).scalars()
    for name in list(wrong):
        quoted = connection.dialect.identifier_preparer.quote(name)
        connection.exec_driver_sql(f"ALTER TABLE {quoted} CONVERT TO CHARACTER SET utf8mb4 COLLATE {exact}")

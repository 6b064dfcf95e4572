"""What all table definitions share: one metadata, how tables and columns are made, lengths of common columns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, Integer, MetaData, String, Table

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

SESSION = String(40)
HASH = String(64)
ADDRESS = String(45)


def table(name: str, *parts: Column[Any] | Index) -> Table:
    """A table that is UTF-8 and transactional on MariaDB, too."""
    options: dict[str, Any] = {
        "mysql_charset": "utf8mb4",
        "mysql_engine": "InnoDB",
        "mariadb_charset": "utf8mb4",
        "mariadb_engine": "InnoDB",
    }
    return Table(name, metadata, *parts, **options)


def need(name: str, kind: Any, **options: Any) -> Column[Any]:
    """A column that always has a value."""
    return Column(name, kind, nullable=False, **options)


def count(name: str) -> Column[Any]:
    """A counter that begins at 0."""
    return Column(name, Integer, nullable=False, default=0, server_default="0")

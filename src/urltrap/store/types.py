"""Column types that mean the same on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect, Float, LargeBinary, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

HOUR = 3_600_000_000
"""Microseconds of an hour, the unit of `Micros` being the microsecond."""
DAY = 24 * HOUR
"""Microseconds of a day."""


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 of a moment with a zone; exact, unlike `timestamp()`."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """The moment in UTC of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=value)


class Micros(TypeDecorator[datetime]):
    """A moment in UTC kept as microseconds since 1970.

    Databases' own date types differ in precision and in what they make of zones; a 64-bit integer does not, sorts,
    and divides into hours and days.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | int | None, dialect: Dialect) -> int | None:
        """datetime → integer; integers pass, so that arithmetic on the column can be compared with it."""
        return value if value is None or isinstance(value, int) else to_micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Integer → datetime."""
        return None if value is None else from_micros(value)


class Json(TypeDecorator[Any]):
    """A JSON value kept as text: never queried inside, so that no dialect's own JSON type is needed."""

    impl = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Value → compact text in ASCII (a NUL would be refused by PostgreSQL; here it is an escape)."""
        return json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Text → value."""
        return None if value is None else json.loads(value)


Blob = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
"""Attackers' bytes, up to gigabytes (MySQL's plain BLOB ends at 64 KB)."""

LongText = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
"""Text of ours that may be long; attackers' text goes into `Blob`."""

Digest = LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")
"""A SHA-256 as bytes, which may be part of a key (MySQL's BLOB may not)."""

Coordinate = Float(53).with_variant(mysql.DOUBLE(asdecimal=False), "mysql", "mariadb")
"""A number of eight bytes (MySQL's own FLOAT has four, and rounds)."""

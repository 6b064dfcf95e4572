"""URLs out of what attackers send: shell words, plain text, and what programs asked for. Pure: bytes in, values out."""

from urltrap.recover.context import Context
from urltrap.recover.find import asked, urls

__all__ = ["Context", "asked", "urls"]

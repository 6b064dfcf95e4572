"""URLs out of what attackers send: shell words, plain text, and what programs asked for. Pure: bytes in, values out."""

from urltrap.recover.context import Context
from urltrap.recover.find import Recovery, asked, read, urls

__all__ = ["Context", "Recovery", "asked", "read", "urls"]

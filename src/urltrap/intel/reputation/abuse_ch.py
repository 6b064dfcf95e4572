"""What the interfaces of abuse.ch share: one key in a header (mandatory since mid-2025), and `query_status`."""

from __future__ import annotations

from typing import Any

from urltrap.intel.errors import Malformed, Refused, Unaskable
from urltrap.intel.http import Reply
from urltrap.intel.reputation.asked import Asked, Tools
from urltrap.intel.reputation.reading import text

_NOTHING = {"no_results", "no_result", "hash_not_found", "file_not_found"}
_KEY = {"unknown_auth_key", "unauthorized", "no_auth_key", "user_blacklisted"}


class AbuseCh(Asked):
    """A provider of abuse.ch."""

    tier = "metered"
    key = "abuse_ch"
    key_needed = True
    # Fair use without a number: gentle enough for every machine that shares an address with others.
    limits = {"minute": 30, "day": 5000}

    def headers(self, tools: Tools) -> dict[str, str]:
        """The key, in a header."""
        return {"Auth-Key": tools.key(self.key)}


def found(reply: Reply, empty: frozenset[str] = frozenset()) -> dict[str, Any] | None:
    """The answer's object; None where it says "not listed" (`empty`: further words for that).

    Everything else is an error, never "not listed".
    """
    body = reply.object()
    status = text(body.get("query_status"), 60)
    if status in _NOTHING or status in empty:
        return None
    if status in _KEY:
        raise Refused(f"the key is missing or not accepted ({status})")
    if status.startswith(("invalid_", "illegal_")):
        raise Unaskable(f"it takes no such subject ({status})")
    if status != "ok":
        raise Malformed(f"it says {status!a} instead of an answer")
    return body

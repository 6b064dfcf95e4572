"""Tables of what is concluded: campaigns, tags of commands, and what attackers did after checking the machine."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String

from urltrap.store.tables import HASH, SESSION, count, need, table
from urltrap.store.types import Blob, LongText, Micros

_CAMPAIGN = String(24)

campaigns = table(
    "campaigns",
    need("id", _CAMPAIGN, primary_key=True),
    need("first_seen", Micros),
    need("last_seen", Micros),
    need("merged_into", _CAMPAIGN),  # empty: it is its own
    count("urls"),
    count("payloads"),
    Index(None, "last_seen", "id"),
)

campaign_members = table(
    "campaign_members",
    need("kind", String(12), primary_key=True),  # url, payload, key, template, host
    need("value_sha256", HASH, primary_key=True),
    need("value", LongText),
    need("campaign", _CAMPAIGN),
    need("at", Micros),
    need("why", LongText),
    Index(None, "campaign", "kind"),
)

payload_hashes = table(  # fuzzy hashes of payloads, for finding the alike without reading every analysis
    "payload_hashes",
    need("sha256", HASH, primary_key=True),
    need("tlsh", String(80)),
    need("at", Micros),
    Index(None, "at"),
)

session_marks = table(  # what a session's commands amount to: their template, the keys it planted
    "session_marks",
    need("session", SESSION, primary_key=True),
    need("kind", String(12), primary_key=True),  # template, key
    need("value", String(128), primary_key=True),
    Index(None, "kind", "value"),
)

command_tags = table(
    "command_tags",
    need("session", SESSION, primary_key=True),
    need("seq", Integer, primary_key=True, autoincrement=False),
    need("kind", String(12), primary_key=True),  # technique (MITRE ATT&CK), check (a test for honeypots)
    need("tag", String(40), primary_key=True),
    Index(None, "kind", "tag"),
)

beliefs = table(  # one check for honeypots: the answer it got, and what came next
    "beliefs",
    need("session", SESSION, primary_key=True),
    need("seq", Integer, primary_key=True, autoincrement=False),
    need("name", String(40), primary_key=True),
    need("at", Micros),
    need("answer", Blob),  # its beginning
    need("answer_sha256", HASH),
    need("afterwards", String(8)),  # went-on, left
    need("after_ms", BigInteger),
    Column("commands_left", Integer),
    Index(None, "name", "afterwards"),
)

"""The tables. Events are the truth; every other table is derived from them and from what was captured and looked up.

Long unique values (URLs, commands, passwords) are keyed by their SHA-256, because MariaDB's keys end at 3072 bytes.
Attackers' bytes are `Blob`, moments are `Micros`, addresses are text in their canonical form.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, SmallInteger, String

import urltrap.store.schema_accounts
import urltrap.store.schema_analysis  # its tables belong to the same metadata
import urltrap.store.schema_capture
import urltrap.store.schema_cowrie
import urltrap.store.schema_intel  # its tables belong to the same metadata
import urltrap.store.schema_public  # noqa: F401
from urltrap.store.schema_figures import daily as daily
from urltrap.store.schema_figures import hourly as hourly
from urltrap.store.schema_figures import missing as missing
from urltrap.store.schema_figures import places as places
from urltrap.store.schema_figures import spans as spans
from urltrap.store.schema_figures import tallies as tallies
from urltrap.store.schema_figures import words as words
from urltrap.store.tables import ADDRESS as _ADDRESS
from urltrap.store.tables import HASH as _HASH
from urltrap.store.tables import SESSION as _SESSION
from urltrap.store.tables import count as _count
from urltrap.store.tables import metadata as metadata
from urltrap.store.tables import need as _need
from urltrap.store.tables import table as _table
from urltrap.store.types import Blob, Coordinate, Json, LongText, Micros

# --- what the journal said -------------------------------------------------------------------------------------------

watermarks = _table(
    "watermarks",
    _need("writer", String(190), primary_key=True),
    _need("segment", BigInteger),
    _need("offset", BigInteger),
    _need("events", BigInteger),
    _need("last_at", Micros),  # newest event
)

events = _table(
    "events",
    _need("session", _SESSION, primary_key=True),
    _need("seq", Integer, primary_key=True, autoincrement=False),
    _need("kind", String(40)),
    _need("at", Micros),
    _need("body", Blob),  # the record as JSON; empty for terminal.frames, which `recordings` keeps
)

dead_letters = _table(
    "dead_letters",
    _need("writer", String(190), primary_key=True),
    _need("segment", BigInteger, primary_key=True, autoincrement=False),
    _need("offset", BigInteger, primary_key=True, autoincrement=False),
    _need("kind", String(80)),
    _need("error", LongText),
    _need("record", Blob),
    _need("at", Micros),
)

sessions = _table(
    "attacker_sessions",  # `sessions` is Cowrie's name for its own, which cowrie_views makes
    _need("id", _SESSION, primary_key=True),
    _need("sensor", String(80)),
    _need("protocol", String(16)),
    _need("src_ip", _ADDRESS),
    _need("src_port", Integer),
    _need("dst_ip", _ADDRESS),
    _need("dst_port", Integer),
    _need("persona", String(80)),
    _need("connected", Boolean),  # false until its session.connect event was seen
    _need("started", Micros),
    Column("ended", Micros),
    Column("duration_ms", BigInteger),
    _need("classed", String(16)),
    _need("client", Blob),
    _need("client_key", String(16), server_default=""),
    _need("hassh", String(32)),
    _need("hassh_algorithms", LongText),
    Column("username", Blob),
    Column("password", Blob),
    _need("accepted", Boolean),
    _count("login_tries"),
    _count("commands"),
    _count("programs"),
    _count("urls"),
    _count("downloads"),
    _count("uploads"),
    _count("artifacts"),
    _count("forwards"),
    _count("malformed"),
    Column("bytes_in", BigInteger),
    Column("bytes_out", BigInteger),
    _need("close_reason", String(16)),
    _need("close_detail", LongText),
    Index("ix_sessions_started_id", "started", "id"),
    Index("ix_sessions_src_ip_started", "src_ip", "started"),
    Index("ix_sessions_classed_started", "classed", "started"),
    Index("ix_sessions_hassh_started", "hassh", "started"),
    Index("ix_sessions_sensor_started", "sensor", "started"),
    Index("ix_sessions_client_key_started", "client_key", "started"),
)

logins = _table(
    "logins",
    _need("session", _SESSION, primary_key=True),
    _need("seq", Integer, primary_key=True, autoincrement=False),
    _need("at", Micros),
    _need("method", String(24)),
    _need("username", Blob),
    Column("password", Blob),
    _need("public_key", LongText),
    _need("key_fingerprint", String(128)),
    _need("accepted", Boolean),
    _need("username_key", BigInteger, server_default="0"),  # rollups.value_key
    _need("password_key", BigInteger, server_default="0"),
    Index(None, "at"),
    Index(None, "username_key", "at"),
    Index(None, "password_key", "at"),
)

commands = _table(
    "commands",
    _need("session", _SESSION, primary_key=True),
    _need("seq", Integer, primary_key=True, autoincrement=False),
    _need("at", Micros),
    _need("mode", String(16)),
    _need("text", Blob),
    _need("text_sha256", _HASH),
    Index(None, "at"),
    Index(None, "text_sha256"),
)

program_runs = _table(
    "program_runs",
    _need("session", _SESSION, primary_key=True),
    _need("seq", Integer, primary_key=True, autoincrement=False),
    _need("name", Blob),
    _need("argv", Blob),  # joined by NUL, as /proc/PID/cmdline has it
    _need("path", LongText),
    _need("outcome", String(20)),
    Column("status", Integer),
)

forwards = _table(
    "forwards",
    _need("session", _SESSION, primary_key=True),
    _need("seq", Integer, primary_key=True, autoincrement=False),
    _need("at", Micros),
    _need("direction", String(16)),
    _need("host", Blob),
    _need("port", Integer),
    _need("first_bytes", Blob),
)

files = _table(
    "files",
    _need("session", _SESSION, primary_key=True),
    _need("seq", Integer, primary_key=True, autoincrement=False),
    _need("at", Micros),
    _need("via", String(16)),  # scp, sftp, stdin …; "written" for files that the machine's programs made
    _need("path", Blob),
    _need("size", BigInteger),
    Column("mode", Integer),
    Column("sha256", _HASH),
    _need("complete", Boolean),
    Index(None, "sha256"),
)

recordings = _table(
    "recordings",
    _need("session", _SESSION, primary_key=True),
    _need("seq", Integer, primary_key=True, autoincrement=False),
    _need("channel", Integer),
    _need("frames", Blob),  # zstd of the event's JSON
)

floods = _table(
    "floods",
    _need("session", _SESSION, primary_key=True),
    _need("seq", Integer, primary_key=True, autoincrement=False),
    _need("sensor", String(80)),
    _need("src_ip", _ADDRESS),
    _need("since", Micros),
    _need("count", BigInteger),
    Index(None, "since"),
)

troubles = _table(  # malformed input and budgets that were met
    "troubles",
    _need("session", _SESSION, primary_key=True),
    _need("seq", Integer, primary_key=True, autoincrement=False),
    _need("at", Micros),
    _need("kind", String(24)),
    _need("what", LongText),
    _need("data", Blob),
)

decisions = _table(
    "decisions",
    _need("session", _SESSION, primary_key=True),
    _need("seq", Integer, primary_key=True, autoincrement=False),
    _need("at", Micros),
    _need("by", LongText),
    _need("subject_sha256", _HASH),
    _need("subject", LongText),
    _need("decision", LongText),
    _need("reason", LongText),
    Index(None, "subject_sha256"),
)

# --- roll-ups that intake keeps, so that pages never scan (others: schema_figures) -----------------------------------

addresses = _table(
    "addresses",
    _need("address", _ADDRESS, primary_key=True),
    _need("first_seen", Micros),
    _need("last_seen", Micros),
    _count("sessions"),
    _count("shed"),
    _need("country", String(2)),
    _need("city", String(120)),
    Column("latitude", Coordinate),
    Column("longitude", Coordinate),
    Column("asn", BigInteger),
    _need("network", String(250)),
    _need("place_sources", Json),
    _need("place_version", String(64)),  # of the files that placed it; another one places it again
    Index(None, "country", "last_seen"),
    Index(None, "last_seen"),
    Index(None, "asn"),
    Index(None, "sessions"),
    Index(None, "place_version"),
)

# --- URLs and what is known of them ----------------------------------------------------------------------------------

urls = _table(
    "urls",
    _need("key", _HASH, primary_key=True),
    _need("url", LongText),
    _need("scheme", String(10)),
    _need("host", String(255)),
    _need("port", Integer),
    _need("first_seen", Micros),
    _need("last_seen", Micros),
    _count("sightings"),
    _count("sources"),
    _need("depth", SmallInteger),  # 0: an attacker named it; n: found in a payload of a URL of depth n-1
    _need("held", Boolean),  # every sighting carries a flag: kept, never captured, never published
    _need("flags", Json),
    _need("outcome", String(20)),  # of the newest capture
    Column("status", Integer),
    Column("captured_at", Micros),
    Column("sha256", _HASH),  # newest payload
    _need("kind", String(16)),
    _need("verdict", String(24)),
    _need("confidence", SmallInteger),
    Column("publish_after", Micros),
    Column("published_at", Micros),
    _need("action", String(24), server_default=""),  # the six axes; empty: not judged yet
    _need("role", String(24), server_default=""),
    _need("delivery", String(60), server_default=""),
    _need("target", String(60), server_default=""),
    _need("hosting", String(24), server_default=""),
    _need("lifecycle", String(16), server_default=""),
    _need("family", String(80), server_default=""),
    _need("campaign", String(24), server_default=""),
    Index(None, "last_seen", "key"),
    Index(None, "first_seen"),
    Index(None, "host"),
    Index(None, "verdict", "last_seen"),
    Index(None, "published_at", "publish_after"),
    Index(None, "sightings", "key"),
    Index(None, "sha256"),
    Index(None, "action"),
    Index(None, "family"),
    Index(None, "campaign"),
)

url_sources = _table(
    "url_sources",
    _need("url_key", _HASH, primary_key=True),
    _need("address", _ADDRESS, primary_key=True),
    Index(None, "address"),
)

sightings = _table(
    "sightings",
    _need("session", _SESSION, primary_key=True),
    _need("seq", Integer, primary_key=True, autoincrement=False),
    _need("n", Integer, primary_key=True, autoincrement=False),
    _need("url_key", _HASH),
    _need("at", Micros),
    _need("src_ip", _ADDRESS),
    _need("sensor", String(80)),
    _need("raw", Blob),
    _need("span_start", Integer),
    _need("span_end", Integer),
    _need("method", String(16)),
    _need("chain", Json),
    _need("client", String(40)),
    _need("confidence", SmallInteger),
    _need("flags", Json),
    Column("parent_sha256", _HASH),
    Index(None, "url_key", "at"),
    Index(None, "at"),
    Index(None, "parent_sha256"),
    Index(None, "sensor", "url_key"),
)

captures = _table(
    "captures",
    _need("session", _SESSION, primary_key=True),
    _need("seq", Integer, primary_key=True, autoincrement=False),
    _need("url_key", _HASH),
    _need("at", Micros),
    _need("outcome", String(20)),
    Column("status", Integer),
    Column("sha256", _HASH),
    Column("size", BigInteger),
    _need("complete", Boolean),
    _need("for_session", String(40)),
    _need("body", Blob),  # the Capture as JSON
    _need("purpose", String(8), server_default="attack"),  # whose question it was; a recheck keeps no body
    Index(None, "url_key", "at"),
    Index(None, "sha256"),
    Index(None, "at"),
)

artifacts = _table(
    "artifacts",
    _need("sha256", _HASH, primary_key=True),
    Column("size", BigInteger),
    _need("complete", Boolean),
    _need("first_seen", Micros),
    _need("last_seen", Micros),
    _count("times"),
    _need("via", String(16)),  # how the first came: capture, scp, sftp, …, written
    _need("md5", String(32)),
    _need("sha1", String(40)),
    _need("mime", String(190)),
    _need("description", LongText),
    _need("kind", String(16)),  # empty: not analysed yet
    _need("architecture", String(40)),
    _need("analysis", Json),
    Index(None, "last_seen", "sha256"),
    Index(None, "kind"),
)

observations = _table(
    "observations",
    _need("provider", String(40), primary_key=True),
    _need("subject_kind", String(8), primary_key=True),
    _need("subject_sha256", _HASH, primary_key=True),
    _need("subject", LongText),
    _need("at", Micros),
    _need("result", String(12)),
    _need("detail", LongText),
    _need("tags", Json),
    _need("reference", LongText),
    Column("first_listed", Micros),  # when we saw it listed first
    Column("since", Micros),  # when the provider listed it, as it says itself
    Index(None, "subject_sha256"),
)

verdicts = _table(
    "verdicts",
    _need("url_key", _HASH, primary_key=True),
    _need("verdict", String(24)),
    _need("confidence", SmallInteger),
    _need("reasons", Json),
    _need("at", Micros),
    _need("rules", String(40)),
    Column("publish_after", Micros),
    Column(
        "classes", LongText
    ),  # JSON of axes, family, fp_risk, techniques, campaign; NULL: judged by older rules
)

# --- work that is due ------------------------------------------------------------------------------------------------

jobs = _table(
    "jobs",
    _need("stage", String(20), primary_key=True),
    _need("subject", String(190), primary_key=True),
    _need("due", Micros),
    _need("attempts", Integer),
    _need("error", LongText),
    Index(None, "stage", "due"),
)

facts = _table(  # small values about the store itself: versions of lists, counters
    "facts",
    _need("name", String(80), primary_key=True),
    _need("value", LongText),
)

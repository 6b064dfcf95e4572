"""Tables of enrichment and reputation: look-ups that wait, quotas, breakers, names, labels, lead, liveness."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, SmallInteger, String

from urltrap.store.tables import ADDRESS, HASH, count, need, table
from urltrap.store.types import LongText, Micros

_PROVIDER = String(40)

lookups = table(  # a question to a provider: waiting, being asked, or answered and fresh until `due`
    "lookups",
    need("provider", _PROVIDER, primary_key=True),
    need("subject_kind", String(8), primary_key=True),
    need("subject_sha256", HASH, primary_key=True),
    need("subject", LongText),
    need("priority", SmallInteger),  # lowest first
    need(
        "state", String(8)
    ),  # ready, later (not before `due`), claimed (until `due`), done (fresh until `due`)
    need("due", Micros),
    need("wanted", Micros),
    count("attempts"),  # failures in a row
    count("negatives"),  # "not listed" in a row, which makes the answer fresh for longer
    need("worker", String(64)),
    Column("asked", Micros),
    need("error", LongText),
    Index(None, "provider", "state", "priority", "due"),
    Index(None, "state", "due"),
)

provider_windows = table(  # what a provider allows in a fixed window of UTC, and what of it is used
    "provider_windows",
    need("provider", _PROVIDER, primary_key=True),
    need("span", String(8), primary_key=True),  # minute, hour, day, month
    need("starts", Micros),
    count("used"),
    need("most", Integer),
)

provider_breakers = table(
    "provider_breakers",
    need("provider", _PROVIDER, primary_key=True),
    need("state", String(8)),  # closed, open, probing
    count("failures"),  # in a row
    count("trips"),  # times opened in a row
    Column("until", Micros),  # when open: not before; null: until the configuration changes
    need("reason", LongText),
    need("config", String(16)),  # fingerprint of the configuration that was refused
    need("changed", Micros),
)

names = table(  # reverse DNS of an attacker's address
    "names",
    need("address", ADDRESS, primary_key=True),
    need("name", String(255)),  # empty: it has none
    need("confirmed", Boolean),  # the name leads back to the address
    need("domain", String(255)),  # registered domain by the public suffix list
    need("at", Micros),
    need("expires", Micros),
    Index(None, "domain"),
    Index(None, "expires"),
)

address_labels = table(
    "address_labels",
    need("address", ADDRESS, primary_key=True),
    need("kind", String(24), primary_key=True),
    need("list", String(80), primary_key=True),
    need("version", String(64)),
    need("at", Micros),
    need("expires", Micros),
    Index(None, "kind"),
    Index(None, "expires"),
)

leads = table(  # how long a URL was known here before a provider listed it
    "leads",
    need("url_key", HASH, primary_key=True),
    need("provider", _PROVIDER, primary_key=True),
    need("first_seen", Micros),
    need("listed", Micros),
    need("basis", String(10)),  # stated: by the provider; observed: when we found it listed
    need("seconds", BigInteger),  # negative: the provider was first
    Index(None, "provider", "seconds"),
)

submissions = table(  # what was handed to services that look at it, or is to be; in no journal
    "submissions",
    need("service", _PROVIDER, primary_key=True),
    need("subject_kind", String(8), primary_key=True),
    need("subject_sha256", HASH, primary_key=True),
    need("asked", Micros, primary_key=True),
    need("subject", LongText),
    need("asked_by", String(16)),  # operator, automatic
    need("visibility", String(16)),  # empty where the service has only one
    need("state", String(12)),  # waiting, submitted, refused (by our gate or by the service), failed
    Column("at", Micros),  # when the state came to be; null while it waits
    need("reference", String(200)),  # the service's own id of it
    need("link", LongText),
    need("detail", LongText),
    Index(None, "subject_sha256", "subject_kind"),
    Index(None, "state", "service"),
)

liveness = table(
    "liveness",
    need("url_key", HASH, primary_key=True),
    need("state", String(12)),  # online, offline, taken-down, never-alive
    Column("first_online", Micros),
    Column("last_online", Micros),
    Column("gone", Micros),  # the first check after `last_online` that found it gone
    need("checked", Micros),
    count("checks"),
    Column("next", Micros),
    Index(None, "state"),
)

"""One box for a URL, a host, a hash or a family, over what is published."""

from __future__ import annotations

import re

from urltrap.model.public_views import PublicUrl
from urltrap.model.url import UrlError, canonical
from urltrap.site.public.snapshot import Snapshot

SHOWN = 100
_HASH = re.compile(r"[0-9a-f]{32,64}")


def refanged(text: str) -> str:
    """What a defanged URL or host was: ``hxxp://198.51.100[.]7/x`` is understood as it is shown here and elsewhere."""
    text = re.sub(r"\[\.\]|\(\.\)|\[dot\]|\{\.\}", ".", text, flags=re.IGNORECASE)
    text = re.sub(r"^hxxp(s?)", r"http\1", text, flags=re.IGNORECASE)
    return re.sub(r"^fxp", "ftp", text, flags=re.IGNORECASE).replace("[:]", ":").replace("[://]", "://")


def search(snapshot: Snapshot, query: str) -> tuple[list[PublicUrl], int]:
    """The newest URLs that match, SHOWN at most, and how many match."""
    if not query:
        return [], 0
    wanted = refanged(query)
    small = wanted.lower()
    if _HASH.fullmatch(small):
        found = _by_hash(snapshot, small)
    else:
        try:
            exact = canonical(wanted) if "://" in wanted else ""
        except UrlError:
            exact = ""
        found = [
            url
            for url, text in zip(snapshot.urls, snapshot.lowered, strict=True)
            if small in text or url.url == exact or small == url.family.lower()
        ]
        found.sort(key=lambda url: url.url != exact)
    return found[:SHOWN], len(found)


def _by_hash(snapshot: Snapshot, text: str) -> list[PublicUrl]:
    if text in snapshot.by_id:
        return [snapshot.by_id[text]]
    payloads = [item for item in snapshot.payloads.values() if text in (item.sha256, item.sha1, item.md5)]
    return [snapshot.by_id[id_] for payload in payloads for id_ in payload.urls]

"""ThreatFox' interface: indicators with malware family and confidence. Source: threatfox.abuse.ch/api."""

from __future__ import annotations

from typing import Any

from urltrap.intel.reputation.abuse_ch import AbuseCh, found
from urltrap.intel.reputation.asked import Answer, Subject, Tools
from urltrap.intel.reputation.reading import moment, number, text, texts
from urltrap.model.url import UrlError, parse_url


class ThreatFoxApi(AbuseCh):
    """`POST /api/v1/` with `search_ioc` or `search_hash`; a key for abuse.ch is needed."""

    name = "threatfox-api"
    kinds = frozenset({"url", "host", "ip", "sha256"})
    default_base = "https://threatfox-api.abuse.ch/api/v1/"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked. The search finds parts of indicators, too: only those of this very subject count."""
        if subject.kind == "sha256":
            query: dict[str, Any] = {"query": "search_hash", "hash": subject.value}
        else:
            query = {
                "query": "search_ioc",
                "search_term": subject.value,
                "exact_match": subject.kind == "url",
            }
        reply = await tools.ask("POST", self.base, body=query, headers=self.headers(tools))
        body = found(reply)
        entries = body.get("data") if body else None
        matching = [
            entry
            for entry in (entries if isinstance(entries, list) else ())
            if isinstance(entry, dict) and names(entry, subject)
        ]
        if not matching:
            return Answer(listed=False)
        best = max(matching, key=lambda entry: number(entry.get("confidence_level")) or 0)
        families = dict.fromkeys(text(entry.get("malware_printable"), 60) for entry in matching)
        return Answer(
            True,
            f"{text(best.get('threat_type'), 40)}, confidence {number(best.get('confidence_level')) or 0}",
            (*families, *texts(best.get("tags"))),
            f"https://threatfox.abuse.ch/ioc/{number(best.get('id')) or ''}/",
            min((at for entry in matching if (at := moment(entry.get("first_seen")))), default=None),
        )


def names(entry: dict[str, Any], subject: Subject) -> bool:
    """Whether an indicator (URL, host, HOST:PORT, hash) is about the subject. A hash search names its samples."""
    if subject.kind == "sha256":
        return text(entry.get("ioc_type")) != "sha256_hash" or text(entry.get("ioc")).lower() == subject.value
    ioc = text(entry.get("ioc"), 4000)
    try:
        parsed = parse_url(ioc)
    except UrlError:
        return False
    if subject.kind == "url":
        return parsed.text == subject.value
    return parsed.host == subject.value

"""Shodan's InternetDB: open ports and tags of an address. Non-commercial use; it changes weekly."""

from __future__ import annotations

from urltrap.intel.errors import Malformed
from urltrap.intel.reputation.asked import Answer, Asked, Subject, Tools
from urltrap.intel.reputation.reading import number, text, texts

_BAD = {"malware", "c2", "compromised", "doublepulsar"}


class InternetDb(Asked):
    """`GET /ADDRESS`; an address that it does not know (404) is not listed."""

    name = "internetdb"
    tier = "keyless"
    kinds = frozenset({"ip"})
    limits = {"minute": 30, "day": 5000}
    default_base = "https://internetdb.shodan.io"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked."""
        reply = await tools.ask("GET", f"{self.base}/{subject.value}", accept=frozenset({404}))
        body = reply.object()
        if reply.status == 404:
            return Answer(False, "unknown there")
        if not isinstance(body.get("ports"), list) or text(body.get("ip")) != subject.value:
            raise Malformed("the answer is about something else")
        tags = texts(body.get("tags"))
        ports = [str(port) for item in body["ports"][:20] if (port := number(item)) is not None]
        return Answer(
            bool(_BAD & set(tags)),
            f"ports {', '.join(ports)}" if ports else "no open port",
            tags,
            f"https://www.shodan.io/host/{subject.value}",
        )

"""SANS ISC: attacks from an address that its sensors reported. It wants an address of whoever asks."""

from __future__ import annotations

from urltrap.intel.errors import Malformed
from urltrap.intel.reputation.asked import Answer, Asked, Subject, Tools
from urltrap.intel.reputation.reading import moment, number, section, text


class Isc(Asked):
    """`GET /api/ip/ADDRESS?json`; the contact stands in the User-Agent, default ones are blocked."""

    name = "isc"
    tier = "keyless"
    kinds = frozenset({"ip"})
    contact_needed = True
    limits = {"minute": 10, "day": 2000}
    default_base = "https://isc.sans.edu/api"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked."""
        reply = await tools.ask("GET", f"{self.base}/ip/{subject.value}?json")
        body = section(reply.object(), "ip")
        if "count" not in body:
            raise Malformed("the answer lacks ip.count")
        attacks, reports = number(body.get("attacks")) or 0, number(body.get("count")) or 0
        feeds = body.get("threatfeeds")
        names = tuple(text(name, 40) for name in feeds) if isinstance(feeds, dict) else ()
        return Answer(
            attacks > 0 or bool(names),
            f"{attacks} targets, {reports} reports",
            names[:12],
            f"https://isc.sans.edu/ipinfo/{subject.value}",
            moment(body.get("mindate")) if attacks else None,
        )

"""Cloudflare's filtering resolver over DNS-over-HTTPS: a blocked name has the address 0.0.0.0."""

from __future__ import annotations

from urltrap.intel.errors import Malformed, Unavailable
from urltrap.intel.reputation.asked import Answer, Asked, Subject, Tools
from urltrap.intel.reputation.reading import number, text


class Cloudflare(Asked):
    """`GET /dns-query?name=…&type=A` in its JSON form."""

    name = "cloudflare"
    tier = "dns"
    kinds = frozenset({"host"})
    limits = {"minute": 60, "day": 20_000}
    default_base = "https://security.cloudflare-dns.com/dns-query"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked."""
        reply = await tools.ask(
            "GET",
            self.base,
            params={"name": subject.value, "type": "A"},
            headers={"Accept": "application/dns-json"},
        )
        body = reply.object()
        code = number(body.get("Status"))
        if code is None:
            raise Malformed("the answer lacks Status")
        if code not in (0, 3):
            raise Unavailable(f"its DNS answers code {code}")
        records = body.get("Answer")
        addresses = [
            text(record.get("data"), 60)
            for record in (records if isinstance(records, list) else ())
            if isinstance(record, dict) and record.get("type") == 1
        ]
        if "0.0.0.0" in addresses:
            return Answer(True, "blocked")
        return Answer(False, "does not exist" if code == 3 else "")

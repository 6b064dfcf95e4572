"""GreyNoise community: whether an address scans everybody, and whether it belongs to a known good service."""

from __future__ import annotations

from urltrap.intel.errors import Malformed
from urltrap.intel.reputation.asked import Answer, Asked, Subject, Tools
from urltrap.intel.reputation.reading import text


class GreyNoise(Asked):
    """`GET /v3/community/ADDRESS`; about 50 questions a week, so that only the top addresses get one."""

    name = "greynoise"
    tier = "metered"
    kinds = frozenset({"ip"})
    key = "greynoise"
    key_needed = True
    limits = {"minute": 2, "day": 7}
    default_base = "https://api.greynoise.io/v3/community"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked. Scanning is no listing: `classification` must say malicious."""
        reply = await tools.ask(
            "GET",
            f"{self.base}/{subject.value}",
            headers={"key": tools.key(self.key)},
            accept=frozenset({404}),
        )
        body = reply.object()
        if "noise" not in body or "riot" not in body:
            raise Malformed("the answer says neither noise nor riot")
        kind = text(body.get("classification"), 20)
        tags = [word for word in ("noise", "riot") if body.get(word) is True]
        return Answer(
            kind == "malicious",
            ", ".join(item for item in (kind or "not seen", text(body.get("name"), 80)) if item),
            tuple(tags),
            text(body.get("link")),
        )

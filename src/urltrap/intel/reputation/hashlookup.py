"""CIRCL hashlookup: files of operating systems and packages. To be known there is mostly a sign of innocence."""

from __future__ import annotations

from urltrap.intel.errors import Malformed
from urltrap.intel.reputation.asked import Answer, Asked, Subject, Tools
from urltrap.intel.reputation.reading import number, text


class HashLookup(Asked):
    """`GET /lookup/sha256/HASH`."""

    name = "hashlookup"
    tier = "keyless"
    kinds = frozenset({"sha256"})
    limits = {"minute": 60, "day": 10_000}
    default_base = "https://hashlookup.circl.lu"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked. Listed only where it says KnownMalicious; a known file is a tag, `known-file`."""
        reply = await tools.ask(
            "GET",
            f"{self.base}/lookup/sha256/{subject.value}",
            headers={"Accept": "application/json"},
            accept=frozenset({404}),
        )
        body = reply.object()
        if reply.status == 404:
            return Answer(listed=False)
        if text(body.get("SHA-256"), 64).lower() != subject.value:
            raise Malformed("the answer is about another hash")
        trust = number(body.get("hashlookup:trust"))
        known = text(body.get("KnownMalicious"), 120)
        name = text(body.get("FileName"), 120)
        tags = ["known-malicious" if known else "known-file"]
        if trust is not None:
            tags.append(f"trust-{trust}")
        return Answer(bool(known), known or f"a known file: {name}", tuple(tags))

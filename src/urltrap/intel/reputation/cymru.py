"""Team Cymru's malware hash registry over DNS. Source: hash.cymru.com/docs_dns.

A SHA-256 is asked in two labels of 32 characters. 127.0.0.2 is malware, the TXT record says since when and for which
share of engines. Non-commercial; who automates it is asked to tell them first, so that it is skipped by default.
"""

from __future__ import annotations

from datetime import UTC, datetime

from urltrap.intel.errors import Malformed
from urltrap.intel.reputation.asked import Answer, Asked, Subject, Tools


class Cymru(Asked):
    """`HALF.HALF.hash.cymru.com`, A and TXT."""

    name = "cymru"
    tier = "dns"
    kinds = frozenset({"sha256"})
    limits = {"minute": 60, "day": 20_000}
    default_base = "hash.cymru.com"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked."""
        name = f"{subject.value[:32]}.{subject.value[32:]}.{self.base}"
        answer = await tools.dns.ask(name, "A")
        if answer.missing or not answer.values:
            return Answer(listed=False)
        if "127.0.0.2" not in answer.values:
            raise Malformed(f"it answers {answer.values[0]!a} instead of 127.0.0.2")
        words = (await tools.dns.ask(name, "TXT")).values
        since, share = None, ""
        if words:
            epoch, _, share = words[0].partition(" ")
            if epoch.isdecimal() and len(epoch) <= 10:
                since = datetime.fromtimestamp(int(epoch), UTC)
        return Answer(True, f"{share} % of engines" if share.isdecimal() else "malware", (), "", since)

"""AbuseIPDB v2: what others reported of an address. Source: docs.abuseipdb.com."""

from __future__ import annotations

from urltrap.intel.http import Reply
from urltrap.intel.reputation.asked import Allowance, Answer, Asked, Subject, Tools
from urltrap.intel.reputation.reading import number, section, text

SCORE = 50
"""From this score (0–100) on an address counts as listed; below, a few reports are as likely a mistake."""


class AbuseIpDb(Asked):
    """`GET /check`, key in a header, 1,000 a day."""

    name = "abuseipdb"
    tier = "metered"
    kinds = frozenset({"ip"})
    key = "abuseipdb"
    key_needed = True
    limits = {"minute": 30, "day": 1000}
    default_base = "https://api.abuseipdb.com/api/v2"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked."""
        reply = await tools.ask(
            "GET",
            f"{self.base}/check",
            params={"ipAddress": subject.value, "maxAgeInDays": "90"},
            headers={"Key": tools.key(self.key), "Accept": "application/json"},
        )
        data = section(reply.object(), "data")
        score = number(data.get("abuseConfidenceScore"))
        if score is None:
            section(data, "abuseConfidenceScore")
        score = score or 0
        reports = number(data.get("totalReports")) or 0
        tags = [text(data.get("usageType"), 60)]
        tags += [
            name
            for name, field in (("whitelisted", "isWhitelisted"), ("tor", "isTor"))
            if data.get(field) is True
        ]
        return Answer(
            score >= SCORE and data.get("isWhitelisted") is not True,
            f"score {score}, {reports} reports",
            tuple(tags),
            f"https://www.abuseipdb.com/check/{subject.value}",
        )

    def from_headers(self, reply: Reply) -> list[Allowance]:
        """X-RateLimit-Limit and -Remaining are of the day."""
        headers = {name.lower(): value for name, value in reply.headers.items()}
        most, left = number(headers.get("x-ratelimit-limit")), number(headers.get("x-ratelimit-remaining"))
        if most is None or left is None:
            return []
        return [Allowance("day", most, max(0, most - left))]

"""VirusTotal v3: what its engines say of a file, URL, domain or address. Source: docs.virustotal.com.

One or two engines are not a listing: some engine flags nearly everything that was ever seen in bad company.
"""

from __future__ import annotations

import base64

from urltrap.intel.reputation.asked import Allowance, Answer, Asked, Subject, Tools
from urltrap.intel.reputation.reading import moment, number, section, text, texts

ENGINES = 3
"""So many engines are a listing; or one fewer where these are among them."""

TRUSTED = {
    "Kaspersky",
    "ESET",
    "ESET-NOD32",
    "BitDefender",
    "Sophos",
    "Microsoft",
    "Google Safebrowsing",
    "Fortinet",
}
_PATHS = {"url": "urls", "host": "domains", "ip": "ip_addresses", "sha256": "files"}
_PAGES = {"url": "url", "host": "domain", "ip": "ip-address", "sha256": "file"}
_SPANS = {"api_requests_hourly": "hour", "api_requests_daily": "day", "api_requests_monthly": "month"}


class VirusTotal(Asked):
    """`GET /api/v3/{files,urls,domains,ip_addresses}/ID` with the key in a header."""

    name = "virustotal"
    tier = "metered"
    kinds = frozenset({"url", "host", "ip", "sha256"})
    key = "virustotal"
    key_needed = True
    limits = {"minute": 4, "day": 500, "month": 15_500}
    default_base = "https://www.virustotal.com/api/v3"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked. What VirusTotal does not know (404) is not listed."""
        name = identifier(subject.value) if subject.kind == "url" else subject.value
        reply = await tools.ask(
            "GET",
            f"{self.base}/{_PATHS[subject.kind]}/{name}",
            headers={"x-apikey": tools.key(self.key)},
            accept=frozenset({404}),
        )
        page = f"https://www.virustotal.com/gui/{_PAGES[subject.kind]}/{name}"
        if reply.status == 404:
            section(reply.object(), "error")  # a 404 of a proxy on the way is no answer
            return Answer(listed=False, detail="unknown there")
        attributes = section(reply.object(), "data", "attributes")
        stats = attributes.get("last_analysis_stats")
        results = attributes.get("last_analysis_results")
        if not isinstance(stats, dict) and not isinstance(results, dict):
            # Older answers about domains and addresses carry neither: nobody has scanned them.
            return Answer(listed=False, detail="known there, scanned by no engine", reference=page)
        counted = stats if isinstance(stats, dict) else {}
        malicious = number(counted.get("malicious")) or 0
        total = sum(number(value) or 0 for value in counted.values())
        named = _malicious_engines(results)
        listed = malicious >= ENGINES or (malicious == ENGINES - 1 and bool(TRUSTED & named))
        label = section(attributes, "popular_threat_classification") if (
            isinstance(attributes.get("popular_threat_classification"), dict)
        ) else {}  # fmt: skip
        return Answer(
            listed=listed,
            detail=f"{malicious} of {total} engines",
            tags=(
                text(label.get("suggested_threat_label"), 80),
                *texts(attributes.get("threat_names")),
                *texts(attributes.get("tags")),
            ),
            reference=page,
            # Nobody says when engines began to list it; it cannot have been before it was first submitted.
            since=moment(attributes.get("first_submission_date")) if listed else None,
        )

    async def allowances(self, tools: Tools) -> list[Allowance]:
        """`GET /users/NAME/overall_quotas`: some accounts were given 1 a minute, others 20,000 a day."""
        user = tools.settings.virustotal_user
        if not user:
            return []
        reply = await tools.ask(
            "GET", f"{self.base}/users/{user}/overall_quotas", headers={"x-apikey": tools.key(self.key)}
        )
        data = section(reply.object(), "data")
        found = []
        for name, span in _SPANS.items():
            quota = data.get(name)
            user_quota = quota.get("user") if isinstance(quota, dict) else None
            most = number(user_quota.get("allowed")) if isinstance(user_quota, dict) else None
            if most is not None and most >= 0 and isinstance(user_quota, dict):
                found.append(Allowance(span, most, number(user_quota.get("used"))))  # type: ignore[arg-type]
        return found


def identifier(url: str) -> str:
    """A URL's id: base64url without padding."""
    return base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def _malicious_engines(results: object) -> set[str]:
    if not isinstance(results, dict):
        return set()
    return {
        str(engine)
        for engine, result in results.items()
        if isinstance(result, dict) and result.get("category") == "malicious"
    }

"""urlscan.io's search: what others had scanned. Its scan, which fetches the URL, is a submission: `urlscan_submit`."""

from __future__ import annotations

from typing import cast

from urltrap.intel.errors import Malformed
from urltrap.intel.http import Reply
from urltrap.intel.reputation.asked import Allowance, Answer, Asked, Span, Subject, Tools
from urltrap.intel.reputation.reading import moment, number, section, text, texts


class UrlScan(Asked):
    """`GET /api/v1/search/?q=…`, without a key 500 a day."""

    name = "urlscan"
    tier = "keyless"
    kinds = frozenset({"url", "host"})
    limits = {"minute": 30, "day": 500}
    default_base = "https://urlscan.io/api/v1"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked. Listed is what a scan of this very URL or host judged malicious."""
        field = "page.url.keyword" if subject.kind == "url" else "page.domain"
        wanted = subject.value.replace("\\", "\\\\").replace('"', '\\"')
        reply = await tools.ask(
            "GET", f"{self.base}/search/", params={"q": f'{field}:"{wanted}"', "size": "20"}
        )
        results = reply.object().get("results")
        if not isinstance(results, list):
            raise Malformed("the answer lacks results")
        bad = [
            item for item in results if isinstance(item, dict) and _about(item, subject) and _malicious(item)
        ]
        if not bad:
            return Answer(False, f"{len(results)} scans" if results else "")
        oldest = min(bad, key=lambda item: text(section(item, "task").get("time")))
        return Answer(
            True,
            f"{len(bad)} of {len(results)} scans malicious",
            texts(oldest.get("brand")),
            text(oldest.get("result")),
            moment(section(oldest, "task").get("time")),
        )

    def from_headers(self, reply: Reply) -> list[Allowance]:
        """X-Rate-Limit-* name the window that is met next."""
        return rate_headers(reply)


def rate_headers(reply: Reply) -> list[Allowance]:
    """What urlscan.io's X-Rate-Limit-* headers say of a quota."""
    headers = {name.lower(): value for name, value in reply.headers.items()}
    span = headers.get("x-rate-limit-window", "")
    most, left = number(headers.get("x-rate-limit-limit")), number(headers.get("x-rate-limit-remaining"))
    if span not in ("minute", "hour", "day") or most is None or left is None:
        return []
    return [Allowance(cast(Span, span), most, max(0, most - left))]


def _about(item: dict[str, object], subject: Subject) -> bool:
    page = item.get("page")
    if not isinstance(page, dict):
        return False
    return text(page.get("url"), 8000) == subject.value if subject.kind == "url" else (
        text(page.get("domain")).lower() == subject.value
    )  # fmt: skip


def _malicious(item: dict[str, object]) -> bool:
    verdicts = item.get("verdicts")
    return isinstance(verdicts, dict) and verdicts.get("malicious") is True

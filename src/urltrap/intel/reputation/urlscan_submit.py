"""urlscan.io's scan: it visits the URL with a browser and keeps what it saw. Source: docs.urlscan.io, "Scanning"."""

from __future__ import annotations

import uuid

from urltrap.intel.errors import Malformed, Refused, Unaskable
from urltrap.intel.http import Reply
from urltrap.intel.reputation.asked import Allowance, Tools
from urltrap.intel.reputation.reading import text
from urltrap.intel.reputation.submitting import Parcel, Receipt, Submitter
from urltrap.intel.reputation.urlscan import rate_headers

_MOST_TAGS = 10
_PAGE = "https://urlscan.io/result"


class UrlScanSubmit(Submitter):
    """`POST /api/v1/scan/` with the key in a header. What it allows depends on the visibility; its headers tell."""

    name = "urlscan-submit"
    to = "urlscan"
    kinds = frozenset({"url"})
    key = "urlscan"
    limits = {"minute": 5, "day": 50}
    default_base = "https://urlscan.io/api/v1"
    tells = "urlscan.io is told the URL and visits it; a scan that is not private is seen by others"

    async def submit(self, tools: Tools, parcel: Parcel) -> Receipt:
        """See Submitter."""
        reply = await tools.ask(
            "POST",
            f"{self.base}/scan/",
            headers={"API-Key": tools.key(self.key)},
            body={
                "url": parcel.value,
                "visibility": parcel.visibility,
                "tags": list(parcel.tags[:_MOST_TAGS]),
            },
            accept=frozenset({400}),
        )
        body = reply.object()
        if reply.status == 400:
            # A key of the wrong form is answered like a URL that it does not scan.
            if "api key" in text(body.get("message")).lower():
                raise Refused("the key is not accepted (HTTP 400)")
            raise Unaskable("it does not scan this URL (HTTP 400)")
        try:
            number = str(uuid.UUID(text(body.get("uuid"), 40)))
        except ValueError:
            raise Malformed("the answer lacks the scan's id") from None
        seen_by = text(body.get("visibility"), 20) or parcel.visibility
        return Receipt(number, f"{_PAGE}/{number}/", f"{seen_by} scan")

    def from_headers(self, reply: Reply) -> list[Allowance]:
        """See UrlScan: X-Rate-Limit-* name the window that is met next."""
        return rate_headers(reply)

"""VirusTotal v3: a URL to be visited by its engines, or a payload to be scanned. Source: docs.virustotal.com.

Whatever is submitted is shared with its partners and customers, who can download payloads.
"""

from __future__ import annotations

import re

from urltrap.intel.errors import Malformed, Unaskable
from urltrap.intel.reputation.asked import Tools
from urltrap.intel.reputation.reading import section, text
from urltrap.intel.reputation.submitting import Parcel, Receipt, Submitter

LARGEST = 32_000_000
"""Bytes of a file that `POST /files` takes (32 MB; larger ones have an address of their own, which is not used)."""

_PAGE = "https://www.virustotal.com/gui"
_URL_ID = re.compile(r"u-([0-9a-f]{64})-\d{1,20}")


class VirusTotalSubmit(Submitter):
    """`POST /urls` and `POST /files` with the key in a header. They use up the quota of look-ups."""

    name = "virustotal-submit"
    to = "virustotal"
    shares = "virustotal"
    kinds = frozenset({"url", "sha256"})
    key = "virustotal"
    limits = {"minute": 2, "day": 100}
    default_base = "https://www.virustotal.com/api/v3"
    tells = (
        "VirusTotal is told the URL, or given the payload, for good: it visits the URL, shows everybody what came out "
        "and shares what it has with its partners and customers"
    )

    async def submit(self, tools: Tools, parcel: Parcel) -> Receipt:
        """See Submitter."""
        headers = {"x-apikey": tools.key(self.key)}
        taken = frozenset({400, 409, 413})
        if parcel.kind == "url":
            reply = await tools.ask(
                "POST", f"{self.base}/urls", headers=headers, form={"url": parcel.value}, accept=taken
            )
        else:
            if len(parcel.body) > LARGEST:
                raise Unaskable(f"it takes payloads of {LARGEST} bytes at most")
            reply = await tools.ask(
                "POST", f"{self.base}/files", headers=headers, file=(parcel.value, parcel.body), accept=taken
            )
        if reply.status != 200:
            section(reply.object(), "error")  # a 400 of a proxy on the way is no answer
            raise Unaskable(f"it does not take this one (HTTP {reply.status})")
        number = text(section(reply.object(), "data").get("id"))
        if not number:
            raise Malformed("the answer lacks the analysis' id")
        if parcel.kind == "sha256":
            return Receipt(number, f"{_PAGE}/file/{parcel.value}")
        known = _URL_ID.fullmatch(number)
        return Receipt(number, f"{_PAGE}/url/{known[1]}" if known else "")

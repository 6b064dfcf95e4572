"""URLhaus: a URL reported as one that spreads malware. Source: urlhaus.abuse.ch/api/, "Submit a URL".

Its answer to a submission is not documented as an object: what is neither a page nor a word about the key means that
it was taken. It gives no id; a search for the URL shows the entry.
"""

from __future__ import annotations

from urllib.parse import quote

from urltrap.intel.errors import Malformed, Refused
from urltrap.intel.reputation.asked import Tools
from urltrap.intel.reputation.reading import text
from urltrap.intel.reputation.submitting import Parcel, Receipt, Submitter

_MOST_TAGS = 10
_KEY_WORDS = ("auth-key", "auth_key", "api key", "api_key", "unauthorized", "user_blacklisted")


class UrlhausSubmit(Submitter):
    """`POST /api/` with the key for abuse.ch in a header. It publishes what it is told: malware and nothing else."""

    name = "urlhaus-submit"
    to = "urlhaus"
    kinds = frozenset({"url"})
    key = "abuse_ch"
    limits = {"minute": 5, "day": 200}
    reports = True
    default_base = "https://urlhaus.abuse.ch/api"
    tells = "URLhaus is told the URL and its tags, publishes both under the name of your account, and tells the host"

    async def submit(self, tools: Tools, parcel: Parcel) -> Receipt:
        """See Submitter."""
        reply = await tools.ask(
            "POST",
            f"{self.base}/",
            headers={"Auth-Key": tools.key(self.key)},
            body={
                "anonymous": "0",
                "submission": [
                    {
                        "url": parcel.value,
                        "threat": "malware_download",
                        "tags": list(parcel.tags[:_MOST_TAGS]),
                    }
                ],
            },
            accept=frozenset({201, 202}),
        )
        said = text(reply.body[:2000].decode("utf-8", "replace"), 2000)
        if not said.strip() or said.lstrip().startswith("<"):
            raise Malformed("the answer is a page, or empty")
        if reply.headers.get("Content-Type", "").startswith("application/json") and not reply.object():
            raise Malformed("the answer is an empty object")
        if any(word in said.lower() for word in _KEY_WORDS):
            raise Refused("the key is missing or not accepted")
        return Receipt(
            "", f"https://urlhaus.abuse.ch/browse.php?search={quote(parcel.value, safe='')}", said[:100]
        )

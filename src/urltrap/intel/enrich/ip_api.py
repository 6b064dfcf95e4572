"""ip-api.com: places of addresses online, one or a hundred at once. Unencrypted and non-commercial without a key.

45 questions a minute, 15 for batches; what is left comes in X-Rl, and the seconds until more in X-Ttl.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from urltrap.intel.errors import Malformed
from urltrap.intel.http import HttpClient
from urltrap.intel.reputation.reading import section, text
from urltrap.model.verdict import Place

NAME = "ip-api"
BATCH = 100
SINGLE_PER_MINUTE, BATCHES_PER_MINUTE = 45, 15

_FIELDS = "status,message,countryCode,city,lat,lon,as,query"
_AS = re.compile(r"AS(\d{1,10})\s*(.*)")


class IpApi:
    """The provider at `base`."""

    def __init__(self, http: HttpClient, base: str = "http://ip-api.com") -> None:
        self._http = http
        self._base = base

    async def one(self, address: str) -> Place:
        """The place of one address; an empty one where it knows none. Raises ProviderError kinds."""
        reply = await self._http.ask("GET", f"{self._base}/json/{address}", params={"fields": _FIELDS})
        return _place(reply.object(), address)

    async def many(self, addresses: Sequence[str]) -> dict[str, Place]:
        """The places of up to 100 addresses. Raises ProviderError kinds."""
        reply = await self._http.ask(
            "POST", f"{self._base}/batch", params={"fields": _FIELDS}, body=list(addresses[:BATCH])
        )
        answers = reply.json()
        if not isinstance(answers, list) or len(answers) != len(addresses[:BATCH]):
            raise Malformed("the answer has not one entry for each address")
        return {
            address: _place(section(answer), address)
            for address, answer in zip(addresses, answers, strict=False)
        }


def _place(answer: dict[str, Any], address: str) -> Place:
    status = answer.get("status")
    if status == "fail":
        return Place()  # reserved and private ranges
    if status != "success" or text(answer.get("query"), 60) != address:
        raise Malformed("an entry of the answer is about another address")
    values: dict[str, Any] = {}
    country = text(answer.get("countryCode"), 2).upper()
    if len(country) == 2 and country.isalpha():
        values["country"] = country
    if city := text(answer.get("city"), 120):
        values["city"] = city
    latitude: Any = answer.get("lat")
    longitude: Any = answer.get("lon")
    # 0,0 is what databases write for "unknown".
    if _degrees(latitude, 90) and _degrees(longitude, 180) and (latitude, longitude) != (0, 0):
        values["latitude"], values["longitude"] = float(latitude), float(longitude)
    if match := _AS.match(text(answer.get("as"), 300)):
        values["asn"], values["network"] = int(match[1]), match[2][:250]
    return Place(**values, sources=[NAME] if values else [])


def _degrees(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -most <= value <= most

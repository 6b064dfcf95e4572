"""Spamhaus DBL and ZEN over DNS, its error codes told from listings. Source: docs.spamhaus.com.

127.255.255.252 (typing error in the zone), .254 (public resolver) and .255 (too many questions) are errors and never
listings; so is 127.0.1.255 (an address was asked of the list of domains).
"""

from __future__ import annotations

from urltrap.intel.errors import Limited, Malformed, Refused
from urltrap.intel.reputation.asked import Answer, Asked, Subject, Tools

_DBL = {
    2: "low-reputation", 4: "phishing", 5: "malware", 6: "botnet-c2",
    102: "abused-legit", 103: "abused-redirector", 104: "abused-phishing", 105: "abused-malware", 106: "abused-c2",
}  # fmt: skip
_ZEN = {2: "sbl", 3: "css", 4: "xbl", 5: "xbl", 6: "xbl", 7: "xbl", 9: "drop"}
_POLICY = {10, 11}
"""PBL: address ranges that should send no mail directly, such as every home. No malice."""


class Spamhaus(Asked):
    """The public zones by the operator's own resolver, or the DQS zones with a key (it stands in the name asked)."""

    name = "spamhaus"
    tier = "dns"
    kinds = frozenset({"host", "ip"})
    key = "spamhaus"
    limits = {"minute": 60, "day": 20_000}
    default_base = "spamhaus.org"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked."""
        if subject.kind == "ip" and ":" in subject.value:
            return Answer(False, "IPv6 is not asked here")
        zone = "dbl" if subject.kind == "host" else "zen"
        name = subject.value if subject.kind == "host" else ".".join(reversed(subject.value.split(".")))
        key = tools.key(self.key)
        full = f"{name}.{key}.{zone}.dq.spamhaus.net" if key else f"{name}.{zone}.{self.base}"
        answer = await tools.dns.ask(full, "A")
        words = []
        for value in sorted(answer.values):
            octets = [int(part) for part in value.split(".")]
            if octets[:3] == [127, 255, 255]:
                if octets[3] == 255:
                    raise Limited("too many questions (127.255.255.255)")
                raise Refused(f"it answers no questions of this DNS resolver ({value}): use one of your own")
            if octets[:3] == [127, 0, 1] and octets[3] == 255:
                raise Malformed("an address was asked of the list of domains (127.0.1.255)")
            codes, middle = (_DBL, [127, 0, 1]) if zone == "dbl" else (_ZEN, [127, 0, 0])
            if octets[:3] != middle:
                raise Malformed(f"it answers {value!a}, which is none of its codes")
            if octets[3] in codes:
                words.append(codes[octets[3]])
            elif octets[3] not in _POLICY:
                raise Malformed(f"it answers {value!a}, which is none of its codes")
        if not words:
            return Answer(False, "policy only" if answer.values else "")
        found = tuple(dict.fromkeys(words))
        return Answer(True, ", ".join(found), found)

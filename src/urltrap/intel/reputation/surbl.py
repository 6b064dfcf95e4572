"""SURBL's combined list over DNS: a bit mask in the last octet. Source: surbl.org/lists."""

from __future__ import annotations

from urltrap.intel.enrich.domains import registered
from urltrap.intel.errors import Malformed, Refused
from urltrap.intel.reputation.asked import Answer, Asked, Subject, Tools

_BITS = {8: "phishing", 16: "malware", 64: "abuse", 128: "cracked"}


class Surbl(Asked):
    """`DOMAIN.multi.surbl.org`; an address in reverse order. Free for small sites by their own resolver."""

    name = "surbl"
    tier = "dns"
    kinds = frozenset({"host", "ip"})
    limits = {"minute": 60, "day": 20_000}
    default_base = "multi.surbl.org"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked. Registered domains are listed, never names below them."""
        if subject.kind == "ip":
            if ":" in subject.value:
                return Answer(False, "it lists no IPv6")
            name = ".".join(reversed(subject.value.split(".")))
        else:
            name = registered(subject.value) or subject.value
        answer = await tools.dns.ask(f"{name}.{self.base}", "A")
        for value in sorted(answer.values):
            head, _, last = value.rpartition(".")
            mask = int(last)
            if head != "127.0.0":
                raise Malformed(f"it answers {value!a} instead of 127.0.0.x")
            if mask == 1:
                raise Refused("it answers no questions of this DNS resolver (127.0.0.1)")
            tags = tuple(word for bit, word in _BITS.items() if mask & bit)
            if tags:
                return Answer(True, ", ".join(tags), tags)
        return Answer(listed=False)

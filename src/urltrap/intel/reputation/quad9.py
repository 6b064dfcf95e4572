"""Quad9: names that it blocks. Source: Quad9's staff, on how a block is told from a name that does not exist.

One question decides: a blocked name is NXDOMAIN without the "recursion available" flag, a missing one has it.
"""

from __future__ import annotations

from urltrap.intel.reputation.asked import Answer, Asked, Subject, Tools


class Quad9(Asked):
    """An A question to 9.9.9.9."""

    name = "quad9"
    tier = "dns"
    kinds = frozenset({"host"})
    limits = {"minute": 60, "day": 20_000}
    default_base = "9.9.9.9"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked."""
        answer = await tools.dns.ask(subject.value, "A", self.base)
        if answer.missing and not answer.recursion:
            return Answer(True, "blocked")
        return Answer(False, "does not exist" if answer.missing else "")

"""What is concluded from many sessions: answers after which attackers leave, and campaigns."""

from __future__ import annotations

from urltrap.model.base import Model, RawBytes, Utc


class BeliefRow(Model):
    """One answer to one check for honeypots, with what attackers did after it.

    `answer` is its beginning; `asked` how often it was given, in `sessions` sessions; `left` after how many of them the
    attacker left; `excess` how many more that is than leave after any check; `seconds` until they left, at the median.
    """

    check: str
    wants: str
    answer: RawBytes
    asked: int
    sessions: int
    left: int
    excess: float
    seconds: float | None


class CampaignRow(Model):
    """One campaign as lists show it."""

    id: str
    first_seen: Utc
    last_seen: Utc
    urls: int
    payloads: int


class CampaignMember(Model):
    """Something that belongs to a campaign, and why. `kind`: url (its id), payload, key, template, host."""

    kind: str
    value: str
    at: Utc
    why: str


class CampaignDetail(Model):
    """A campaign with its members, oldest first. `merged_from`: ids that it had in parts, which still lead here."""

    row: CampaignRow
    members: list[CampaignMember]
    merged_from: list[str]

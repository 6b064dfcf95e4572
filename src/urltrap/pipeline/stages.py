"""The line that every event goes down, in its order. Read this first.

    recover → capture → analyse → enrich → look up → ask → conclude → campaign → judge → publish

and beside it: names of attackers' addresses (name), places and networks that no file knows (place, network), whether
URLs are still there (alive, recheck, look), what a capture makes us ask next (follow, errand), and what
people decided (decide).

Each stage finds its work in the store and leaves its results there, in one transaction: killed at any moment, it goes
on where it was. A stage makes work due for later ones, and for recovery where a payload holds URLs of its own.
"""

from __future__ import annotations

from urltrap.pipeline.analysing import AnalyseStage
from urltrap.pipeline.asking import AskStage
from urltrap.pipeline.campaigning import CampaignStage
from urltrap.pipeline.capturing import CaptureStage
from urltrap.pipeline.concluding import ConcludeStage
from urltrap.pipeline.deciding import DecideStage
from urltrap.pipeline.enriching import EnrichStage
from urltrap.pipeline.errands import ErrandStage, LookStage
from urltrap.pipeline.following import FollowLaterStage, FollowStage
from urltrap.pipeline.judging import JudgeStage
from urltrap.pipeline.living import LiveStage, RecheckStage
from urltrap.pipeline.looking_up import LookUpStage
from urltrap.pipeline.naming import NameStage
from urltrap.pipeline.networking import NetworkStage
from urltrap.pipeline.placing import PlaceStage
from urltrap.pipeline.publishing import PublishStage
from urltrap.pipeline.recovering import RecoverStage
from urltrap.pipeline.stage import Stage
from urltrap.pipeline.submitting import SubmitStage

PROMPT = frozenset(("recover", "capture"))
"""Stages between a command and the request for its URL: they wait for none of the others (see `line`)."""


def stages(apart: bool = False) -> tuple[Stage, ...]:
    """The stages of one pipeline; `apart`: payloads are looked at beside the line, which never waits for one."""
    return (
        RecoverStage(),
        CaptureStage(),
        FollowLaterStage(),
        FollowStage(),
        ErrandStage(),
        LookStage(),
        AnalyseStage(apart),
        EnrichStage(),
        NameStage(),
        PlaceStage(),
        NetworkStage(),
        LookUpStage(),
        AskStage(),
        LiveStage(),
        RecheckStage(),
        ConcludeStage(),
        CampaignStage(),
        DecideStage(),
        JudgeStage(),
        PublishStage(),
        SubmitStage(),
    )

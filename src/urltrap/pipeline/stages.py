"""The line that every event goes down, in its order. Read this first.

    recover → capture → analyse → enrich → look up → conclude → campaign → judge → publish

Each stage finds its work in the store and leaves its results there, in one transaction: killed at any moment, it goes
on where it was. A stage makes work due for later ones, and for recovery where a payload holds URLs of its own.
"""

from __future__ import annotations

from urltrap.pipeline.analysing import AnalyseStage
from urltrap.pipeline.campaigning import CampaignStage
from urltrap.pipeline.capturing import CaptureStage
from urltrap.pipeline.concluding import ConcludeStage
from urltrap.pipeline.enriching import EnrichStage
from urltrap.pipeline.judging import JudgeStage
from urltrap.pipeline.looking_up import LookUpStage
from urltrap.pipeline.publishing import PublishStage
from urltrap.pipeline.recovering import RecoverStage
from urltrap.pipeline.stage import Stage


def stages() -> tuple[Stage, ...]:
    """The stages of one pipeline."""
    return (
        RecoverStage(),
        CaptureStage(),
        AnalyseStage(),
        EnrichStage(),
        LookUpStage(),
        ConcludeStage(),
        CampaignStage(),
        JudgeStage(),
        PublishStage(),
    )

"""Rebuild: the store again, from nothing but journal and quarantine."""

from __future__ import annotations

from pathlib import Path

from urltrap.journal import JournalReader
from urltrap.model.capture import Capture, FetchRequest
from urltrap.model.settings import Settings
from urltrap.pipeline.analysing import AnalyseStage
from urltrap.pipeline.campaigning import CampaignStage
from urltrap.pipeline.concluding import ConcludeStage
from urltrap.pipeline.deciding import DecideStage
from urltrap.pipeline.enriching import EnrichStage
from urltrap.pipeline.judging import JudgeStage
from urltrap.pipeline.line import Line
from urltrap.pipeline.living import LiveStage
from urltrap.pipeline.looking_up import LookUpStage
from urltrap.pipeline.process import make_workshop
from urltrap.pipeline.publishing import PublishStage
from urltrap.pipeline.recovering import RecoverStage
from urltrap.store import Store


class _NobodyAsks:
    def fetch(self, request: FetchRequest, timeout: float = 120.0) -> Capture:
        """A rebuild asks nobody."""
        raise RuntimeError("a rebuild fetches nothing")


def rebuild(settings: Settings, data: Path, store: Store) -> None:
    """Fill an empty `store` from the journal and the quarantine of a data folder; nothing is fetched.

    What is due for capture stays due, and is asked for by the pipeline that runs on the store afterwards.
    """
    workshop = make_workshop(settings, data, store)
    workshop.fetcher = _NobodyAsks()
    stages = (
        RecoverStage(), AnalyseStage(), EnrichStage(), LookUpStage(), LiveStage(), ConcludeStage(), CampaignStage(),
        DecideStage(), JudgeStage(), PublishStage(),
    )  # fmt: skip
    try:
        with JournalReader(data / "journal") as reader:
            Line(workshop, reader, stages).drain()
    finally:
        workshop.laboratory.close()

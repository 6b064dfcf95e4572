"""Judge: evidence into verdicts."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from urltrap.judge import judge
from urltrap.model.verdict import Verdict
from urltrap.pipeline.evidence import gather
from urltrap.pipeline.stage import each
from urltrap.pipeline.workshop import Workshop
from urltrap.store import work
from urltrap.store.schema import captures, sightings, urls, verdicts
from urltrap.store.upsert import upsert


class JudgeStage:
    """Jobs: the key of a URL about which something is new."""

    name = "judge"

    def run(self, workshop: Workshop) -> int:
        """Judge a batch."""
        return each(workshop, self.name, lambda connection, job: _judge(workshop, connection, job))


def _judge(workshop: Workshop, connection: Connection, job: work.Job) -> None:
    gathered = gather(workshop, connection, job.subject)
    if gathered is None:
        return  # a capture of a URL that no sighting names yet: it is judged with its first sighting
    evidence, summary = gathered
    publish = workshop.settings.publish
    verdict = judge(evidence, workshop.now(), publish.delay_minutes)
    before = connection.execute(
        select(urls.c.verdict, urls.c.publish_after).where(urls.c.key == job.subject)
    ).one()
    was_malicious = before.verdict.startswith("malicious-")
    is_malicious = verdict.verdict.startswith("malicious-")
    if was_malicious and is_malicious and before.publish_after and verdict.publish_after:
        # Judging again never moves a publication into the future.
        verdict = verdict.model_copy(
            update={"publish_after": min(verdict.publish_after, before.publish_after)}
        )
    _save(connection, job.subject, verdict)
    values = {
        **summary,
        "verdict": verdict.verdict,
        "confidence": verdict.confidence,
        "publish_after": verdict.publish_after,
    }
    if not is_malicious or verdict.publish_after is None or verdict.confidence < publish.min_confidence:
        values["published_at"] = None
    connection.execute(update(urls).where(urls.c.key == job.subject).values(values))
    if is_malicious != was_malicious:
        _judge_children(workshop, connection, job.subject)


def _save(connection: Connection, key: str, verdict: Verdict) -> None:
    upsert(
        connection,
        verdicts,
        [
            {"url_key": key, "verdict": verdict.verdict, "confidence": verdict.confidence,
             "reasons": [reason.model_dump() for reason in verdict.reasons], "at": verdict.at,
             "rules": verdict.rules, "publish_after": verdict.publish_after}
        ],
        replace=["verdict", "confidence", "reasons", "at", "rules", "publish_after"],
    )  # fmt: skip


def _judge_children(workshop: Workshop, connection: Connection, key: str) -> None:
    payloads = select(captures.c.sha256).where(captures.c.url_key == key, captures.c.sha256.is_not(None))
    children = connection.execute(
        select(sightings.c.url_key).where(sightings.c.parent_sha256.in_(payloads)).distinct()
    ).scalars()
    work.put(connection, "judge", [child for child in children if child != key], workshop.now())

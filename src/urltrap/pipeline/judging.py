"""Judge: evidence into verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Text, bindparam, delete, select, type_coerce, update

from urltrap.judge.calibration import Given
from urltrap.judge.publication import Policy, Publicity, for_everyone
from urltrap.judge.rules import Judgement, judgement
from urltrap.model.settings import Settings
from urltrap.pipeline.evidence import KEPT, KEPT_PLACES, Gathered, gather
from urltrap.pipeline.stage import BATCH, note_failure
from urltrap.pipeline.workshop import Workshop
from urltrap.store import StoreError, work
from urltrap.store.among import MANY, among
from urltrap.store.intake import in_parts
from urltrap.store.schema import captures, sightings, urls, verdicts
from urltrap.store.schema_public import publications
from urltrap.store.upsert import upsert

_SAID = ("reasons", "verdict", "confidence", "rules", "publish_after", "classes")
_AS_TEXT = {"reasons": type_coerce(verdicts.c.reasons, Text)}
_as_json = json.JSONEncoder(separators=(",", ":")).encode
_REPLACED = ["verdict", "confidence", "reasons", "at", "rules", "publish_after", "classes"]


class JudgeStage:
    """Jobs: the key of a URL about which something is new."""

    name = "judge"

    def run(self, workshop: Workshop) -> int:
        """Judge a batch, all at once; where that fails one by one, so that what fails waits alone."""
        due = work.due(workshop.store, self.name, workshop.now(), BATCH)
        if not due:
            return 0
        try:
            _judge(workshop, due)
        except StoreError:
            raise
        except Exception:
            return sum(_alone(workshop, job) for job in due)
        return len(due)


def _judge(workshop: Workshop, due: Sequence[work.Job]) -> None:
    keys = [job.subject for job in due]
    with workshop.store.begin() as connection:
        again = judge_urls(workshop, connection, keys)
        work.finish(connection, JudgeStage.name, keys)
        # After that, because what stands in a payload of one of them may be one of them itself.
        work.put(connection, JudgeStage.name, again, workshop.now())


def _alone(workshop: Workshop, job: work.Job) -> int:
    """Judge one that may be what made its batch fail: what fails waits, and is logged, alone."""
    try:
        _judge(workshop, [job])
    except StoreError:
        raise
    except Exception as error:
        note_failure(workshop, job, error)
        return 0
    return 1


def judge_urls(workshop: Workshop, connection: Connection, keys: Sequence[str]) -> list[str]:
    """Judge these URLs and keep what is new of the verdicts, whose `at` is when they came to be what they are.

    The URLs that are to be judged again because of what came out.
    """
    gathered = gather(workshop, connection, keys)
    now, publish = workshop.now(), workshop.settings.publish
    kept = _kept(connection, gathered)
    policy = policy_of(workshop.settings)
    everyones: dict[str, tuple[Publicity, str] | None] = {}
    rows: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    turned: list[str] = []
    for key, item in gathered.items():
        verdict = judgement(item.evidence, now, publish.delay_minutes)
        _keep_moment(verdict, item)
        publicity = for_everyone(item.evidence, verdict.verdict, policy)
        everyones[key] = (publicity, _told(verdict)) if publicity is not None else None
        if kept.get(key) != _said(verdict):
            rows.append(_row(key, verdict, now))
        is_malicious = verdict.verdict.startswith("malicious-")
        before, axes = item.before, verdict.axes
        published = before.published_at
        if not is_malicious or verdict.publish_after is None or verdict.confidence < publish.min_confidence:
            published = None
        values = (
            *item.summary, verdict.verdict, verdict.confidence, verdict.publish_after, published, axes.action,
            axes.role, axes.delivery[:60], axes.target[:60], axes.hosting, axes.lifecycle, verdict.family[:80],
        )  # fmt: skip
        if before[KEPT_PLACES] != values:
            changed.append({"b_key": key, **dict(zip(KEPT, values, strict=True))})
        if is_malicious != before.verdict.startswith("malicious-"):
            turned.append(key)
    upsert(connection, verdicts, rows, replace=_REPLACED)
    _publish(connection, everyones)
    if changed:
        connection.execute(
            update(urls)
            .where(urls.c.key == bindparam("b_key"))
            .values({name: bindparam(name) for name in KEPT}),
            changed,
        )
    return _children(connection, turned)


def policy_of(settings: Settings) -> Policy:
    """What the operator allows everyone to see."""
    public = settings.public
    return Policy(settings.publish.delay_minutes, public.networks, public.single_source == "age")


def _told(verdict: Judgement) -> str:
    """What everyone is told that hangs on sessions, and so on whoever came: the verdict, and how it was reached."""
    return _as_json({
        "verdict": verdict.verdict, "confidence": verdict.confidence,
        "reasons": [reason.code for reason in verdict.reasons], "delivery": verdict.axes.delivery,
        "techniques": verdict.techniques,
    })  # fmt: skip


def _publish(connection: Connection, everyones: dict[str, tuple[Publicity, str] | None]) -> None:
    """Keep which of these URLs are for everyone, and write only what changed.

    What is told stays as it was until several networks show the URL again, or the verdict is another one: somebody who
    comes alone with a URL that is out must not see his technique, his way of asking or one source more on its page.
    """
    before: dict[str, Any] = {}
    for part in in_parts(everyones, MANY):
        query = select(publications).where(among(connection, publications.c.url_key, part))
        before.update((row.url_key, row) for row in connection.execute(query))
    rows: list[dict[str, Any]] = []
    for key, given in everyones.items():
        if given is None:
            continue
        found, told = given
        old = before.pop(key, None)
        if old is None or old.told == told:
            pass
        elif old.last >= found.last and _verdict_of(old.told) == _verdict_of(told):
            told = old.told
        # The moment stays what it was first: what has come out once must not seem new again.
        after = min(found.after, old.after) if old is not None else found.after
        values = {"url_key": key, "after": after, "first": found.first, "last": found.last, "told": told}
        if old is None or tuple(old) != tuple(values.values()):
            rows.append(values)
    upsert(connection, publications, rows, replace=["after", "first", "last", "told"])
    for part in in_parts(before):
        connection.execute(delete(publications).where(publications.c.url_key.in_(part)))


def _verdict_of(told: str) -> object:
    return json.loads(told)["verdict"]


def _kept(connection: Connection, keys: Iterable[str]) -> dict[str, tuple[object, ...]]:
    """What is kept of the verdicts on these URLs but when they were reached: what says the same is not written."""
    found: dict[str, tuple[object, ...]] = {}
    columns = (verdicts.c.url_key, *(_AS_TEXT.get(name, verdicts.c[name]) for name in _SAID))
    for part in in_parts(keys, MANY):
        rows = connection.execute(select(*columns).where(among(connection, verdicts.c.url_key, part))).all()
        found.update((row[0], tuple(row[1:])) for row in rows)
    return found


def _said(verdict: Judgement) -> tuple[object, ...]:
    """What is kept of a verdict, in the order of `_SAID` and as the store has it."""
    reasons = f"[{','.join(map(_reason, verdict.reasons))}]"
    return (
        reasons,
        verdict.verdict,
        verdict.confidence,
        verdict.rules,
        verdict.publish_after,
        _classes(verdict),
    )


@lru_cache(maxsize=8192)
def _reason(reason: Given) -> str:
    # The same few come again and again: each is written once.
    return _as_json(reason._asdict())


def _classes(verdict: Judgement) -> str:
    """What pydantic writes of axes, family, fp_risk and techniques of a `Verdict`, in a third of the time."""
    axes = verdict.axes
    return (
        f'{_axes(*axes[:6])},"first_online":{_moment(axes.first_online)},"last_online":{_moment(axes.last_online)}'
        f"}},{_rest(verdict.family, verdict.fp_risk, verdict.techniques)}"
    )


@lru_cache(maxsize=2048)
def _axes(action: str, role: str, delivery: str, target: str, hosting: str, lifecycle: str) -> str:
    return '{"axes":' + _as_json({
        "action": action, "role": role, "delivery": delivery, "target": target, "hosting": hosting,
        "lifecycle": lifecycle,
    })[:-1]  # fmt: skip


@lru_cache(maxsize=2048)
def _rest(family: str, fp_risk: str, techniques: tuple[str, ...]) -> str:
    return _as_json({"family": family, "fp_risk": fp_risk, "techniques": techniques})[1:]


def _moment(moment: datetime | None) -> str:
    return "null" if moment is None else f'"{moment.isoformat().removesuffix("+00:00")}Z"'


def _keep_moment(verdict: Judgement, item: Gathered) -> None:
    """Judging again never moves a publication into the future."""
    before = item.before.publish_after
    if (
        before
        and verdict.publish_after
        and before < verdict.publish_after
        and verdict.verdict.startswith("malicious-")
        and item.before.verdict.startswith("malicious-")
    ):
        verdict.publish_after = before


def _row(key: str, verdict: Judgement, at: datetime) -> dict[str, Any]:
    return {
        "url_key": key, "verdict": verdict.verdict, "confidence": verdict.confidence,
        "reasons": [reason._asdict() for reason in verdict.reasons], "at": at, "rules": verdict.rules,
        "publish_after": verdict.publish_after, "classes": _classes(verdict),
    }  # fmt: skip


def _children(connection: Connection, keys: Sequence[str]) -> list[str]:
    """What stands in a payload of a URL that became malicious, or no longer is."""
    children: dict[str, None] = {}
    for part in in_parts(keys):
        payloads = select(captures.c.sha256).where(
            captures.c.url_key.in_(part), captures.c.sha256.is_not(None)
        )
        found = connection.execute(
            select(sightings.c.url_key).where(sightings.c.parent_sha256.in_(payloads)).distinct()
        ).scalars()
        children.update(dict.fromkeys(found))
    return list(children)

"""Judge: evidence into verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Text, bindparam, delete, select, type_coerce, update

from urltrap.judge import judge
from urltrap.judge.publication import Policy, Publicity, for_everyone
from urltrap.model.settings import Settings
from urltrap.model.verdict import Reason, Verdict
from urltrap.pipeline.evidence import Gathered, gather
from urltrap.pipeline.stage import BATCH, note_failure
from urltrap.pipeline.workshop import Workshop
from urltrap.store import StoreError, work
from urltrap.store.among import among
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
        verdict = _keep_moment(judge(item.evidence, now, publish.delay_minutes), item)
        row = _row(key, verdict)
        publicity = for_everyone(item.evidence, verdict.verdict, policy)
        everyones[key] = (publicity, _told(verdict)) if publicity is not None else None
        if kept.get(key) != _said(row):
            rows.append(row)
        is_malicious = verdict.verdict.startswith("malicious-")
        published = item.before["published_at"]
        if not is_malicious or verdict.publish_after is None or verdict.confidence < publish.min_confidence:
            published = None
        values = {
            **item.summary, "verdict": verdict.verdict, "confidence": verdict.confidence,
            "publish_after": verdict.publish_after, "published_at": published, "action": verdict.axes.action,
            "role": verdict.axes.role, "delivery": verdict.axes.delivery[:60], "target": verdict.axes.target[:60],
            "hosting": verdict.axes.hosting, "lifecycle": verdict.axes.lifecycle, "family": verdict.family[:80],
        }  # fmt: skip
        if [item.before[name] for name in values] != list(values.values()):
            changed.append({"b_key": key, **values})
        if is_malicious != item.before["verdict"].startswith("malicious-"):
            turned.append(key)
    upsert(connection, verdicts, rows, replace=_REPLACED)
    _publish(connection, everyones)
    if changed:
        names = [name for name in changed[0] if name != "b_key"]
        connection.execute(
            update(urls)
            .where(urls.c.key == bindparam("b_key"))
            .values({name: bindparam(name) for name in names}),
            changed,
        )
    return _children(connection, turned)


def policy_of(settings: Settings) -> Policy:
    """What the operator allows everyone to see."""
    public = settings.public
    return Policy(settings.publish.delay_minutes, public.networks, public.single_source == "age")


def _told(verdict: Verdict) -> str:
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
    for part in in_parts(everyones):
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
    for part in in_parts(keys):
        rows = connection.execute(select(*columns).where(among(connection, verdicts.c.url_key, part))).all()
        found.update((row[0], tuple(row[1:])) for row in rows)
    return found


def _said(row: dict[str, Any]) -> tuple[object, ...]:
    return (_as_json(row["reasons"]), *(row[name] for name in _SAID[1:]))


def _keep_moment(verdict: Verdict, item: Gathered) -> Verdict:
    """Judging again never moves a publication into the future."""
    before = item.before["publish_after"]
    if (
        item.before["verdict"].startswith("malicious-")
        and verdict.verdict.startswith("malicious-")
        and before
        and verdict.publish_after
        and before < verdict.publish_after
    ):
        return verdict.model_copy(update={"publish_after": before})
    return verdict


def _row(key: str, verdict: Verdict) -> dict[str, Any]:
    classes = verdict.model_dump(mode="json", include={"axes", "family", "fp_risk", "techniques"})
    return {
        "url_key": key, "verdict": verdict.verdict, "confidence": verdict.confidence,
        "reasons": [_reason(reason) for reason in verdict.reasons], "at": verdict.at, "rules": verdict.rules,
        "publish_after": verdict.publish_after, "classes": _as_json(classes),
    }  # fmt: skip


def _reason(reason: Reason) -> dict[str, Any]:
    return {"code": reason.code, "text": reason.text, "weight": reason.weight}


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

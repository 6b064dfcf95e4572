"""Analyse: what an artifact is; scripts go back to recovery."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, select, update

from urltrap.analysis import HEAD_BYTES, analyse
from urltrap.model.event import Captured, decode_event
from urltrap.pipeline.stage import each
from urltrap.pipeline.workshop import Workshop
from urltrap.quarantine import ArtifactMissingError
from urltrap.store import work
from urltrap.store.rows import url_key
from urltrap.store.schema import artifacts, captures, events

_CHUNK = 1 << 20
_WITH_URLS = ("script", "text")


class AnalyseStage:
    """Jobs: "SESSION/SEQ/SHA256", one for each time that an artifact came."""

    name = "analyse"

    def run(self, workshop: Workshop) -> int:
        """Analyse a batch."""
        return each(workshop, self.name, lambda connection, job: _analyse(workshop, connection, job), 20)


def _analyse(workshop: Workshop, connection: Connection, job: work.Job) -> None:
    session, seq, sha256 = job.subject.split("/")
    row = connection.execute(select(artifacts).where(artifacts.c.sha256 == sha256)).mappings().first()
    if row is None:
        return
    kind = row["kind"] or _first_look(workshop, connection, sha256)
    now = workshop.now()
    if kind in _WITH_URLS:
        work.put(connection, "recover", [job.subject], now)
    body = connection.execute(
        select(events.c.body).where(events.c.session == session, events.c.seq == int(seq))
    ).scalar()
    event = decode_event(body) if body else None
    if isinstance(event, Captured):
        work.put(connection, "judge", [url_key(event.capture.url)], now)
    elif not row["kind"]:
        # An upload may be what a URL served before.
        served = connection.execute(
            select(captures.c.url_key).where(captures.c.sha256 == sha256).distinct()
        ).scalars()
        work.put(connection, "judge", list(served), now)


def _first_look(workshop: Workshop, connection: Connection, sha256: str) -> str:
    try:
        size = workshop.quarantine.stat(sha256).size
        head = workshop.quarantine.read(sha256, 0, HEAD_BYTES)
        md5, sha1 = hashlib.md5(usedforsecurity=False), hashlib.sha1(usedforsecurity=False)
        offset = 0
        while chunk := workshop.quarantine.read(sha256, offset, _CHUNK):
            md5.update(chunk)
            sha1.update(chunk)
            offset += len(chunk)
    except ArtifactMissingError:
        # Retention, or a restore without the quarantine: the artifact is known by its hash only.
        connection.execute(
            update(artifacts).where(artifacts.c.sha256 == sha256).values(description="not kept")
        )
        return ""
    found = analyse(head, size, sha256, workshop.magic(head))
    connection.execute(
        update(artifacts)
        .where(artifacts.c.sha256 == sha256)
        .values(
            size=size, md5=md5.hexdigest(), sha1=sha1.hexdigest(), mime=found.mime[:190],
            description=found.description.replace("\0", ""), kind=found.kind, architecture=found.architecture[:40],
            analysis=found.model_dump(mode="json"),
        )
    )  # fmt: skip
    return found.kind

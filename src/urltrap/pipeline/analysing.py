"""Analyse: what an artifact is; scripts, and URLs hidden in programs, go back to recovery."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy import Connection, select, update

from urltrap.analysis import HEAD_BYTES, analyse
from urltrap.model.artifact import Analysis
from urltrap.model.event import Captured, decode_event
from urltrap.pipeline.laboratory import LARGEST, Examiner
from urltrap.pipeline.laboratory.clamd import Clamd
from urltrap.pipeline.stage import note_failure
from urltrap.pipeline.unpacking import is_packed, unpack, with_endpoints
from urltrap.pipeline.workshop import Workshop
from urltrap.quarantine import ArtifactMissingError
from urltrap.store import StoreError, work
from urltrap.store.rows import url_key
from urltrap.store.schema import artifacts, captures, events, facts
from urltrap.store.upsert import upsert

AGAIN = "-/0/"
"""What stands before the hash in the job of an artifact that is analysed again without a new event."""

_CHUNK = 1 << 20
_BATCH = 20
_LENT = timedelta(minutes=10)
_UPX = "+upx"
"""Stands behind the version that everything was analysed by, where UPX was there to unpack with."""
_WITH_URLS = ("script", "text", "elf")

log = structlog.get_logger("urltrap.pipeline")


@dataclass(frozen=True, slots=True)
class _Result:
    """One artifact looked at; `analysis` None where it is not kept any more."""

    analysis: Analysis | None
    size: int = 0
    md5: str = ""
    sha1: str = ""


@dataclass(slots=True)
class _Looking:
    """A payload that is being looked at, and the jobs that wait for it."""

    future: Future[_Result]
    jobs: dict[str, work.Job] = field(default_factory=dict)


class AnalyseStage:
    """Jobs: "SESSION/SEQ/SHA256", one for each time that an artifact came."""

    name = "analyse"

    def __init__(self, apart: bool = False) -> None:
        """`apart`: payloads are looked at in a thread, so that the line goes on; what is still being looked at is lent
        out for a while, and looked at again where the process is killed meanwhile."""
        self._settled = ""
        self._complained = False
        self._apart = apart
        self._thread: ThreadPoolExecutor | None = None
        self._looking: dict[str, _Looking] = {}

    def run(self, workshop: Workshop) -> int:
        """Analyse a batch. Looking at payloads takes its time and happens outside of every transaction."""
        examiner = workshop.laboratory
        state = examiner.version + (_UPX if workshop.upx else "")
        if state != self._settled:
            _settle(workshop, state)
            self._settled = state
        results: dict[str, _Result] = {}
        failed: list[tuple[work.Job, Exception]] = []
        due = self._collect(results, failed)
        due += work.due(workshop.store, self.name, workshop.now(), _BATCH)
        due = list({job.subject: job for job in due}.values())
        done: list[str] = []
        for job in due:
            try:
                sha256 = job.subject.rpartition("/")[2]
                if sha256 in self._looking or (
                    sha256 not in results and _needs(workshop, sha256, examiner.version)
                ):
                    if self._apart:
                        self._lend(workshop, examiner, job, sha256)
                        continue
                    results[sha256] = self._look(workshop, examiner, sha256)
                with workshop.store.begin() as connection:
                    _finish(workshop, connection, job, results.get(sha256))
                    work.finish(connection, self.name, [job.subject])
            except StoreError:
                raise
            except Exception as error:
                failed.append((job, error))
                continue
            done.append(job.subject)
        for job, reason in failed:
            note_failure(workshop, job, reason)
        return len(done)

    def waiting(self) -> list[Future[_Result]]:
        """What is being looked at now."""
        return [looking.future for looking in self._looking.values()]

    def close(self) -> None:
        """Give up what waits; the workshop's laboratory is closed by whoever made it."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _lend(self, workshop: Workshop, examiner: Examiner, job: work.Job, sha256: str) -> None:
        looking = self._looking.get(sha256)
        if looking is None:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix=self.name)
            future = self._thread.submit(self._look, workshop, examiner, sha256)
            looking = self._looking[sha256] = _Looking(future)
            future.add_done_callback(lambda _: workshop.wake())
        looking.jobs[job.subject] = job
        with workshop.store.begin() as connection:
            work.delay(connection, self.name, [job.subject], workshop.now() + _LENT)

    def _collect(
        self, results: dict[str, _Result], failed: list[tuple[work.Job, Exception]]
    ) -> list[work.Job]:
        """The jobs whose payloads were looked at meanwhile; the results, and what went wrong, into the arguments."""
        jobs: list[work.Job] = []
        for sha256, looking in [item for item in self._looking.items() if item[1].future.done()]:
            del self._looking[sha256]
            error = None if looking.future.cancelled() else looking.future.exception()
            if isinstance(error, Exception):
                failed += [(job, error) for job in looking.jobs.values()]
            elif error is None and not looking.future.cancelled():
                results[sha256] = looking.future.result()
                jobs += looking.jobs.values()
        return jobs

    def _look(self, workshop: Workshop, examiner: Examiner, sha256: str) -> _Result:
        try:
            size = workshop.quarantine.stat(sha256).size
            data = workshop.quarantine.read(sha256, 0, LARGEST)
            md5, sha1 = hashlib.md5(usedforsecurity=False), hashlib.sha1(usedforsecurity=False)
            offset, chunk = len(data), data
            while chunk:
                md5.update(chunk)
                sha1.update(chunk)
                chunk = workshop.quarantine.read(sha256, offset, _CHUNK) if offset < size else b""
                offset += len(chunk)
        except ArtifactMissingError:
            # Retention, or a restore without the quarantine: the artifact is known by its hash only.
            return _Result(None)
        looked = examiner.examine(data, size, sha256)
        found = looked.analysis
        if found is None:
            # Our own look at the first bytes needs no laboratory: what made that fail is part of the outcome.
            found = analyse(data[:HEAD_BYTES], size, sha256).model_copy(
                update={"problem": looked.problem, "version": examiner.version}
            )
        found = with_endpoints(found, data)
        if workshop.upx is not None and is_packed(found):
            found = unpack(workshop.upx, examiner, data, found)
        return _Result(self._antivirus(workshop, found, data), size, md5.hexdigest(), sha1.hexdigest())

    def _antivirus(self, workshop: Workshop, found: Analysis, data: bytes) -> Analysis:
        address = workshop.settings.analysis.clamd
        if not address or not data:
            return found
        scanned = Clamd(address).scan(data)
        if scanned.result == "error":
            if not self._complained:
                self._complained = True
                log.warning("clamd.failed", why=scanned.detail, do="payloads are analysed without it")
            problem = ", ".join(part for part in (found.problem, "not scanned by clamd") if part)
            return found.model_copy(update={"problem": problem})
        self._complained = False
        return found.model_copy(update={"antivirus": scanned.detail})


def again(connection: Connection, workshop: Workshop) -> int:
    """Make every artifact due for analysis; how many."""
    found = list(connection.execute(select(artifacts.c.sha256)).scalars())
    work.put(connection, "analyse", [AGAIN + sha256 for sha256 in found], workshop.now())
    return len(found)


def _settle(workshop: Workshop, version: str) -> None:
    """At the start, and when rules change: what was analysed by another version is analysed again; what is packed,
    when UPX was installed meanwhile."""
    with workshop.store.begin() as connection:
        stored = connection.execute(select(facts.c.value).where(facts.c.name == "analysis")).scalar() or ""
        if stored == version or stored == version + _UPX:
            return
        if stored + _UPX == version:
            _again_packed(connection, workshop)
        else:
            again(connection, workshop)
        upsert(connection, facts, [{"name": "analysis", "value": version}], replace=["value"])


def _again_packed(connection: Connection, workshop: Workshop) -> None:
    rows = connection.execute(
        select(artifacts.c.sha256, artifacts.c.analysis).where(artifacts.c.kind.in_(("elf", "pe")))
    )
    packed = [row.sha256 for row in rows if row.analysis and is_packed(Analysis.model_validate(row.analysis))]
    work.put(connection, "analyse", [AGAIN + sha256 for sha256 in packed], workshop.now())


def _needs(workshop: Workshop, sha256: str, version: str) -> bool:
    with workshop.store.connect() as connection:
        row = connection.execute(
            select(artifacts.c.kind, artifacts.c.analysis).where(artifacts.c.sha256 == sha256)
        ).first()
    if row is None:
        return False
    if not row.kind or not row.analysis or row.analysis.get("version") != version:
        return True
    found = Analysis.model_validate(row.analysis)
    return workshop.upx is not None and is_packed(found) and not found.unpacked


def _finish(workshop: Workshop, connection: Connection, job: work.Job, result: _Result | None) -> None:
    session, seq, sha256 = job.subject.split("/")
    row = connection.execute(select(artifacts).where(artifacts.c.sha256 == sha256)).mappings().first()
    if row is None:
        return
    found = Analysis.model_validate(row["analysis"]) if row["kind"] else None
    if result is not None:
        found = result.analysis
        _save(connection, sha256, result)
    now = workshop.now()
    body = connection.execute(
        select(events.c.body).where(events.c.session == session, events.c.seq == int(seq))
    ).scalar()
    event = decode_event(body) if body else None
    if event is not None and found is not None and (found.kind in _WITH_URLS or found.found):
        work.put(connection, "recover", [job.subject], now)
    if isinstance(event, Captured):
        work.put(connection, "judge", [url_key(event.capture.url)], now)
        work.put(connection, "campaign", [f"url/{url_key(event.capture.url)}"], now)
    elif result is not None:
        # An upload may be what a URL served before; what is analysed again certainly may.
        served = connection.execute(
            select(captures.c.url_key).where(captures.c.sha256 == sha256).distinct()
        ).scalars()
        work.put(connection, "judge", list(served), now)
    if found is not None and result is not None:
        work.put(connection, "campaign", [f"payload/{sha256}"], now)


def _save(connection: Connection, sha256: str, result: _Result) -> None:
    found = result.analysis
    if found is None:
        connection.execute(
            update(artifacts)
            .where(artifacts.c.sha256 == sha256, artifacts.c.kind == "")
            .values(description="not kept")
        )
        return
    connection.execute(
        update(artifacts)
        .where(artifacts.c.sha256 == sha256)
        .values(
            size=result.size, md5=result.md5, sha1=result.sha1, mime=found.mime[:190],
            description=found.description.replace("\0", ""), kind=found.kind, architecture=found.architecture[:40],
            analysis=found.model_dump(mode="json", exclude_defaults=True) | {"sha256": sha256, "kind": found.kind},
        )
    )  # fmt: skip

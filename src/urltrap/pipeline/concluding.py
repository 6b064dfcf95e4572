"""Conclude: what a session's commands amount to, once it has ended: techniques, checks, its template, planted keys."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from typing import Any

import zstandard
from sqlalchemy import Connection, select

from urltrap.judge.belief import Step, observe
from urltrap.judge.techniques import of_logins, of_program, of_written
from urltrap.judge.template import template_of
from urltrap.model.event import TerminalFrames, decode_event
from urltrap.pipeline.stage import each
from urltrap.pipeline.workshop import Workshop
from urltrap.store import work
from urltrap.store.schema import commands, files, logins, program_runs, recordings, sessions, sightings
from urltrap.store.schema_analysis import beliefs, command_tags, session_marks
from urltrap.store.types import to_micros
from urltrap.store.upsert import insert_new, upsert

_BATCH = 50
_COMMANDS = 2000
_RECORDINGS = 100
_ANSWER = 200
_KEYS = 20
_LARGEST_FRAMES = 4_000_000
_KEY = re.compile(
    rb"(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-nistp(?:256|384|521))\s+(AAAA[0-9A-Za-z+/]{40,4000}={0,2})"
)


class ConcludeStage:
    """Jobs: the id of a session that has ended."""

    name = "conclude"

    def run(self, workshop: Workshop) -> int:
        """Conclude a batch."""
        return each(
            workshop, self.name, lambda connection, job: _conclude(workshop, connection, job.subject), _BATCH
        )


def _conclude(workshop: Workshop, connection: Connection, session: str) -> None:
    row = connection.execute(select(sessions).where(sessions.c.id == session)).mappings().first()
    if row is None:
        return
    texts = connection.execute(
        select(commands.c.seq, commands.c.at, commands.c.text)
        .where(commands.c.session == session)
        .order_by(commands.c.seq)
        .limit(_COMMANDS)
    ).all()
    tags = _techniques(connection, session)
    tags |= {(0, "technique", tag) for tag in of_logins(row["login_tries"], int(row["accepted"]))}
    steps = _steps(connection, row, texts)
    duration = row["duration_ms"] if row["duration_ms"] is not None else 0
    asked = observe(steps, duration, row["close_reason"] in ("client", "reset"))
    tags |= {(item.seq, "check", item.check) for item in asked}
    at = {text.seq: text.at for text in texts}
    insert_new(
        connection,
        command_tags,
        [{"session": session, "seq": seq, "kind": kind, "tag": tag} for seq, kind, tag in sorted(tags)],
    )
    if not _is_operator(workshop, row["src_ip"]):
        upsert(
            connection,
            beliefs,
            [
                {"session": session, "seq": item.seq, "name": item.check, "at": at[item.seq], "answer": item.answer,
                 "answer_sha256": hashlib.sha256(item.answer).hexdigest(), "afterwards": item.afterwards,
                 "after_ms": item.after_ms, "commands_left": item.commands_left}
                for item in asked
            ],
            replace=["answer", "answer_sha256", "afterwards", "after_ms", "commands_left"],
        )  # fmt: skip
    _mark(connection, session, [text.text for text in texts])
    named = list(
        connection.execute(
            select(sightings.c.url_key).where(sightings.c.session == session).distinct()
        ).scalars()
    )
    work.put(connection, "campaign", [f"url/{key}" for key in named], workshop.now())
    work.put(connection, "judge", named, workshop.now())


def _is_operator(workshop: Workshop, address: str) -> bool:
    return workshop.is_operator(address)


def _techniques(connection: Connection, session: str) -> set[tuple[int, str, str]]:
    found: set[tuple[int, str, str]] = set()
    runs = connection.execute(
        select(program_runs.c.seq, program_runs.c.argv)
        .where(program_runs.c.session == session)
        .limit(_COMMANDS * 4)
    )
    for run in runs:
        found |= {(run.seq, "technique", tag) for tag in of_program(run.argv.split(b"\0"))}
    written = connection.execute(
        select(files.c.seq, files.c.path).where(files.c.session == session).limit(_COMMANDS)
    )
    for file in written:
        found |= {(file.seq, "technique", tag) for tag in of_written(file.path)}
    return found


def _mark(connection: Connection, session: str, texts: Sequence[bytes]) -> None:
    marks = {("key", key) for text in texts for key in planted_keys(text)}
    template = template_of(texts)
    if template:
        marks.add(("template", template))
    offered = connection.execute(
        select(logins.c.key_fingerprint)
        .where(logins.c.session == session, logins.c.key_fingerprint != "")
        .distinct()
        .limit(_KEYS)
    ).scalars()
    marks |= {("key", fingerprint[:128]) for fingerprint in offered}
    insert_new(
        connection,
        session_marks,
        [{"session": session, "kind": kind, "value": value} for kind, value in sorted(marks)],
    )


def planted_keys(text: bytes) -> list[str]:
    """Fingerprints ("SHA256:…", as OpenSSH shows them) of the public keys that stand in a command."""
    found: dict[str, None] = {}
    for match in _KEY.finditer(text):
        body = match[1].rstrip(b"=")
        try:
            blob = base64.b64decode(body + b"=" * (-len(body) % 4), validate=True)
        except binascii.Error:
            continue  # cut, or no key at all: it plants nothing that could be used
        digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
        found[f"SHA256:{digest}"] = None
        if len(found) == _KEYS:
            break
    return list(found)


def _steps(connection: Connection, session: Any, texts: Sequence[Any]) -> list[Step]:
    started = to_micros(session["started"])
    times = [max(0, (to_micros(text.at) - started) // 1000) for text in texts]
    frames = _frames(connection, session["id"]) if texts else []
    steps = []
    for index, text in enumerate(texts):
        until = times[index + 1] if index + 1 < len(texts) else None
        steps.append(Step(text.seq, times[index], text.text, _answer(frames, times[index], until)))
    return steps


def _answer(frames: Sequence[tuple[int, bytes]], since: int, until: int | None) -> bytes:
    answer = b""
    for at, data in frames:
        if at >= since and (until is None or at < until):
            answer += data
            if len(answer) >= _ANSWER:
                break
    return answer[:_ANSWER]


def _frames(connection: Connection, session: str) -> list[tuple[int, bytes]]:
    """The machine's output with its moments; a session's recording is looked at from its beginning, within bounds."""
    packed = connection.execute(
        select(recordings.c.frames)
        .where(recordings.c.session == session)
        .order_by(recordings.c.seq)
        .limit(_RECORDINGS)
    ).scalars()
    decoder = zstandard.ZstdDecompressor()
    found: list[tuple[int, bytes]] = []
    for item in packed:
        event = decode_event(decoder.decompress(item, max_output_size=_LARGEST_FRAMES))
        if isinstance(event, TerminalFrames):
            found += [(at, data) for at, direction, data in event.frames if direction == "o"]
    return found

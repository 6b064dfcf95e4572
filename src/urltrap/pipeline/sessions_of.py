"""What judging needs of attackers' sessions: read once for a batch of URLs, asked for each of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from urltrap.model.event import DownloadAsked, decode_event
from urltrap.model.url import UrlError, canonical
from urltrap.pipeline.running import is_piped, runs, text_runs
from urltrap.store.among import MANY, among
from urltrap.store.intake import in_parts
from urltrap.store.schema import commands, events, program_runs, sessions
from urltrap.store.schema_analysis import command_tags

_COMMANDS = 100
_RUNS = 400
_DOWNLOADS = 100


@dataclass
class SessionFacts:
    """One session: protocol, address and name of the machine that it reached, commands, argument vectors, and where
    downloads went."""

    protocol: str = ""
    dst_ip: str = ""
    persona: str = ""
    texts: list[bytes] = field(default_factory=list)
    argvs: list[list[bytes]] = field(default_factory=list)
    outputs: dict[str, set[bytes]] = field(default_factory=dict)
    techniques: set[str] = field(default_factory=set)

    def ran(self, url: str, raws: Collection[bytes]) -> bool:
        """Whether what came from `url` (canonical; `raws` as written) was run or made executable here."""
        if is_piped(self.texts, raws):
            return True
        names = {url.partition("?")[0].rpartition("/")[2].encode(), *self.outputs.get(url, ())}
        names = {name for name in names if 0 < len(name) <= 255}
        if not names:
            return False
        return any(runs(argv, names) for argv in self.argvs) or any(
            text_runs(text, names) for text in self.texts
        )


def load_sessions(
    connection: Connection, ids: Sequence[str], urls: Collection[str] = ()
) -> dict[str, SessionFacts]:
    """The facts of these sessions. Of each the first commands, runs and downloads are read: a bounded number.

    `urls`: canonical URLs that will be asked about.
    """
    found: dict[str, SessionFacts] = {}
    for part in in_parts(ids, MANY):
        rows = connection.execute(
            select(sessions.c.id, sessions.c.protocol, sessions.c.dst_ip, sessions.c.persona).where(
                among(connection, sessions.c.id, part)
            )
        ).all()
        found.update((row.id, SessionFacts(row.protocol, row.dst_ip, row.persona)) for row in rows)
        for session, text in _first(connection, commands, "text", part, _COMMANDS):
            found.setdefault(session, SessionFacts()).texts.append(text)
        for session, argv in _first(connection, program_runs, "argv", part, _RUNS):
            found.setdefault(session, SessionFacts()).argvs.append(argv.split(b"\0"))
        for session, body in _first(
            connection, events, "body", part, _DOWNLOADS, events.c.kind == "download.asked"
        ):
            _note(found.setdefault(session, SessionFacts()), body, urls)
        tags = connection.execute(
            select(command_tags.c.session, command_tags.c.tag)
            .where(among(connection, command_tags.c.session, part), command_tags.c.kind == "technique")
            .distinct()
        ).all()
        for row in tags:
            found.setdefault(row.session, SessionFacts()).techniques.add(row.tag)
    return found


def _first(
    connection: Connection, table: object, name: str, ids: Sequence[str], most: int, *conditions: object
) -> list[tuple[str, bytes]]:
    columns = table.c  # type: ignore[attr-defined]
    place = func.row_number().over(partition_by=columns.session, order_by=columns.seq)
    numbered = (
        select(columns.session, columns[name].label("value"), place.label("place"))
        .where(among(connection, columns.session, ids), *conditions)  # type: ignore[arg-type]
        .subquery()
    )
    rows = connection.execute(select(numbered.c.session, numbered.c.value).where(numbered.c.place <= most))
    return [(session, value) for session, value in rows.all()]


def _note(facts: SessionFacts, body: bytes, urls: Collection[str]) -> None:
    event = decode_event(body)
    if isinstance(event, DownloadAsked) and event.output not in (b"", b"-"):
        url = event.url.decode("utf-8", "replace")
        if url not in urls:  # otherwise it is canonical as it stands
            try:
                url = canonical(event.url)
            except UrlError:
                return  # no URL: nothing that is judged lies there
        facts.outputs.setdefault(url, set()).add(event.output.rpartition(b"/")[2])

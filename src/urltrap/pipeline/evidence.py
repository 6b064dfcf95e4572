"""Evidence about a URL, gathered from the store."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from urltrap.judge import Evidence, Payload
from urltrap.model.event import DownloadAsked, decode_event
from urltrap.model.url import UrlError, canonical
from urltrap.model.verdict import Observation
from urltrap.pipeline.workshop import Workshop
from urltrap.recover.flags import host_address
from urltrap.store.rows import url_key
from urltrap.store.schema import (
    artifacts,
    captures,
    commands,
    events,
    files,
    observations,
    program_runs,
    sessions,
    sightings,
    urls,
)

_SIGHTINGS = 200
_SESSIONS = 20
_ROWS = 500
_CAPTURES = 20
_SHELL = rb"(?:[\w./]*/)?(?:busybox\s+)?(?:ba|da|a|z|k)?sh\b"
_PIPED = re.compile(
    rb"\|\s*(?:sudo\s+)?" + _SHELL + rb"|\|\s*(?:python\d?|perl|php)\b|" + _SHELL + rb"\s+<\(|"
    + _SHELL + rb"\s+-c\s+[\"']?(?:\$\(|`)|\beval\s+[\"']?(?:\$\(|`)|(?:\bsource|(?:^|[;&|\s])\.)\s+<\("
)  # fmt: skip
_RUNNERS = {
    b"sh", b"bash", b"ash", b"dash", b"zsh", b"busybox", b"nohup", b"perl", b"python", b"python2", b"python3", b"php",
    b"setsid", b"exec", b"source", b".", b"sudo",
}  # fmt: skip
# Shapes first, names afterwards: a pattern per name would be compiled for every URL.
_CHMOD = re.compile(
    rb"\bchmod\s+(?:-\w{1,8}\s+)?(?:[ugoa]{0,4}\+[rwX]{0,3}x|0?[0-7]{0,3}[1357])[rwx]{0,3}\s+([^;&|\n]{1,400})"
)
_STARTED = re.compile(
    rb"(?:(?:^|[;&|(\n])[ \t]{0,8}|\b(?:then|do|else|sudo|nohup|exec|setsid)\s{1,8})(\.{0,2}/[^\s;&|<>'\"]{1,255})"
    rb"|(?:^|[\s;&|(/])(?:(?:ba|da|a)?sh|nohup|exec|perl|python\d?|php)\s{1,8}(?:-\w{1,8}\s{1,8})?"
    rb"([^\s;&|<>'\"-][^\s;&|<>'\"]{0,255})"
)
_EXECUTABLE_MODE = re.compile(rb"[ugoa]*\+[rwX]*x[rwx]*|0?[0-7]*[1357][0-7]*")


def gather(workshop: Workshop, connection: Connection, key: str) -> tuple[Evidence, dict[str, Any]] | None:
    """The evidence about the URL of this key, and its row as it should be; None where there is no such URL."""
    row = connection.execute(select(urls).where(urls.c.key == key)).mappings().first()
    if row is None:
        return None
    seen = connection.execute(
        select(sightings).where(sightings.c.url_key == key).order_by(sightings.c.at.desc()).limit(_SIGHTINGS)
    ).mappings().all()  # fmt: skip
    first = connection.execute(
        select(sightings.c.session)
        .where(sightings.c.url_key == key)
        .order_by(sightings.c.at, sightings.c.session, sightings.c.seq)
        .limit(1)
    ).scalar()
    attempts = connection.execute(
        select(captures.c.outcome, captures.c.status, captures.c.sha256, captures.c.at)
        .where(captures.c.url_key == key)
        .order_by(captures.c.at.desc(), captures.c.session, captures.c.seq)
        .limit(_CAPTURES)
    ).all()
    payloads = _payloads(connection, attempts)
    evidence = Evidence(
        url=row["url"], host=row["host"], port=row["port"], scheme=row["scheme"],
        raw_address=host_address(row["host"]) is not None,
        first_seen=row["first_seen"],
        # The first session's id has 80 bits of chance, is in the journal, and is published nowhere.
        secret=first or "",
        sources=row["sources"], sightings=row["sightings"],
        asked=any(item["method"] == "asked" for item in seen),
        commanded=row["depth"] == 0 and any(item["client"] for item in seen),
        run=_was_run(connection, row["url"], seen, payloads),
        from_malicious=_from_malicious(connection, seen, key),
        held=row["held"],
        carries_own_address=_carries_own(workshop, connection, row, seen),
        certainty=max((item["confidence"] for item in seen), default=0),
        payloads=payloads,
        outcomes=tuple(dict.fromkeys(item.outcome for item in attempts)),
        observations=_observations(connection, row["url"], row["host"]),
        labels=workshop.known_hosts.labels(row["host"]),
    )  # fmt: skip
    newest = attempts[0] if attempts else None
    kept = next((item for item in payloads), None)
    summary = {
        "outcome": newest.outcome if newest else "",
        "status": newest.status if newest else None,
        "captured_at": newest.at if newest else None,
        "sha256": kept.sha256 if kept else None,
        "kind": kept.kind if kept else "",
    }
    return evidence, summary


def _payloads(connection: Connection, attempts: Sequence[Any]) -> tuple[Payload, ...]:
    statuses: dict[str, int | None] = {}
    for item in attempts:
        if item.sha256:
            statuses.setdefault(item.sha256, item.status)
    rows = {
        row["sha256"]: row
        for row in connection.execute(select(artifacts).where(artifacts.c.sha256.in_(statuses))).mappings()
    }
    return tuple(
        Payload(
            sha256=sha256, kind=rows[sha256]["kind"], architecture=rows[sha256]["architecture"],
            interpreter=(rows[sha256]["analysis"] or {}).get("interpreter", ""), size=rows[sha256]["size"] or 0,
            complete=rows[sha256]["complete"], status=status,
        )
        for sha256, status in statuses.items()
        if sha256 in rows and rows[sha256]["kind"]
    )  # fmt: skip


def _observations(connection: Connection, url: str, host: str) -> tuple[Observation, ...]:
    rows = connection.execute(
        select(observations).where(observations.c.subject_sha256.in_([url_key(url), url_key(host)]))
    ).mappings()
    return tuple(
        Observation(
            provider=row["provider"], subject_kind=row["subject_kind"], subject=row["subject"], at=row["at"],
            result=row["result"], detail=row["detail"], tags=row["tags"], reference=row["reference"],
        )
        for row in rows
    )  # fmt: skip


def _from_malicious(connection: Connection, seen: Sequence[Any], key: str) -> bool:
    parents = {item["parent_sha256"] for item in seen if item["parent_sha256"]}
    if not parents:
        return False
    found = connection.execute(
        select(urls.c.key)
        .join(captures, captures.c.url_key == urls.c.key)
        .where(captures.c.sha256.in_(parents), urls.c.verdict.like("malicious-%"), urls.c.key != key)
        .limit(1)
    ).first()
    return found is not None


def _was_run(connection: Connection, url: str, seen: Sequence[Any], payloads: Sequence[Payload]) -> bool:
    """Whether what came was run or made executable in a session that named the URL."""
    if payloads:
        written = connection.execute(
            select(files.c.mode).where(files.c.sha256.in_([item.sha256 for item in payloads])).limit(_ROWS)
        ).scalars()
        if any(mode is not None and mode & 0o111 for mode in written):
            return True
    direct = list(dict.fromkeys(item["session"] for item in seen if item["parent_sha256"] is None))[
        :_SESSIONS
    ]
    if not direct:
        return False
    raws = {bytes(item["raw"]) for item in seen if item["session"] in direct}
    texts = list(
        connection.execute(
            select(commands.c.text).where(commands.c.session.in_(direct)).order_by(commands.c.at).limit(_ROWS)
        ).scalars()
    )
    if any(_PIPED.search(text) and any(raw in text for raw in raws) for text in texts):
        return True
    names = _local_names(connection, url, direct)
    if not names:
        return False
    runs = connection.execute(
        select(program_runs.c.argv).where(program_runs.c.session.in_(direct)).limit(_ROWS * 4)
    ).scalars()
    return any(_runs(argv.split(b"\0"), names) for argv in runs) or any(
        _text_runs(text, names) for text in texts
    )


def _local_names(connection: Connection, url: str, direct: Sequence[str]) -> set[bytes]:
    """The names under which the download may lie on the attacker's machine."""
    names = {url.partition("?")[0].rpartition("/")[2].encode()}
    bodies = connection.execute(
        select(events.c.body)
        .where(events.c.session.in_(direct), events.c.kind == "download.asked")
        .limit(_ROWS)
    ).scalars()
    for body in bodies:
        event = decode_event(body)
        if isinstance(event, DownloadAsked) and event.output not in (b"", b"-"):
            try:
                if canonical(event.url) == url:
                    names.add(event.output.rpartition(b"/")[2])
            except UrlError:
                continue
    return {name for name in names if 0 < len(name) <= 255}


def _runs(argv: Sequence[bytes], names: set[bytes]) -> bool:
    first, rest = _base(argv[0]), [_base(argument) for argument in argv[1:]]
    if first in names:
        return True
    if not names.intersection(rest):
        return False
    return first in _RUNNERS or (first == b"chmod" and any(_EXECUTABLE_MODE.fullmatch(item) for item in rest))


def _base(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def _text_runs(text: bytes, names: set[bytes]) -> bool:
    if not any(name in text for name in names):
        return False
    for match in _CHMOD.finditer(text):
        if names.intersection(_base(argument.strip(b"'\"")) for argument in match[1].split()):
            return True
    return any(_base(match[1] or match[2]) in names for match in _STARTED.finditer(text))


def _carries_own(workshop: Workshop, connection: Connection, row: Any, seen: Sequence[Any]) -> bool:
    """Whether an address of a sensor stands anywhere in the URL, as such or in one of its usual disguises."""
    ids = list(dict.fromkeys(item["session"] for item in seen))[:_SESSIONS]
    own = set(workshop.own_addresses)
    own.update(
        connection.execute(select(sessions.c.dst_ip).where(sessions.c.id.in_(ids)).distinct()).scalars()
    )
    context = workshop.context()
    text = row["url"].lower()
    for address in own:
        parsed = host_address(address)
        if (
            parsed is None
            or parsed.is_loopback
            or parsed.is_unspecified
            or context.is_public_by_setting(parsed)
        ):
            continue
        if any(_stands(disguise, text) for disguise in _disguises(parsed)):
            return True
    return False


def _disguises(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[str]:
    plain = str(address)
    forms = [plain, address.exploded, address.packed.hex()]
    if address.version == 4:
        octets = plain.split(".")
        forms += [
            separator.join(parts)
            for parts in (octets, octets[::-1])
            for separator in (".", "-", "_", "%2e", "%252e")
        ]
        forms += [str(int(address)), base64.b64encode(plain.encode()).decode().rstrip("=").lower()]
    else:
        forms.append(plain.replace(":", "%3a"))
    return forms


def _stands(form: str, text: str) -> bool:
    return form in text and re.search(rf"(?<![0-9a-f]){re.escape(form)}(?![0-9a-f])", text) is not None

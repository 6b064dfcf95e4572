"""`urltrap check`: everything that is known of a URL, host, address or payload, from what is here; nobody is asked."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from urltrap.intel.dumps import dumps
from urltrap.model.settings import Settings
from urltrap.model.submission import Submission
from urltrap.model.url import Url, UrlError, defang, parse_url
from urltrap.model.verdict import Observation, SubjectKind
from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    CommandError,
    DataOption,
    JsonOption,
    app,
    console,
    open_folder,
    print_json,
    print_table,
    visible,
)
from urltrap.ops.cli.handed import print_submissions
from urltrap.ops.cli.store import opened_store
from urltrap.pipeline.freshening import dump_folder, open_lists
from urltrap.store import Store, submissions
from urltrap.store.queries import intel
from urltrap.store.queries import urls as url_queries
from urltrap.store.rows import url_key


@app.command()
def check(
    subject: Annotated[str, typer.Argument(metavar="URL|HOST|IP|SHA256", help="what to look up")],
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Explain a verdict: reasons, what providers and dumps say, labels of lists, what still waits and until when."""
    kind, name = classify(subject)
    folder, _ = open_folder(data)
    with opened_store(data) as (store, settings):
        found = gather(store, settings, folder.root, kind, name)
    if as_json:
        print_json(found)
        return
    _show(kind, name, found)


def classify(subject: str) -> tuple[SubjectKind, str]:
    """What a text names, and its canonical form. CommandError where it is nothing of the four."""
    value = subject.strip()
    if re.fullmatch(r"[0-9a-fA-F]{64}", value):
        return "sha256", value.lower()
    if re.fullmatch(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}", value):
        raise CommandError("this is an MD5 or SHA-1; payloads are named by their SHA-256: urltrap artifacts")
    try:
        return "ip", str(ipaddress.ip_address(value.strip("[]")))
    except ValueError:
        pass
    value = value.replace("hxxp", "http", 1).replace("[.]", ".")
    try:
        parsed = parse_url(value)
    except UrlError as error:
        raise CommandError(f"neither a URL nor a host, address or SHA-256: {error}") from None
    if "/" not in value and parsed.path == "/" and ":" not in value:
        return "host", parsed.host
    return "url", parsed.text


def gather(store: Store, settings: Settings, root: Path, kind: SubjectKind, name: str) -> dict[str, Any]:
    """Everything about one subject, as JSON has it."""
    now = datetime.now(UTC)
    lists = open_lists(settings.intel, root)
    subjects: list[tuple[SubjectKind, str]] = [(kind, name)]
    answer: dict[str, Any] = {"kind": kind, "subject": name, "verdict": None, "lead": [], "liveness": None}
    url = parse_url(name) if kind == "url" else None
    if url is not None:
        subjects.append(("ip" if _is_address(url.host) else "host", url.host))
        _about_url(store, name, answer, subjects)
    labels = lists.index.of_hash(name) if kind == "sha256" else lists.index.of_host(url.host if url else name)
    answer["labels"] = [
        {"kind": label.kind, "list": label.list, "version": label.version, "expires": _iso(label.expires)}
        for label in labels
    ]
    observations: list[Observation] = []
    for each_kind, each_name in subjects:
        observations += intel.said(store, each_kind, each_name)
    answer["observations"] = [item.model_dump(mode="json") for item in observations]
    answer["dumps"] = [
        item.model_dump(mode="json") for item in _in_dumps(settings, root, kind, name, url, now)
    ]
    answer["waiting"] = [
        {"kind": each_kind, "subject": each_name, "provider": item.provider, "before_it": item.before_it,
         "not_before": _foreseeable(item.not_before), "error": item.error}
        for each_kind, each_name in subjects
        for item in intel.waiting(store, each_kind, each_name, now)
    ]  # fmt: skip
    answer["submissions"] = [
        item.model_dump(mode="json")
        for each_kind, each_name in subjects
        if each_kind in ("url", "sha256")
        for item in submissions.of_subject(store, each_kind, each_name)
    ]
    if kind == "ip":
        about = intel.about_address(store, name)
        row = about["name"]
        answer["reverse_name"] = (
            {"name": row["name"], "confirmed": row["confirmed"], "domain": row["domain"]} if row else None
        )
    return answer


def _about_url(
    store: Store, name: str, answer: dict[str, Any], subjects: list[tuple[SubjectKind, str]]
) -> None:
    detail = url_queries.detail(store, name)
    if detail is None:
        return
    answer["verdict"] = {
        "verdict": detail.row.verdict,
        "confidence": detail.row.confidence,
        "first_seen": _iso(detail.row.first_seen),
        "reasons": [reason.model_dump() for reason in (detail.verdict.reasons if detail.verdict else ())],
    }
    answer["lead"] = [
        {
            "provider": provider,
            "listed": _iso(listed),
            "basis": basis,
            "hours_earlier": round(seconds / 3600, 1),
        }
        for provider, listed, basis, seconds in intel.lead(store, url_key(name))
    ]
    alive = intel.alive(store, url_key(name))
    if alive is not None:
        answer["liveness"] = {
            key: _iso(value) if isinstance(value, datetime) else value for key, value in alive.items()
        }
    for digest in dict.fromkeys(item.sha256 for item in detail.captures if item.sha256):
        subjects.append(("sha256", digest))


def _in_dumps(
    settings: Settings, root: Path, kind: SubjectKind, name: str, url: Url | None, now: datetime
) -> list[Observation]:
    """Listings of the dumps as they are now, also for what no attacker has shown here yet."""
    found: list[Observation] = []
    # What is indexed already is looked at; indexing is the pipeline's, which runs as another user.
    for dump in dumps(settings.intel, dump_folder(root)):
        if not dump.version:
            continue
        if kind == "sha256":
            answers = dump.look_up_hashes([name], now)
        else:
            host = f"[{name}]" if ":" in name and url is None else name
            (answers,) = dump.look_up([url or parse_url(f"http://{host}/")], now)
        found += [item for item in answers if item.result == "listed"]
        dump.close()
    return found


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _foreseeable(moment: datetime | None) -> str | None:
    """None where nothing but a change lets the question through: a refused key, a quota of 0."""
    return _iso(moment) if moment and moment.year < 9999 else None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _show(kind: SubjectKind, name: str, found: dict[str, Any]) -> None:
    shown = defang(name) if kind == "url" else name
    console.print(visible(shown), style="bold", markup=False, highlight=False, soft_wrap=True)
    verdict = found["verdict"]
    if verdict:
        console.print(f"{verdict['verdict']}, confidence {verdict['confidence']}", highlight=False)
        for reason in verdict["reasons"]:
            console.print(
                f"  {reason['weight']:+d}  {visible(reason['text'])}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
    elif kind == "url":
        console.print("no attacker has shown this URL here", highlight=False)
    for lead in found["lead"]:
        hours = lead["hours_earlier"]
        words = f"{hours} hours before" if hours >= 0 else f"{-hours} hours after"
        console.print(f"  first seen here {words} {lead['provider']}", highlight=False, markup=False)
    life = found["liveness"]
    if life:
        console.print(
            f"  {life['state']}; last online {life['last_online'] or 'never'}; gone {life['gone'] or 'no'}; "
            f"next check {life['next'] or 'none'}",
            highlight=False, markup=False,
        )  # fmt: skip
    if found["labels"]:
        print_table(
            "labels of lists", ("what", "list", "version", "expires"),
            ((item["kind"], item["list"], item["version"], (item["expires"] or "")[:10]) for item in found["labels"]),
        )  # fmt: skip
    rows = [*found["observations"], *found["dumps"]]
    print_table(
        "what others say",
        ("provider", "of", "result", "detail*", "tags*"),
        (
            (row["provider"], row["subject_kind"], row["result"], row["detail"], ", ".join(row["tags"]))
            for row in rows
        ),
    )
    if found["submissions"]:
        print_submissions([Submission.model_validate(row) for row in found["submissions"]])
    if found["waiting"]:
        print_table(
            "questions that wait",
            ("provider", "about", "before it", "not before (UTC)", "why*"),
            (
                (
                    row["provider"],
                    row["kind"],
                    row["before_it"],
                    (row["not_before"] or "unknown")[:16],
                    row["error"],
                )
                for row in found["waiting"]
            ),
        )

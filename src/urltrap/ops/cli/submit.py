"""`urltrap submit`: hand a URL, or a payload, to services that look at it. It tells third parties, so it asks first."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from urltrap.intel.reputation import registry
from urltrap.intel.reputation.submitting import Submitter
from urltrap.model.settings import Settings
from urltrap.model.submission import Submission
from urltrap.model.url import defang
from urltrap.model.verdict import SubjectKind
from urltrap.ops.cli.check import classify
from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    CommandError,
    DataOption,
    JsonOption,
    app,
    console,
    console_err,
    open_folder,
    print_json,
    program,
    visible,
)
from urltrap.ops.cli.store import opened_store
from urltrap.ops.data_folder import running
from urltrap.pipeline import submission_gate as gate
from urltrap.pipeline.process import make_workshop
from urltrap.pipeline.submitting import wanted_by_operator
from urltrap.pipeline.workshop import Workshop
from urltrap.store import submissions

_NAMES = ", ".join(service.to for service in registry.submitters())


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What is to become of one submission: `why` it is refused (empty: it is not)."""

    service: Submitter
    wanted: Submission
    why: str = ""
    until: datetime | None = None


@app.command()
def submit(
    subject: Annotated[str, typer.Argument(metavar="URL|SHA256", help="what to hand over")],
    to: Annotated[
        list[str] | None,
        typer.Option(help=f"{_NAMES}; several times for several; without it intel.submit.providers"),
    ] = None,
    upload: Annotated[bool, typer.Option("--upload", help="hand over the bytes of a payload")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask for confirmation")] = False,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Hand a URL, or with --upload a payload, to services that look at it. They learn what was seen here, for good."""
    kind, name = _subject(subject, upload)
    folder, settings = open_folder(data)
    services = [_service(settings, each) for each in dict.fromkeys(to or settings.intel.submit.providers)]
    if not services:
        raise CommandError(f"say to whom: --to NAME (known: {_NAMES}), or set intel.submit.providers")
    with opened_store(data) as (store, _):
        workshop = make_workshop(settings, folder.root, store)
        try:
            if shut := gate.closed(workshop):
                raise CommandError(shut)
            outcomes = [_look(workshop, service, kind, name) for service in services]
            going = [item for item in outcomes if not item.why]
            if going and not yes and _at_terminal():
                _confirm(kind, name, going)
            outcomes = [_queue(workshop, item) for item in outcomes]
        finally:
            workshop.laboratory.close()
    if as_json:
        print_json([_plain(item) for item in outcomes])
    else:
        _tell(outcomes, name, runs=running(folder) is not None, data=data)
    if all(item.why for item in outcomes):
        raise typer.Exit(1)


def _subject(subject: str, upload: bool) -> tuple[SubjectKind, str]:
    kind, name = classify(subject)
    if kind not in ("url", "sha256"):
        raise CommandError(
            "a host or an address is not submitted; name a whole URL, as `urltrap urls` shows it"
        )
    if kind == "sha256" and not upload:
        raise CommandError("a payload's bytes leave this machine only if you say so: add --upload")
    if kind == "url" and upload:
        raise CommandError(
            "--upload hands over a payload; name it by its SHA-256, as `urltrap artifacts` shows it"
        )
    return kind, name


def _service(settings: Settings, name: str) -> Submitter:
    found = next((service for service in registry.submitters() if service.to == name), None)
    if found is None:
        raise CommandError(f"no service {visible(name)[:40]!r} takes submissions here; known: {_NAMES}")
    if why := found.usable(settings.intel):
        raise CommandError(
            f"{name} cannot be reached: {why} (in the environment: URLTRAP_INTEL__KEYS__{found.key.upper()})"
        )
    return found


def _look(workshop: Workshop, service: Submitter, kind: SubjectKind, name: str) -> _Outcome:
    wanted = wanted_by_operator(service, kind, name, datetime.now(UTC), workshop.settings.intel.submit)
    with workshop.store.connect() as connection:
        found = gate.refusal(workshop, connection, service, wanted)
    if found is not None:
        return _Outcome(service, wanted, found.why, found.until)
    return _Outcome(service, wanted)


def _queue(workshop: Workshop, item: _Outcome) -> _Outcome:
    if item.why:
        return item
    again = workshop.settings.intel.submit.again_days
    try:
        with workshop.store.begin() as connection:
            submissions.ask(connection, item.service.name, item.wanted, timedelta(days=again))
    except submissions.TooEarly as early:
        return _Outcome(item.service, item.wanted, _too_early(early, again), early.until)
    return item


def _too_early(early: submissions.TooEarly, again: float) -> str:
    earlier = early.earlier
    if early.until is None:
        return f"it waits already since {earlier.asked:%Y-%m-%d %H:%M} UTC"
    return (
        f"it was submitted on {earlier.at:%Y-%m-%d %H:%M} UTC already ({earlier.link or 'no link'}); not again before "
        f"{early.until:%Y-%m-%d %H:%M} UTC (intel.submit.again_days is {again:g})"
    )


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _confirm(kind: SubjectKind, name: str, going: list[_Outcome]) -> None:
    what = "the payload" if kind == "sha256" else "the URL"
    shown = defang(name) if kind == "url" else name
    _say_err(f"This hands {what} {visible(shown)} to third parties and cannot be taken back:")
    for item in going:
        seen_by = f" ({item.wanted.visibility})" if item.wanted.visibility else ""
        _say_err(f"  {item.service.to}{seen_by}: {item.service.tells}.")
    if not typer.confirm("Submit it?", default=False, err=True):
        raise CommandError("nothing was submitted")


def _tell(outcomes: list[_Outcome], name: str, *, runs: bool, data: Path) -> None:
    for item in outcomes:
        _say(f"{item.service.to}: {f'refused: {item.why}' if item.why else 'waits for its turn'}")
    if any(not item.why for item in outcomes):
        _say(f"see what comes of it: {program()} check {visible(name)} --data {data}")
        if not runs:
            _say(f"it goes out as soon as `{program()} up` runs")


def _plain(item: _Outcome) -> dict[str, Any]:
    return {
        "service": item.service.to,
        "kind": item.wanted.subject_kind,
        "subject": item.wanted.subject,
        "visibility": item.wanted.visibility,
        "state": "refused" if item.why else "waiting",
        "why": item.why,
        "not_before": item.until.isoformat() if item.until else None,
    }


def _say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _say_err(text: str) -> None:
    console_err.print(text, highlight=False, markup=False, soft_wrap=True)

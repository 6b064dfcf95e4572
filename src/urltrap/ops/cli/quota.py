"""`urltrap quota`: what is left of each provider's quota, what waits, and until when."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from urltrap.intel.reputation import registry
from urltrap.ops.cli.common import DEFAULT_DATA, DataOption, JsonOption, app, console, print_json, print_table
from urltrap.ops.cli.store import opened_store
from urltrap.store.queries import intel


@app.command()
def quota(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Show what is left today, what waits and until when, and who is not asked and why."""
    now = datetime.now(UTC)
    with opened_store(data) as (store, settings):
        rows = intel.quotas(store, now)
    why = {provider.name: provider.usable(settings.intel) for provider in registry.asked()}
    if as_json:
        print_json({"online": settings.intel.online, "not_asked": {k: v for k, v in why.items() if v},
                    "providers": [_plain(row) for row in rows]})  # fmt: skip
        return
    print_table(
        "providers",
        ("provider", "left", "waiting", "answered", "state", "until (UTC)", "all asked by (UTC)", "why*"),
        (
            (
                row.provider,
                ", ".join(f"{window.left}/{window.most} a {window.span}" for window in row.windows),
                row.waiting + row.asking,
                row.answered,
                row.state,
                _time(row.until),
                _time(row.last_expected) if row.waiting and row.state != "refused" else "",
                row.reason,
            )
            for row in rows
        ),
    )
    if not settings.intel.online:
        console.print("nobody outside is asked: intel.online is false", highlight=False)
    elif absent := [f"{name} ({reason})" for name, reason in why.items() if reason]:
        console.print("not asked: " + ", ".join(absent), highlight=False, markup=False, soft_wrap=True)


def _time(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return "never" if moment.year >= 9999 else moment.strftime("%m-%d %H:%M")


def _plain(row: intel.ProviderRow) -> dict[str, object]:
    values = asdict(row)
    values["windows"] = [
        {"span": window.span, "most": window.most, "used": window.used, "left": window.left,
         "ends": window.ends.isoformat()}
        for window in row.windows
    ]  # fmt: skip
    for name in ("until", "last_expected"):
        moment = getattr(row, name)
        values[name] = moment.isoformat() if moment else None
    return values

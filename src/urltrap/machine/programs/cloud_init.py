"""cloud-init and cloud-id: what they tell of the last start (cloudinit/cmd/status.py, query.py, cloud_id.py 22.4.2)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._system import text_of
from urltrap.machine.programs.registry import program

_COMMANDS = ("init", "modules", "single", "query", "features", "analyze", "devel", "collect-logs", "clean", "status",
             "schema")  # fmt: skip
_USAGE = """\
usage: /usr/bin/cloud-init [-h] [--version] [--file FILES] [--debug] [--force]
"""
_CHOICE = f"{' ' * 27}{{{','.join(_COMMANDS)}}} ...\n"
_RUN = "/run/cloud-init"


@program("cloud-init")
def cloud_init(p: Process) -> Run:
    """Tell of the start; whatever would do it again is taken without a word."""
    words = [word for word in p.argv[1:] if word not in ("--debug", "-d", "--force")]
    if words[:1] == ["--version"] or words[:1] == ["-v"]:
        yield from p.out("/usr/bin/cloud-init 22.4.2\n")
        return 0
    if not words or words[0] not in _COMMANDS:
        problem = (
            "the following arguments are required: subcommand"
            if not words
            else f"argument subcommand: invalid choice: '{words[0]}' (choose from "
            + ", ".join(f"'{each}'" for each in _COMMANDS)
            + ")"
        )
        yield from p.err(f"{_USAGE}{_CHOICE}/usr/bin/cloud-init: error: {problem}\n")
        return 2
    if words[0] == "status":
        return (yield from _status(p, words[1:]))
    if words[0] == "query":
        return (yield from _query(p, words[1:]))
    if words[0] == "features":
        yield from p.out("NETWORK_CONFIG_V1\nNETWORK_CONFIG_V2\n")
        return 0
    if p.uid:
        yield from p.err("Error:\ncloud-init: must be root to run this command\n" if words[0] == "clean" else
                         "Permission denied: '/var/log/cloud-init.log'. Try as root\n")  # fmt: skip
        return 1
    return 0


def _loaded(p: Process, path: str) -> dict[str, Any]:
    try:
        found = json.loads(text_of(p, path) or "{}")
    except ValueError:
        return {}  # somebody wrote something else into it
    return found if isinstance(found, dict) else {}


def _there(p: Process, path: str) -> bool:
    try:
        p.fs.stat(path)
    except SysError:
        return False
    return True


def _status(p: Process, words: list[str]) -> Run:
    stages = _loaded(p, f"{_RUN}/status.json").get("v1", {})
    told = [each for each in stages.values() if isinstance(each, dict)]
    events = [max(each.get("start") or 0, each.get("finished") or 0) for each in told]
    latest = max(events, default=0)
    state = "done" if latest else "not run"
    code = "enabled-by-generator" if _there(p, f"{_RUN}/enabled") else "unknown"
    if _there(p, "/etc/cloud/cloud-init.disabled"):
        state, code = "disabled", "disabled-by-marker-file"
    detail = str(stages.get("datasource") or "Systemd generator may not have run yet.")
    update = f"{datetime.fromtimestamp(latest, UTC):%a, %d %b %Y %H:%M:%S +0000}" if latest else ""
    known: dict[str, Any] = {
        "boot_status_code": code, "datasource": detail.partition(" ")[0].lower().replace("datasource", ""),
        "detail": detail, "errors": [], "last_update": update, "status": state,
    }  # fmt: skip
    if "json" in words or "--format=json" in words:
        shown = {"_schema_version": "1", **known, "schemas": {"1": known}}
        yield from p.out(json.dumps(shown, indent=2, sort_keys=True) + "\n")
        return 0
    yield from p.out("\n" * ("--wait" in words or "-w" in words) + f"status: {state}\n")
    if "--long" in words or "-l" in words:
        last = f"last_update: {update}\n" if update else ""
        yield from p.out(f"boot_status_code: {code}\n{last}detail:\n{detail}\n")
    return 0


def _query(p: Process, words: list[str]) -> Run:
    data = _loaded(p, f"{_RUN}/instance-data{'-sensitive' if p.uid == 0 else ''}.json")
    shown = {**data, **data.get("v1", {})}
    if "--all" in words or "-a" in words:
        yield from p.out(json.dumps(shown, indent=1, sort_keys=True) + "\n")
        return 0
    if "--list-keys" in words or "-l" in words:
        yield from p.out("\n".join(sorted(shown)) + "\n")
        return 0
    names = [word for word in words if not word.startswith("-")]
    if not names:
        yield from p.err("usage: query [-h] [-d] [-i INSTANCE_DATA] [-l] [-u USER_DATA] [-v VENDOR_DATA]\n"
                         "             [-a] [-f FORMAT]\n             [varname]\n")  # fmt: skip
        return 1
    value: Any = shown
    for part in names[0].replace("-", "_").split(".") if names[0] != "userdata" else []:
        if not isinstance(value, dict) or part not in value:
            yield from p.err(f"ERROR: instance-data '{names[0]}' has no '{part}'\n")
            return 1
        value = value[part]
    value = "" if names[0] == "userdata" else value
    text = value if isinstance(value, str) else json.dumps(value, indent=1, sort_keys=True)
    yield from p.out(f"{text}\n")
    return 0


@program("cloud-id")
def cloud_id(p: Process) -> Run:
    """Which cloud it is."""
    name = _loaded(p, f"{_RUN}/instance-data.json").get("v1", {}).get("cloud_id")
    if not name:
        yield from p.err(
            f"ERROR: File not found '{_RUN}/instance-data.json'. Provide a path to instance data json file using "
            "--instance-data\n"
        )
        return 1
    yield from p.out(f"{name}\n")
    return 0

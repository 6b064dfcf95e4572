from __future__ import annotations

from pathlib import Path

import pytest

from urltrap.model.fleet_settings import FleetSettings
from urltrap.model.settings import (
    BackupSettings,
    IntelSettings,
    JournalSettings,
    Settings,
    SiteSettings,
    StoreSettings,
)
from urltrap.model.watch_settings import AlertSettings
from urltrap.ops.processes import (
    NAMES,
    Launch,
    ProcessPlan,
    environment_for,
    plan_processes,
    reachable_by,
    settings_for,
)
from urltrap.ops.worker import _RUNNERS


def test_who_is_asked_starts_before_who_asks() -> None:
    names = [plan.name for plan in plan_processes(Settings())]
    assert names[:3] == ["fetcher", "pipeline", "site"] and names[3] == "trap-0"
    assert names[-2:] == ["backup", "watch"], "who watches is told last"


def test_boxes_are_made_where_the_settings_ask_for_them_before_a_trap_asks() -> None:
    settings = Settings.model_validate({"machine": {"kind": "sandbox"}})
    names = [plan.name for plan in plan_processes(settings)]
    assert names.index("uplink") < names.index("box") < names.index("trap-0")
    assert "box" not in {plan.kind for plan in plan_processes(Settings())}


def test_the_site_for_everyone_is_off_unless_asked_for_and_never_on_a_sensors_address() -> None:
    assert "public" not in {plan.kind for plan in plan_processes(Settings())}
    asked = Settings.model_validate({"public": {"enabled": True}})
    assert "public" in {plan.kind for plan in plan_processes(asked)}
    for listen, sensor in (
        ("192.0.2.5:80", "192.0.2.5:22"), ("192.0.2.5:80", "0.0.0.0:22"), ("0.0.0.0:80", "192.0.2.5:22"),
        ("[2001:db8::5]:80", "[::]:22"), (":80", ":22"),
    ):  # fmt: skip
        tree = {"public": {"enabled": True, "listen": listen}, "sensors": {"ssh": {"listen": [sensor]}}}
        tree["sensors"]["telnet"] = {"enabled": False}
        with pytest.raises(ValueError, match=r"urltrap publish DIR.*allow_sensor_address"):
            Settings.model_validate(tree)
        tree["public"]["allow_sensor_address"] = True
        Settings.model_validate(tree)
    apart = {"ssh": {"listen": ["192.0.2.5:22"]}, "telnet": {"enabled": False}}
    Settings.model_validate({"public": {"enabled": True, "listen": "192.0.2.6:80"}, "sensors": apart})


def test_a_site_that_is_switched_off_is_not_started() -> None:
    plans = plan_processes(Settings(site=SiteSettings(enabled=False)))
    assert "site" not in {plan.kind for plan in plans}


def test_a_thin_sensor_traps_fetches_and_ships_and_nothing_else() -> None:
    settings = Settings.model_validate({"journal": {"ship": "https://collector.example:8443"}})
    plans = plan_processes(settings)
    assert {plan.kind for plan in plans} == {"fetcher", "trap", "shipper", "watch"}
    assert not settings_for("watch", settings).backup.enabled, "nobody complains of backups that are not made"


def test_a_collector_is_one_more_process_or_all_there_is() -> None:
    fleet = FleetSettings(listen="127.0.0.1:8443", processes=2)
    names = [plan.name for plan in plan_processes(Settings(fleet=fleet))]
    assert names.index("collector-0") < names.index("collector-1") < names.index("trap-0")
    only = Settings(fleet=fleet.model_copy(update={"only": True}))
    assert [plan.name for plan in plan_processes(only)] == ["collector-0", "collector-1"]
    assert "collector-0" not in {plan.name for plan in plan_processes(Settings())}


def test_trap_and_fetcher_hold_no_secret_of_the_store() -> None:
    settings = Settings(
        store=StoreSettings(url="postgresql://u:hunter2@db/x"),
        intel=IntelSettings(urlhaus_dump="/secret/path"),
        backup=BackupSettings(target_options={"secret": "hunter2"}),
    )
    for kind in ("trap", "fetcher"):
        launch = Launch(ProcessPlan(kind, kind), Path("/d"), settings_for(kind, settings), None)
        assert b"hunter2" not in launch.to_json() and b"/secret/path" not in launch.to_json()
    assert settings_for("pipeline", settings) == settings


def test_where_alerts_and_backups_go_is_known_to_whom_it_concerns() -> None:
    settings = Settings(
        store=StoreSettings(url="postgresql://u:hunter2@db/x"),
        backup=BackupSettings(targets=["sftp://u:hunter3@host/x"]),
        alerts=AlertSettings(targets=["mailtos://u:hunter4@example.org"]),
        journal=JournalSettings(ship_token="campus-1.hunter5"),
    )
    knows = {
        kind: [word for word in ("hunter2", "hunter3", "hunter4", "hunter5") if word in told]
        for kind in NAMES
        if (
            told := Launch(ProcessPlan(kind, kind), Path("/d"), settings_for(kind, settings), None)
            .to_json()
            .decode()
        )
    }
    assert knows == {
        "fetcher": [], "trap": [], "pipeline": ["hunter2", "hunter3"], "site": ["hunter2"],
        "public": ["hunter2"], "backup": ["hunter2", "hunter3"], "watch": ["hunter4"], "outputs": [], "box": [],
        "uplink": [],
        "shipper": ["hunter5"], "collector": ["hunter2"],
    }  # fmt: skip


def test_no_process_inherits_settings_and_none_that_faces_attackers_other_programs_passwords() -> None:
    given = {
        "PATH": "/bin", "LC_ALL": "C.UTF-8", "PYTHONPATH": "/src", "PGPASSWORD": "hunter2",
        "AWS_SECRET_ACCESS_KEY": "hunter3", "URLTRAP_STORE__URL": "postgresql://u:hunter4@db/x",
    }  # fmt: skip
    for kind in NAMES:
        left = set(given) - set(environment_for(kind, given))
        facing = (
            {"PGPASSWORD", "AWS_SECRET_ACCESS_KEY"}
            if kind in ("trap", "fetcher", "collector", "uplink", "box")
            else set()
        )
        assert left == {"URLTRAP_STORE__URL"} | facing


def test_a_launch_survives_its_pipe() -> None:
    launch = Launch(ProcessPlan("trap-1", "trap", 1, 2), Path("/data"), Settings(), (65534, 65534))
    assert Launch.from_json(launch.to_json()) == launch


def test_the_folder_that_another_user_cannot_pass_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    inner = closed / "inner"
    inner.mkdir(parents=True)
    tmp_path.chmod(0o755)
    inner.chmod(0o755)
    closed.chmod(0o700)
    stranger = (closed.stat().st_uid + 54321, closed.stat().st_gid + 54321)
    blocked = reachable_by(stranger, inner)
    assert blocked is not None and inner.is_relative_to(blocked)
    owner = (closed.stat().st_uid, closed.stat().st_gid)
    assert reachable_by(owner, inner) is None


def test_every_kind_of_process_that_can_be_planned_can_be_run() -> None:
    assert set(_RUNNERS) == set(NAMES)

"""What was written in a box."""

import os
import subprocess
from itertools import islice
from pathlib import Path

import pytest

from urltrap.sandbox import changes as module
from urltrap.sandbox.changes import Changes


def _new(changes: Changes) -> dict[bytes, bytes]:
    found = {}
    for changed in changes.new():
        with os.fdopen(changed.file, "rb") as file:
            found[changed.path] = file.read()
    return found


def test_each_state_of_a_file_is_told_once(tmp_path: Path) -> None:
    changes = Changes(tmp_path)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp/x.sh").write_bytes(b"one")
    assert _new(changes) == {b"/tmp/x.sh": b"one"}
    assert _new(changes) == {}
    (tmp_path / "tmp/x.sh").write_bytes(b"longer")
    assert _new(changes) == {b"/tmp/x.sh": b"longer"}


def test_links_pipes_and_what_the_system_writes_are_left_alone(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"of the host")
    upper = tmp_path / "upper"
    (upper / "var/log").mkdir(parents=True)
    (upper / "link").symlink_to(secret)
    (upper / "folder").symlink_to(tmp_path)
    os.mkfifo(upper / "pipe")
    (upper / "var/log/wtmp").write_bytes(b"x")
    (upper / "empty").touch()
    assert _new(Changes(upper)) == {}


def test_a_folder_that_becomes_a_link_while_it_is_looked_at_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, upper = tmp_path / "host", tmp_path / "upper"
    for place in (host, upper / "d"):
        place.mkdir(parents=True)
        (place / "key").write_bytes(place.name.encode())
    look = Changes._of

    def swapped(self: Changes, inside: bytes, folder: int, pending: list[tuple[bytes, int]]) -> object:
        if inside == b"/d":  # it was opened, and its files were not yet
            (upper / "d").rename(upper / "old")
            (upper / "d").symlink_to(host)
        return look(self, inside, folder, pending)

    monkeypatch.setattr(Changes, "_of", swapped)
    assert _new(Changes(upper)) == {b"/d/key": b"d"}
    assert _new(Changes(upper)) == {b"/old/key": b"d"}


def test_deep_and_wide_trees_and_files_of_holes_cost_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(b"seen")
    here = os.getcwd()
    try:
        os.chdir(tmp_path)
        for _ in range(1500):
            os.mkdir("deep")
            os.chdir("deep")
    finally:
        os.chdir(here)
    for number in range(300):
        (tmp_path / f"wide{number}").mkdir()
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(1 << 33)
    before = len(os.listdir("/proc/self/fd"))
    changes = Changes(tmp_path)
    sizes = {}
    for changed in changes.new():
        sizes[changed.path] = changed.size
        os.close(changed.file)
    assert sizes == {b"/x": 4, b"/holes": 1 << 33}
    assert len(os.listdir("/proc/self/fd")) == before
    (tmp_path / "holes").unlink()
    monkeypatch.setattr(module, "MAX_BYTES", 10_000)
    for number in range(9):
        (tmp_path / f"more{number}").write_bytes(b"m" * 4096)
    assert len(_new(Changes(tmp_path))) < 5
    subprocess.run(["rm", "-r", str(tmp_path / "deep")], check=True)  # too deep for shutil


def test_a_look_that_is_given_up_leaves_nothing_open_and_the_next_goes_on(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "f").write_bytes(b"x")
    before = len(os.listdir("/proc/self/fd"))
    changes = Changes(tmp_path)
    first = list(islice(changes.new(), 2))
    second = list(changes.new())
    for changed in (*first, *second):
        os.close(changed.file)
    assert len(first) == 2 and len({each.path for each in (*first, *second)}) == 5
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_written_to_devices_in_memory_is_told_with_its_path(tmp_path: Path) -> None:
    upper, devices = tmp_path / "upper", tmp_path / "dev"
    upper.mkdir()
    for name in ("shm", "mqueue", "pts"):
        (devices / name).mkdir(parents=True)
        (devices / name / "x").write_bytes(name.encode())
    (devices / ".hidden").write_bytes(b"h")
    folder = os.open(devices, os.O_RDONLY | os.O_DIRECTORY)
    changes = Changes(upper, folder)
    assert _new(changes) == {b"/dev/shm/x": b"shm", b"/dev/.hidden": b"h"}
    assert _new(changes) == {}
    (devices / "shm/x").write_bytes(b"again")
    (upper / "y").write_bytes(b"y")
    assert _new(changes) == {b"/dev/shm/x": b"again", b"/y": b"y"}
    os.close(folder)
    changes.close()
    for name in ("z", "n"):
        (upper / name).write_bytes(b"z")
    (devices / "n").write_bytes(b"n")
    assert _new(changes) == {b"/z": b"z", b"/n": b"z"}, "a box that is being destroyed"

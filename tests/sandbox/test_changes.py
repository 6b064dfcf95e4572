"""What was written in a box."""

import os
from pathlib import Path

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

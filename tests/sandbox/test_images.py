"""Trees that boxes stand on: replaced while they are used, and removed afterwards."""

import os
from pathlib import Path

import pytest

from urltrap.sandbox.driver import SandboxError
from urltrap.sandbox.images import open_image, read_init, replace_image
from urltrap.sandbox.init import NAME

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only a folder of root's is taken for an image's")


def _tree(place: Path, content: str) -> Path:
    place.mkdir(parents=True)
    (place / "file").write_text(content)
    return place


def test_a_tree_that_is_used_is_replaced_and_stays_whole_until_it_is_not_used_any_more(
    tmp_path: Path,
) -> None:
    place = _tree(tmp_path / "sandbox/debian-12", "old")
    used = open_image(place)
    left = replace_image(_tree(tmp_path / "sandbox/new", "new"), place)
    assert (place / "file").read_text() == "new"
    with open(os.open("file", os.O_RDONLY, dir_fd=used)) as file:
        assert file.read() == "old"
    assert len(left) == 1 and os.path.samestat(left[0].stat(), os.fstat(used))
    os.close(used)
    assert replace_image(_tree(tmp_path / "sandbox/new", "newest"), place) == []
    assert [each.name for each in (tmp_path / "sandbox").iterdir()] == ["debian-12"]
    assert (place / "file").read_text() == "newest"


def test_the_first_tree_just_takes_its_place(tmp_path: Path) -> None:
    place = tmp_path / "sandbox/debian-12"
    assert replace_image(_tree(tmp_path / "sandbox/new", "first"), place) == []
    os.close(open_image(place))


def test_a_tree_that_is_a_link_or_not_there_or_in_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "sandbox/debian-12"
    with pytest.raises(SandboxError, match="image build --sandbox"):
        open_image(place)
    place.parent.mkdir()
    place.symlink_to(_tree(tmp_path / "other", "x"))
    with pytest.raises(SandboxError, match="no root file system"):
        open_image(place)
    place.unlink()
    _tree(place, "x")
    os.chown(place.parent, 12345, 12345)
    with pytest.raises(SandboxError, match="is not root's"):
        open_image(place)
    with pytest.raises(SandboxError, match="is not root's"):
        read_init(place)


def test_the_first_process_is_one_of_this_version_and_no_link(tmp_path: Path) -> None:
    place = tmp_path / "debian-12"
    (tmp_path / "init-00000000").write_bytes(b"of another version")
    with pytest.raises(SandboxError, match="not compiled for this version"):
        read_init(place)
    (tmp_path / NAME).symlink_to("init-00000000")
    with pytest.raises(SandboxError, match="not compiled for this version"):
        read_init(place)

"""Logs on disk: compressed and rotated ones in order, a growing one across rotation and truncation."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from pathlib import Path

import pytest
import zstandard
from tests.exchange.lines import line

from urltrap.exchange.cowrie import Follower, LogFile, LogFileError, find_logs, lines_of


def taken(path: Path) -> list[bytes]:
    return [each for each, _ in lines_of(LogFile(path, path.stat().st_size))]


@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, zstandard.compress, bz2.compress, lzma.compress],
    ids=["plain", "gz", "zst", "bz2", "xz"],
)
def test_a_log_is_read_whatever_packed_it_and_whatever_it_is_called(tmp_path: Path, pack: object) -> None:
    path = tmp_path / "cowrie.json.1"
    path.write_bytes(pack(b"one\ntwo\n\nlast"))  # type: ignore[operator]
    assert taken(path) == [b"one", b"two", b"", b"last"]


def test_logs_of_a_folder_come_oldest_first_whatever_their_names(tmp_path: Path) -> None:
    (tmp_path / "cowrie.json").write_bytes(line("command.input", 300, input="c"))
    (tmp_path / "cowrie.json.1").write_bytes(b"damaged\n" + line("command.input", 200, input="b"))
    (tmp_path / "cowrie.json.2026-03-01.gz").write_bytes(gzip.compress(line("command.input", 100, input="a")))
    (tmp_path / "cowrie.log").write_bytes(b"text log")
    names = [log.path.name for log in find_logs([tmp_path, tmp_path / "cowrie.json"])]
    assert names == ["cowrie.json.2026-03-01.gz", "cowrie.json.1", "cowrie.json"]


def test_a_path_that_is_not_there_and_a_folder_without_logs_are_told(tmp_path: Path) -> None:
    with pytest.raises(LogFileError, match="cannot be read"):
        find_logs([tmp_path / "gone"])
    with pytest.raises(LogFileError, match=r"cowrie\.json"):
        find_logs([tmp_path])


def test_what_comes_before_damage_in_a_packed_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cowrie.json.gz"
    path.write_bytes(gzip.compress(b"\n".join(b"%d" % number for number in range(200_000)))[:-5000])
    found = []
    with pytest.raises(LogFileError, match="what came before was read"):
        for each, _ in lines_of(LogFile(path, 0)):
            found.append(each)
    assert found[:3] == [b"0", b"1", b"2"]


def test_a_line_without_end_costs_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "cowrie.json"
    path.write_bytes(b"a" * 9_000_000 + b"\nnext\n")
    lengths = [len(each) for each in taken(path)]
    assert max(lengths) == 4_000_001
    assert lengths[-1] == 4


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "cowrie.json"


def add(path: Path, text: bytes) -> None:
    with open(path, "ab") as file:
        file.write(text)


def test_only_whole_lines_are_followed_and_each_once(log: Path) -> None:
    follower = Follower(log)
    assert list(follower.lines()) == []
    add(log, b"one\ntw")
    assert list(follower.lines()) == [b"one"]
    add(log, b"o\nthree\n")
    assert list(follower.lines()) == [b"two", b"three"]
    assert list(follower.lines()) == []
    follower.close()


def test_a_rotated_log_is_read_to_its_end_before_the_next(log: Path) -> None:
    follower = Follower(log)
    add(log, b"one\n")
    assert list(follower.lines()) == [b"one"]
    add(log, b"two\nunfinished")
    os.rename(log, f"{log}.2026-03-01")
    assert list(follower.lines()) == [b"two"]
    add(log, b"three\n")
    assert list(follower.lines()) == [b"unfinished", b"three"]
    assert list(follower.lines()) == []
    follower.close()


def test_logs_that_were_rotated_while_nobody_followed_are_caught_up_with(log: Path) -> None:
    follower = Follower(log)
    add(log, b"one\n")
    assert list(follower.lines()) == [b"one"]
    position = follower.position
    follower.close()
    add(log, b"two\n")
    for day, text in ((1, b"three\n"), (2, b"four\n")):
        os.rename(log, f"{log}.2026-03-0{day}")
        add(log, text)
        os.utime(log, ns=(day * 10**9 + 2 * 10**18, day * 10**9 + 2 * 10**18))
    again = Follower(log, position)
    assert list(again.lines()) == [b"two", b"three", b"four"]
    assert list(again.lines()) == []
    again.close()


def test_a_truncated_log_begins_anew(log: Path) -> None:
    follower = Follower(log)
    add(log, b"one\ntwo\n")
    assert list(follower.lines()) == [b"one", b"two"]
    log.write_bytes(b"new\n")
    assert list(follower.lines()) == [b"new"]
    follower.close()


def test_a_truncated_log_that_grows_beyond_its_old_end_is_not_read_from_there(log: Path) -> None:
    many = [b"line %d" % n for n in range(100)]
    follower = Follower(log)
    add(log, b"one\ntwo\n")
    assert list(follower.lines()) == [b"one", b"two"]
    log.write_bytes(b"")  # seen empty
    assert list(follower.lines()) == []
    add(log, b"\n".join(many) + b"\n")
    assert list(follower.lines()) == many
    log.write_bytes(b"\n".join(reversed(many)) + b"\nlast\n")  # cut and grown between two looks
    position = follower.position
    assert list(follower.lines()) == [*reversed(many), b"last"]
    follower.close()
    again = Follower(log, position)  # between two runs
    assert list(again.lines()) == [*reversed(many), b"last"]
    again.close()


def test_following_goes_on_where_it_stood(log: Path) -> None:
    add(log, b"one\ntwo\nthree\n")
    follower = Follower(log)
    lines = follower.lines()
    assert next(lines) == b"one"
    position = follower.position
    follower.close()
    again = Follower(log, position)
    assert list(again.lines()) == [b"two", b"three"]
    again.close()

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from urltrap.pipeline.fleet.accounts import AccountError, Accounts


def test_a_token_opens_its_own_account_and_no_other(data: Path) -> None:
    accounts = Accounts(data)
    one, two = accounts.add("campus-1"), accounts.add("campus-2")
    assert accounts.whose(one) == "campus-1" and accounts.whose(two) == "campus-2"
    forged = "campus-2." + one.partition(".")[2]
    for wrong in ("", "campus-1", "campus-1.", one + "x", one[:-1], forged, "nobody.x", "\udcff"):
        assert accounts.whose(wrong) is None


def test_only_a_hash_of_the_token_is_on_the_disk(data: Path) -> None:
    token = Accounts(data).add("campus-1")
    files = list((data / "keys" / "fleet").iterdir())
    assert files and all(token.partition(".")[2].encode() not in path.read_bytes() for path in files)
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_what_another_process_changes_counts_at_once(data: Path) -> None:
    serving, command = Accounts(data), Accounts(data)
    token = command.add("campus-1")
    assert serving.whose(token) == "campus-1"
    command.remove("campus-1")
    assert serving.whose(token) is None
    assert serving.whose(command.add("campus-1")) == "campus-1"
    assert serving.whose(token) is None, "a new account has a new token"


def test_a_name_is_taken_once_and_an_unknown_one_is_named(data: Path) -> None:
    accounts = Accounts(data)
    accounts.add("campus-1")
    with pytest.raises(AccountError, match="there is a sensor 'campus-1'"):
        accounts.add("campus-1")
    with pytest.raises(AccountError, match="there are: campus-1"):
        accounts.remove("campus-2")
    with pytest.raises(AccountError, match="not a sensor's name"):
        accounts.add("../x")


@pytest.mark.parametrize("damaged", [b"", b"{", b"[1]", b'[{"name":"x"}]', b"\xff"])
def test_a_damaged_file_lets_nobody_in_and_says_what_to_do(data: Path, damaged: bytes) -> None:
    accounts = Accounts(data)
    token = accounts.add("campus-1")
    (accounts.folder / "accounts.json").write_bytes(damaged)
    with pytest.raises(AccountError, match="restore it from a backup"):
        accounts.whose(token)


_SERVES_AS_NOBODY = """
import os, sys
from pathlib import Path
from urltrap.ops.processes import become
from urltrap.pipeline.fleet.accounts import Accounts
accounts = Accounts(Path(sys.argv[1]))
become((65534, 65534))
print("ready", flush=True)
for line in sys.stdin:
    print(accounts.whose(line.strip()), os.geteuid(), flush=True)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give root up")
def test_a_collector_that_gave_root_up_still_sees_whom_root_adds_and_removes(data: Path) -> None:
    (data / "keys").chmod(0o700)
    os.chown(data / "journal", 65534, 65534)
    with subprocess.Popen(
        [sys.executable, "-c", _SERVES_AS_NOBODY, str(data)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as serving:  # fmt: skip
        assert serving.stdin is not None and serving.stdout is not None
        assert serving.stdout.readline() == "ready\n"
        accounts = Accounts(data)
        token = accounts.add("campus-1")

        def whose() -> str:
            assert serving.stdin is not None and serving.stdout is not None
            serving.stdin.write(token + "\n")
            serving.stdin.flush()
            return serving.stdout.readline().strip()

        assert whose() == "campus-1 65534"
        accounts.remove("campus-1")
        assert whose() == "None 65534"
        serving.stdin.close()

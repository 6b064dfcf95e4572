"""Who gets in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from urltrap.model.settings import CredentialSettings
from urltrap.sensors.credentials import MAX_ADDRESSES, PROBES, Credentials


def policy(secret: bytes = b"s" * 32, **settings: object) -> Credentials:
    return Credentials(CredentialSettings.model_validate(settings), secret, ["root", "admin"])


def first_success(opens: Callable[[int], bool], tries: int = 20) -> int | None:
    return next((number for number in range(1, tries + 1) if opens(number)), None)


@given(st.ip_addresses(v=4).map(str))
def test_an_address_gets_in_between_the_mth_and_nth_try(address: str) -> None:
    credentials = policy(after_tries=(2, 4))
    found = first_success(lambda n: credentials.password_opens(address, b"root", b"pw%d" % n))
    assert found == credentials.opens_at(address) and 2 <= found <= 4


def test_which_try_opens_differs_between_addresses_and_installations() -> None:
    addresses = [f"192.0.2.{number}" for number in range(100)]
    one, other = policy(after_tries=(1, 3)), policy(b"t" * 32, after_tries=(1, 3))
    assert {one.opens_at(address) for address in addresses} == {1, 2, 3}
    assert [one.opens_at(a) for a in addresses] != [other.opens_at(a) for a in addresses]


def test_an_address_keeps_what_it_got_and_nothing_else_opens() -> None:
    credentials = policy(after_tries=(1, 1))
    assert credentials.password_opens("192.0.2.1", b"root", b"first")
    assert not credentials.password_opens("192.0.2.1", b"root", b"second")
    assert credentials.password_opens("192.0.2.1", b"root", b"first")


def test_probes_for_machines_that_accept_everything_are_refused() -> None:
    credentials = policy(after_tries=(1, 1))
    assert not any(credentials.password_opens("192.0.2.1", b"root", word) for word in PROBES)
    assert credentials.password_opens("192.0.2.1", b"root", b"real")


def test_name_and_password_alike_do_not_open_twice_in_a_row() -> None:
    credentials = policy(after_tries=(1, 1))
    assert not credentials.password_opens("192.0.2.1", b"phil", b"phil")
    assert not credentials.password_opens("192.0.2.1", b"root", b"root")
    assert credentials.password_opens("192.0.2.1", b"admin", b"1234")


def test_users_that_the_machine_does_not_have_never_get_in() -> None:
    credentials = policy(after_tries=(1, 1))
    assert not any(credentials.password_opens("192.0.2.1", b"oracle", b"pw%d" % n) for n in range(20))


def test_what_the_operator_accepts_or_refuses_counts_first() -> None:
    credentials = policy(accept=["ftp:ftp", "*:open"], refuse=["never"], after_tries=(1, 1))
    assert credentials.password_opens("192.0.2.1", b"ftp", b"ftp")
    assert credentials.password_opens("192.0.2.1", b"anybody", b"open")
    assert not credentials.password_opens("192.0.2.1", b"root", b"never")


def test_a_password_that_was_changed_on_the_machine_is_the_only_one() -> None:
    credentials = Credentials(
        CredentialSettings(after_tries=(1, 1)),
        b"s" * 32,
        ["root"],
        authority=lambda address, user, word: word == b"new" if user == b"root" else None,
    )
    assert not credentials.password_opens("192.0.2.1", b"root", b"old")
    assert credentials.password_opens("192.0.2.1", b"root", b"new")


def test_what_was_granted_survives_a_restart_without_being_readable(tmp_path: Path) -> None:
    file = tmp_path / "credentials-trap-0.json"
    before = policy(after_tries=(1, 1))
    assert before.password_opens("192.0.2.1", b"root", b"hunter2")
    before.save(file)
    assert b"hunter2" not in file.read_bytes()
    after = policy(after_tries=(3, 3))
    after.load([file, tmp_path / "missing.json"])
    assert after.password_opens("192.0.2.1", b"root", b"hunter2")
    assert not after.password_opens("192.0.2.1", b"root", b"other")


def test_a_damaged_table_is_the_same_as_none(tmp_path: Path) -> None:
    for number, text in enumerate(("{", "[]", '{"a": 1}', '{"a": {"last": "x", "kept": {}}}')):
        file = tmp_path / f"{number}.json"
        file.write_text(text)
        policy().load([file])


def test_the_table_of_addresses_is_bounded() -> None:
    credentials = policy(after_tries=(9, 9))
    for number in range(MAX_ADDRESSES + 50):
        credentials.password_opens(f"a{number}", b"root", b"x")
    assert len(credentials._sources) == MAX_ADDRESSES


def test_who_changed_the_password_on_his_machine_does_not_get_in_with_the_one_that_was_set() -> None:
    changed = {"192.0.2.1": b"mine"}

    def authority(address: str, _user: bytes, password: bytes) -> bool | None:
        return password == changed[address] if address in changed else None

    credentials = Credentials(
        CredentialSettings(accept=["root:set"]), b"s" * 32, ["root"], authority=authority
    )
    assert not credentials.password_opens("192.0.2.1", b"root", b"set")
    assert credentials.password_opens("192.0.2.1", b"root", b"mine")
    assert credentials.password_opens("192.0.2.2", b"root", b"set")

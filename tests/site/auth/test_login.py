from __future__ import annotations

from datetime import timedelta

import pyotp
import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from tests.site.auth.conftest import MACHINE, PASSWORD, House, log_in, token_in

from urltrap.model.settings import Settings
from urltrap.site.auth import pages, passwords
from urltrap.site.auth.rules import RULES, flat, pattern_of
from urltrap.store.accounts import audit, keys, sessions, users, waits

DAY = timedelta(days=1)
REAL = passwords._HASHER
NEW = "another long enough one"


def actions(house: House) -> list[tuple[str, str, str]]:
    return [(entry.who, entry.action, entry.subject) for entry in audit.page(house.store)[0]]


def test_a_user_logs_in_and_out_and_goes_on_to_the_page_that_was_asked_for(house: House) -> None:
    client = house.client()
    asked = client.get("/urls?malicious=yes")
    assert asked.headers["location"] == "/login?next=%2Furls%3Fmalicious%3Dyes"
    answer = log_in(client, " Viewer-1 ", next="/urls?malicious=yes")
    assert (answer.status_code, answer.headers["location"]) == (303, "/urls?malicious=yes")
    page = client.get("/").text
    assert "viewer-1" in page and "Log out" in page
    held = client.cookies["urltrap-login"]
    answer = client.post("/logout", data={"token": token_in(page)})
    assert answer.headers["location"] == "/login" and client.get("/").status_code == 303
    client.cookies.set("urltrap-login", held)
    assert client.get("/").status_code == 303, "the log-in has ended, not only its cookie"
    assert {("viewer-1", "logout", "viewer-1"), ("viewer-1", "login", "viewer-1")} <= set(actions(house))


def test_a_cookie_is_out_of_reach_of_scripts_and_other_sites(house: House) -> None:
    plain = log_in(house.client(), "viewer-1").headers.get_list("set-cookie")[0]
    assert plain.startswith("urltrap-login=") and "Secure" not in plain
    house.settings = Settings.model_validate(
        {"site": {"names": ["trap.example"], "trusted_proxies": ["127.0.0.1"]}}
    )
    client = house.client("https://trap.example", **{"X-Forwarded-Proto": "https"})
    secure = log_in(client, "viewer-1").headers.get_list("set-cookie")[0]
    assert secure.startswith("__Host-urltrap-login=") and "Secure" in secure and "Domain" not in secure
    for cookie in (plain, secure):
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
        assert (
            cookie.partition("=")[2].partition(";")[0].encode()
            not in house.store.engine.url.database.encode()
        )
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "aim",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
     "javascript:x", "//[",
     "evil.example", "http:/evil", "///evil.example", "/login", "/login?next=/", "/logout", "", "/\n/evil.example",
     "/%0d%0aSet-Cookie:x=1\r\nX: y"],
)  # fmt: skip
def test_a_log_in_leads_nowhere_else(aim: str) -> None:
    assert pages.local(aim) == "/"


@pytest.mark.parametrize("aim", ["/", "/urls?text=//evil.example", "/sessions/X#e-3", "/families/elf/a%20b"])
def test_a_log_in_leads_to_any_page_of_ours(aim: str) -> None:
    assert pages.local(aim) == aim


def test_name_password_and_code_are_wrong_in_the_same_words(house: House) -> None:
    wrong = log_in(house.client(), "viewer-1", "not the password")
    absent = log_in(house.client(), "no-such-user", PASSWORD)
    users.set_totp(house.store, "admin-1", "sealed elsewhere", 0, house.now, MACHINE)
    code = log_in(house.client(), "admin-1", code="000000")
    assert wrong.status_code == absent.status_code == code.status_code == 401
    for answer in (wrong, absent, code):
        assert "Name, password or code is wrong." in answer.text
        assert "urltrap-login" not in answer.headers.get("set-cookie", "")
    seen = [entry for entry in actions(house) if entry[1] == "login.failed"]
    assert ("(nobody)", "login.failed", "(no such user)") in seen, "what was typed may be a password"


def test_guessing_is_slowed_by_name_and_by_address_and_whoever_waits_gets_in(house: House) -> None:
    tries = [
        log_in(house.client(peer=f"192.0.2.{n}"), "viewer-1", "wrong guess").status_code for n in range(6)
    ]
    assert tries == [401] * 6
    stopped = log_in(house.client(peer="192.0.2.1"), "viewer-1")
    assert stopped.status_code == 429 and int(stopped.headers["retry-after"]) >= 1
    assert "urltrap-login" not in stopped.headers.get("set-cookie", ""), (
        "even the right one was not looked at"
    )
    assert log_in(house.client(peer="203.0.113.1"), "viewer-1").status_code == 303, (
        "its owner is not kept out"
    )
    many = [
        log_in(house.client(peer="198.51.100.7"), f"user-{n}", "wrong guess").status_code for n in range(12)
    ]
    assert many == [401] * 10 + [429] * 2
    assert log_in(house.client(peer="198.51.100.8"), "viewer-1").status_code == 303, "others are not slowed"


def test_pauses_double_and_have_an_end() -> None:
    for kind, rule in waits.RULES.items():
        pauses = [waits.pause_after(kind, failures).total_seconds() for failures in range(1, 60)]
        assert pauses[: rule.free - 1] == [0] * (rule.free - 1)
        assert pauses[rule.free - 1 : rule.free + 3] == [1, 2, 4, 8]
        assert pauses == sorted(pauses) and pauses[-1] == rule.longest.total_seconds()
    assert waits.of_address("2001:db8::1") == waits.of_address("2001:db8::ffff:2")
    assert waits.of_address("2001:db8::1") != waits.of_address("2001:db8:0:1::1")
    assert waits.of_address("::ffff:192.0.2.1") == waits.of_address("192.0.2.1")


def test_a_log_in_ends_when_it_is_not_used_and_at_the_latest(house: House) -> None:
    client = house.logged_in("viewer-1")
    house.later(hours=7)
    assert client.get("/urls").status_code == 200
    house.later(hours=7)
    assert client.get("/urls").status_code == 200, "it was used in between"
    house.later(hours=9)
    assert client.get("/urls").status_code == 303
    client = house.logged_in("viewer-1")
    for _ in range(14 * 4):
        house.later(hours=6)
        status = client.get("/urls").status_code
    assert status == 200
    house.later(hours=1)
    assert client.get("/urls").status_code == 303


def test_forms_are_taken_from_pages_of_ours_alone(house: House) -> None:
    client = house.logged_in("admin-1")
    other = token_in(house.logged_in("viewer-1").get("/account").text)
    posts = [
        pattern_of(route) for route in flat(client.app.routes)  # type: ignore[attr-defined]
        if "POST" in getattr(route, "methods", ())
    ]  # fmt: skip
    assert len(posts) >= 6 and all(path in RULES for path in posts)
    own = token_in(client.get("/account").text)
    users.set_right(house.store, "admin-1", "payloads", True, house.now, MACHINE)
    for path in posts:
        for data in ({}, {"token": ""}, {"token": other}, {"token": own[:-1]}):
            assert client.post(path, data={**data, "x": "1"}).status_code == 403, (path, data)
        strange = {"Sec-Fetch-Site": "cross-site"}
        assert client.post(path, data={"token": own}, headers=strange).status_code == 403
        assert client.post(path, json={"token": own}).status_code == 415
        assert client.post(path, data={"token": own, "x": "y" * 20_000}).status_code == 413
    assert client.get("/account").status_code == 200, "nothing of that ended the log-in"


def test_a_password_is_changed_by_who_knows_it_and_ends_other_log_ins(house: House) -> None:
    client, other = house.logged_in("viewer-1"), house.logged_in("viewer-1")

    def change(**fields: str) -> str:
        token = token_in(client.get("/account").text)
        return client.post("/account/password", data={"token": token, **fields}).text

    assert "present password is wrong" in change(password="no", new=NEW, repeated=NEW)
    assert "at least 10" in change(password=PASSWORD, new="short", repeated="short")
    assert "differently" in change(password=PASSWORD, new=NEW, repeated=NEW + "!")
    assert "is changed" in change(password=PASSWORD, new=NEW, repeated=NEW)
    assert client.get("/").status_code == 200 and other.get("/").status_code == 303
    assert log_in(house.client(), "viewer-1").status_code == 401
    assert log_in(house.client(), "viewer-1", NEW).status_code == 303
    kept = users.find(house.store, "viewer-1")
    assert kept is not None and kept.password_hash.startswith("$argon2id$") and NEW not in kept.password_hash


def test_one_time_codes_are_set_up_asked_for_and_taken_once(house: House) -> None:
    client = house.logged_in("analyst-1")
    token = token_in(client.get("/account").text)
    page = client.post("/account/codes", data={"token": token, "password": PASSWORD}).text
    assert "<svg" in page and " style=" not in page
    secret = page.split('class="mono secret">')[1].split("<")[0].replace(" ", "")
    sealed = page.split('name="sealed" value="')[1].split('"')[0]
    generator = pyotp.TOTP(secret)
    wrong = client.post("/account/codes", data={"token": token, "sealed": sealed, "code": "12345x"})
    assert "not the code" in wrong.text
    fields = {"token": token, "sealed": sealed, "code": generator.at(house.now)}
    stolen = house.logged_in("viewer-1")
    theirs = {**fields, "token": token_in(stolen.get("/account").text)}
    assert "out of date" in stolen.post("/account/codes", data=theirs).text, "sealed for another user"
    assert "asks for a code" in client.post("/account/codes", data=fields).text
    kept = users.find(house.store, "analyst-1")
    assert kept is not None and kept.totp and secret not in kept.totp
    assert log_in(house.client(), "analyst-1").status_code == 401
    assert log_in(house.client(), "analyst-1", code=generator.at(house.now)).status_code == 401, "it was used"
    house.later(seconds=30)
    assert log_in(house.client(), "analyst-1", "wrong guess", code=generator.at(house.now)).status_code == 401
    assert log_in(house.client(), "analyst-1", code=generator.at(house.now)).status_code == 303
    token = token_in(client.get("/account").text)
    assert (
        "no code any more"
        in client.post("/account/codes/off", data={"token": token, "password": PASSWORD}).text
    )
    assert log_in(house.client(), "analyst-1").status_code == 303


def test_logging_out_everywhere_ends_all_log_ins_of_a_user_alone(house: House) -> None:
    first, second, other = (
        house.logged_in("viewer-1"),
        house.logged_in("viewer-1"),
        house.logged_in("admin-1"),
    )
    token = token_in(first.get("/account").text)
    assert first.post("/account/everywhere", data={"token": token}).status_code == 303
    assert [client.get("/").status_code for client in (first, second, other)] == [303, 303, 200]


def test_what_was_done_is_written_down_and_shown_to_admins(house: House) -> None:
    log_in(house.client(peer="192.0.2.77"), "viewer-1", "a wrong <b>one</b>")
    page = house.logged_in("admin-1").get("/audit").text
    assert "login.failed" in page and "192.0.2.77" in page and "user.added" in page
    assert "wrong" not in page and PASSWORD not in page
    assert house.logged_in("analyst-1").get("/audit").status_code == 403


def test_admins_see_who_has_an_account_or_a_key_and_no_secret_of_them(house: House) -> None:
    secret = keys.add(house.store, "siem", ["read", "feeds"], 30, house.now, MACHINE)
    users.set_right(house.store, "viewer-1", "payloads", True, house.now, MACHINE)
    page = house.logged_in("admin-1").get("/users").text
    for text in ("admin-1", "analyst-1", "viewer-1", "payloads", "siem", "feeds, read", "not logged in"):
        assert text in page, text
    assert secret not in page and "argon2" not in page
    assert house.logged_in("analyst-1").get("/users").status_code == 403


def test_a_role_counts_from_the_next_page_on_and_a_removed_user_is_out(house: House) -> None:
    client = house.logged_in("viewer-1")
    assert client.get("/operations").status_code == 403
    users.set_role(house.store, "viewer-1", "analyst", house.now, MACHINE)
    assert client.get("/operations").status_code == 200
    users.remove(house.store, "viewer-1", house.now, MACHINE)
    assert client.get("/").status_code == 303
    with pytest.raises(users.AccountError, match="only admin"):
        users.remove(house.store, "admin-1", house.now, MACHINE)
    with pytest.raises(users.AccountError, match="only admin"):
        users.set_role(house.store, "admin-1", "viewer", house.now, MACHINE)


def test_an_address_is_taken_from_named_proxies_alone(house: House) -> None:
    def noted(client: TestClient) -> str:
        house.later(seconds=1)
        log_in(client, "viewer-1", "wrong guess")
        return audit.page(house.store)[0][0].address

    forged = {"X-Forwarded-For": "203.0.113.5"}
    assert noted(house.client(peer="192.0.2.1", **forged)) == "192.0.2.1"
    house.settings = Settings.model_validate({"site": {"trusted_proxies": ["192.0.2.0/24"]}})
    assert noted(house.client(peer="192.0.2.1", **forged)) == "203.0.113.5"
    assert noted(house.client(peer="198.51.100.1", **forged)) == "198.51.100.1"
    chain = {"X-Forwarded-For": "127.0.0.1, 203.0.113.9, 192.0.2.7"}
    assert noted(house.client(peer="192.0.2.1", **chain)) == "203.0.113.9", (
        "the first that no proxy of ours is"
    )


def test_passwords_are_hashed_with_argon2id_and_compared_for_nobody_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "_HASHER", REAL)
    kept = passwords.hash_of(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$") and not passwords.weak(kept)
    assert passwords.fits(PASSWORD, kept) and not passwords.fits(PASSWORD + " ", kept)
    assert not passwords.fits("no user has this password", None)
    assert not passwords.fits("x" * 5000, kept) and not passwords.fits(PASSWORD, "no hash")
    assert passwords.weak(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("x"))
    for password in ("short", "aaaaaaaaaaaa", "x" * 2000, "viewer-1 1234"):
        assert passwords.problem_with(password, "viewer-1")
    assert not passwords.problem_with(PASSWORD, "viewer-1")


def test_a_hash_of_weaker_parameters_is_made_anew_at_a_log_in(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    client = house.logged_in("viewer-1")
    kept = users.find(house.store, "viewer-1")
    assert kept is not None and ",t=2," in kept.password_hash and passwords.fits(PASSWORD, kept.password_hash)
    assert client.get("/urls").status_code == 200


def test_a_token_of_a_log_in_is_kept_as_its_hash(house: House) -> None:
    client = house.logged_in("viewer-1")
    held = client.cookies["urltrap-login"]
    (row,) = sessions.of_user(house.store, "viewer-1", sessions.Lifetime(DAY, DAY), house.now)
    assert row.token == sessions.digest(held) and held.encode() not in row.token

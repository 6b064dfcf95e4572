from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from urltrap.intel.questions import fresh_until
from urltrap.store import Store, breakers, lookups, open_store, windows
from urltrap.store.errors import StoreLocked
from urltrap.store.lookups import Claim, Question, Wait

NOW = datetime(2026, 1, 31, 23, 59, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def wanted(store: Store, *questions: Question, limits: dict[windows.Span, int] | None = None) -> None:
    with store.begin() as connection:
        windows.declare(connection, "p", limits or {})
        lookups.want(connection, questions, NOW)


def claims(found: list[Claim] | Wait) -> list[str]:
    assert isinstance(found, list), found
    return [claim.question.subject for claim in found]


def wait(found: list[Claim] | Wait) -> Wait:
    assert isinstance(found, Wait), found
    return found


def answer(store: Store, subject: str, fresh: timedelta, *, listed: bool = False) -> None:
    with store.begin() as connection:
        lookups.answered(connection, Question("p", "host", subject), NOW + fresh, listed=listed)


def host(name: str, priority: int = 50) -> Question:
    return Question("p", "host", name, priority)


def test_what_matters_most_is_asked_first(any_store: Store) -> None:
    wanted(any_store, host("late", 40), host("first", 1), host("second", 20))
    assert claims(lookups.claim(any_store, "p", NOW, "w", 5)) == ["first", "second", "late"]
    assert wait(lookups.claim(any_store, "p", NOW, "w")).until == NOW + lookups.LEASE


def test_a_question_is_kept_once_and_moves_up_when_it_is_wanted_more(any_store: Store) -> None:
    wanted(any_store, host("a", 40), host("b", 30))
    with any_store.begin() as connection:
        assert lookups.want(connection, [host("a", 10), host("b", 90)], NOW) == 0
    assert claims(lookups.claim(any_store, "p", NOW, "w", 5)) == ["a", "b"]


def test_quota_is_burnt_for_exactly_what_was_claimed(any_store: Store) -> None:
    wanted(any_store, *(host(str(n)) for n in range(3)), limits={"minute": 4, "day": 10})
    assert len(claims(lookups.claim(any_store, "p", NOW, "w", 16))) == 3
    with any_store.begin() as connection:
        assert {w.span: w.left for w in windows.current(connection, "p", NOW)} == {"minute": 1, "day": 7}


def test_who_is_over_quota_waits_and_is_told_until_when(any_store: Store) -> None:
    wanted(any_store, *(host(str(n)) for n in range(30)), limits={"minute": 2, "day": 3, "month": 100})
    assert len(claims(lookups.claim(any_store, "p", NOW, "w", 5))) == 2
    over = wait(lookups.claim(any_store, "p", NOW, "w", 5))
    assert over.until == NOW + MINUTE / 2 and over.why == "2 of 2 requests of this minute are used"
    next_day = NOW + MINUTE / 2
    assert len(claims(lookups.claim(any_store, "p", next_day, "w", 5))) == 2
    assert len(claims(lookups.claim(any_store, "p", next_day + MINUTE, "w", 5))) == 1
    over = wait(lookups.claim(any_store, "p", next_day + MINUTE, "w", 5))
    assert over.until == datetime(2026, 2, 2, tzinfo=UTC) and "of this day" in over.why


def test_a_clock_that_is_set_back_opens_no_window_twice(any_store: Store) -> None:
    wanted(any_store, *(host(str(n)) for n in range(9)), limits={"minute": 2})
    assert len(claims(lookups.claim(any_store, "p", NOW + MINUTE, "w", 5))) == 2
    assert isinstance(lookups.claim(any_store, "p", NOW, "w", 5), Wait)


def test_a_claim_of_a_dead_worker_comes_back_and_burns_quota_again(any_store: Store) -> None:
    wanted(any_store, host("a"), limits={"day": 2, "month": 9})
    claims(lookups.claim(any_store, "p", NOW - 10 * MINUTE, "dead", 1))
    assert isinstance(lookups.claim(any_store, "p", NOW - 9 * MINUTE, "w", 1), Wait)
    again = lookups.claim(any_store, "p", NOW - 8 * MINUTE, "w", 1)
    assert claims(again) == ["a"]
    assert "2 of 2" in wait(lookups.claim(any_store, "p", NOW - 5 * MINUTE, "w", 1)).why


def test_an_answer_stays_fresh_for_its_time_and_is_asked_again_only_when_wanted_again(
    any_store: Store,
) -> None:
    wanted(any_store, host("a"))
    claims(lookups.claim(any_store, "p", NOW, "w"))
    answer(any_store, "a", timedelta(hours=6))
    with any_store.begin() as connection:
        assert lookups.want(connection, [host("a")], NOW + timedelta(hours=5)) == 0
    assert isinstance(lookups.claim(any_store, "p", NOW + timedelta(hours=7), "w"), Wait)
    with any_store.begin() as connection:
        assert lookups.want(connection, [host("a")], NOW + timedelta(hours=7)) == 1
    found = lookups.claim(any_store, "p", NOW + timedelta(hours=7), "w")
    assert isinstance(found, list) and found[0].negatives == 1


def test_a_failed_question_waits_for_its_time_and_keeps_its_error(any_store: Store) -> None:
    wanted(any_store, host("a"))
    claims(lookups.claim(any_store, "p", NOW, "w"))
    with any_store.begin() as connection:
        lookups.later(connection, host("a"), NOW + 5 * MINUTE, "said\0nothing")
    assert wait(lookups.claim(any_store, "p", NOW, "w")).until == NOW + 5 * MINUTE
    found = lookups.claim(any_store, "p", NOW + 5 * MINUTE, "w")
    assert isinstance(found, list) and found[0].attempts == 1


def test_what_was_answered_before_goes_behind_what_is_new_and_has_a_fifth_of_the_day(
    any_store: Store,
) -> None:
    old = [host(f"old-{n}", 1) for n in range(6)]
    wanted(any_store, *old, limits={"minute": 100, "day": 20})
    claims(lookups.claim(any_store, "p", NOW - timedelta(days=9), "w", 6))
    later = NOW + timedelta(hours=12)
    with any_store.begin() as connection:
        for question in old:
            lookups.answered(connection, question, NOW, listed=False)
        assert lookups.want(connection, [*old, host("new", 90)], later) == 7
        assert lookups.want(connection, old, later) == 0, "wanted once more, it stays behind what is new"
    found = claims(lookups.claim(any_store, "p", later, "w", 10))
    assert found[0] == "new" and len(found) == 5 and all(name.startswith("old-") for name in found[1:])
    over = wait(lookups.claim(any_store, "p", later, "w", 10))
    assert over.until == datetime(2026, 2, 2, tzinfo=UTC) and over.why.startswith(
        "4 of 4 questions of this day"
    )
    with any_store.begin() as connection:
        assert lookups.want(connection, [host("newer", 95)], later) == 1
        assert {w.span: w.left for w in windows.current(connection, "p", later)}["day"] == 15
    assert claims(lookups.claim(any_store, "p", later, "w", 10)) == ["newer"], (
        "new ones are asked all the same"
    )
    next_day = claims(lookups.claim(any_store, "p", later + timedelta(days=1), "w", 20))
    assert sum(name.startswith("old-") for name in next_day) == 4, "each day has its share"


def test_five_failures_in_a_row_open_the_breaker_and_one_probe_closes_it(any_store: Store) -> None:
    wanted(any_store, *(host(str(n)) for n in range(9)))
    with any_store.begin() as connection:
        for _ in range(4):
            assert breakers.failed(connection, "p", NOW, "HTTP 503") is None
        assert breakers.failed(connection, "p", NOW, "HTTP 503") == NOW + MINUTE
    assert wait(lookups.claim(any_store, "p", NOW, "w", 5)) == Wait(NOW + MINUTE, "HTTP 503")
    assert len(claims(lookups.claim(any_store, "p", NOW + MINUTE, "w", 5))) == 1, "one probe"
    assert isinstance(lookups.claim(any_store, "p", NOW + MINUTE, "v", 5), Wait)
    with any_store.begin() as connection:
        breakers.succeeded(connection, "p", NOW + MINUTE)
    assert len(claims(lookups.claim(any_store, "p", NOW + MINUTE, "w", 5))) == 5


def test_a_probe_that_fails_doubles_the_pause_up_to_an_hour(any_store: Store) -> None:
    moment, pauses = NOW, []
    wanted(any_store, *(host(str(n)) for n in range(20)))
    with any_store.begin() as connection:
        for _ in range(5):
            until = breakers.failed(connection, "p", moment, "down")
    for _ in range(8):
        assert until is not None
        pauses.append((until - moment) // MINUTE)
        moment = until
        claims(lookups.claim(any_store, "p", moment, "w"))
        with any_store.begin() as connection:
            until = breakers.failed(connection, "p", moment, "down")
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_refused_key_is_not_tried_again_before_the_configuration_changes(any_store: Store) -> None:
    wanted(any_store, host("a"))
    with any_store.begin() as connection:
        breakers.refused(connection, "p", NOW, "the key is refused", "fingerprint-1"[:16])
    found = wait(lookups.claim(any_store, "p", NOW + timedelta(days=400), "w"))
    assert found == Wait(None, "the key is refused")
    with any_store.begin() as connection:
        breakers.configured(connection, "p", NOW, "fingerprint-1"[:16])
    assert isinstance(lookups.claim(any_store, "p", NOW, "w"), Wait)
    with any_store.begin() as connection:
        breakers.configured(connection, "p", NOW, "fingerprint-2")
    assert claims(lookups.claim(any_store, "p", NOW, "w")) == ["a"]


def test_too_many_without_a_moment_waits_for_the_full_minute_and_then_ever_longer(any_store: Store) -> None:
    wanted(any_store, host("a"))
    moment, pauses = NOW.replace(second=20), []
    for _ in range(8):
        with any_store.begin() as connection:
            until = breakers.limited(connection, "p", moment, None, "HTTP 429")
        assert wait(lookups.claim(any_store, "p", moment, "w")) == Wait(until, "HTTP 429")
        pauses.append((until - moment).total_seconds())
        moment = until
    assert pauses[0] == 40, "windows are fixed: a new one begins at the full minute"
    assert pauses[1:] == [60 * minutes for minutes in (2, 4, 8, 16, 32, 60, 60)]


def test_not_listed_holds_six_hours_doubling_to_seven_days_and_listed_seven_days() -> None:
    for negatives, hours in enumerate((6, 12, 24, 48, 96, 168, 168)):
        assert fresh_until(NOW, listed=False, negatives=negatives) == NOW + timedelta(hours=hours)
    assert fresh_until(NOW, listed=False, negatives=10**6) == NOW + timedelta(days=7)
    assert fresh_until(NOW, listed=True, negatives=3) == NOW + timedelta(days=7)


def test_the_provider_s_own_figures_replace_ours(any_store: Store) -> None:
    wanted(any_store, *(host(str(n)) for n in range(9)), limits={"minute": 4, "day": 500})
    with any_store.begin() as connection:
        windows.learn(connection, "p", "day", NOW, most=1, used=0)
        windows.declare(connection, "p", {"minute": 4, "day": 500})
    assert len(claims(lookups.claim(any_store, "p", NOW, "w", 9))) == 1
    with any_store.begin() as connection:
        windows.learn(connection, "p", "day", NOW, most=500, used=498)
    assert len(claims(lookups.claim(any_store, "p", NOW, "w", 9))) == 2


def test_many_threads_together_stay_within_the_quota(database_url: str) -> None:
    store = open_store(database_url)
    wanted(store, *(host(f"{n:03}") for n in range(60)), limits={"day": 37})
    got: list[str] = []
    lock = threading.Lock()

    def work(name: str) -> None:
        while True:
            try:
                found = lookups.claim(store, "p", NOW - MINUTE, name, 3)
            except StoreLocked:
                continue  # MariaDB breaks a deadlock by refusing one of the two, who asks again as the worker does
            if not isinstance(found, list):
                return
            with lock:
                got.extend(claim.question.subject for claim in found)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(got) == len(set(got)) == 37
    store.close()


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (0, NOW),
        (1, NOW + MINUTE / 2),
        (2, NOW + MINUTE / 2),
        (3, NOW + MINUTE * 1.5),
        (10, datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=1)),
        (15, datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=2)),
    ],
)
def test_a_waiting_question_says_before_when_it_cannot_be_asked(position: int, expected: datetime) -> None:
    found = [
        windows.Window("minute", NOW.replace(second=0), 1, 2),
        windows.Window("day", NOW.replace(hour=0, minute=0, second=0), 0, 5),
    ]
    assert windows.expected(found, position, NOW) == expected


def test_the_month_ends_where_it_ends() -> None:
    assert windows.span_end("month", datetime(2026, 12, 1, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
    assert windows.span_start("month", NOW) == datetime(2026, 1, 1, tzinfo=UTC)

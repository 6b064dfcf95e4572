"""Who may connect, and who makes room for whom."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections import Counter
from typing import Any

import asyncssh
import pytest

from urltrap.model.admission_settings import AdmissionSettings
from urltrap.model.event import BudgetSpent, Connected, Disconnected, FloodCounted
from urltrap.sensors.admission import MAX_SOURCES, OTHERS, Admission, Places, Ticket
from urltrap.sensors.buckets import SLOTS, Buckets
from urltrap.sensors.listener import Listener
from urltrap.sensors.memory import MemoryWatch, resident_bytes
from urltrap.sensors.session import ErrorLog

from .conftest import PASSWORD, ListJournal, bound


class Door(Admission):
    """A door with a clock and dice of its own."""

    def __init__(
        self, *, total: int = 10_000, per_source: int = 10_000, dice: float = 0.0, **settings: Any
    ) -> None:
        self.now = 1000.0
        self.told = ListJournal()
        self.dropped: list[str] = []
        self.places = Places(total)
        super().__init__(
            "ssh",
            self.told,
            places=self.places,
            settings=AdmissionSettings(**settings),
            per_source=per_source,
            clock=lambda: self.now,
            chance=lambda: dice,
        )

    def come(self, source: str) -> Ticket | None:
        ticket = self.enter(source)
        if ticket is not None:
            ticket.drop = lambda: self.dropped.append(source)
        return ticket

    def told_shed(self) -> dict[str, int]:
        self.flush()
        return {event.src_ip: event.count for event in self.told.of(FloodCounted)}


def test_shed_connections_are_counted_per_source_in_a_bounded_table() -> None:
    door = Door(total=1)
    assert door.come("192.0.2.1") and door.come("192.0.2.2") is None  # of one network: no newcomer
    sources = [f"192.0.2.{n % 200 + 20}" for n in range(400)]
    for number in range(MAX_SOURCES + 100):
        door.shed(f"s{number}")
    for source in sources:
        assert door.come(source) is None
    counted = door.told_shed()
    assert len(counted) == MAX_SOURCES + 1
    assert sum(counted.values()) == MAX_SOURCES + 501
    assert len({event.id for event in door.told.events}) == len(counted)
    assert counted["192.0.2.2"] == 1 and counted[OTHERS] == 101 + len(sources)


def test_a_minute_of_shedding_is_told_when_it_is_over() -> None:
    door = Door(per_source=1)
    door.come("192.0.2.1")
    assert door.come("192.0.2.1") is None
    door.tell()
    assert not door.told.events
    door.now += 61
    door.tell()
    (event,) = door.told.of(FloodCounted)
    assert (event.src_ip, event.count, (event.at - event.since).total_seconds()) == ("192.0.2.1", 1, 61)


def test_one_source_cannot_take_all_places_and_gets_its_own_back() -> None:
    door = Door(per_source=3)
    tickets = [door.come("192.0.2.1") for _ in range(5)]
    assert [bool(ticket) for ticket in tickets] == [True] * 3 + [False] * 2
    assert door.come("192.0.2.2")
    assert tickets[0] is not None
    tickets[0].leave()
    tickets[0].leave()  # a second time changes nothing
    assert door.come("192.0.2.1") and door.inside == 4


@pytest.mark.parametrize(
    ("one", "other", "stranger"),
    [
        ("192.0.2.1", "192.0.2.1", "198.51.100.1"),
        ("2001:db8:0:7::1", "2001:db8:0:7:ffff::1", "2001:db8:1::1"),
        ("fe80::1%eth0", "fe80::2%eth0", "2001:db8::1"),
    ],
)
def test_a_source_has_a_rate_whatever_its_last_half_of_an_address_says(
    one: str, other: str, stranger: str
) -> None:
    door = Door(per_second=2, burst=5, network_factor=1)
    assert [bool(door.come(one)) for _ in range(4)] + [bool(door.come(other)) for _ in range(3)] == (
        [True] * 5 + [False] * 2
    )
    assert door.come(stranger)
    door.now += 1
    assert [bool(door.come(one)) for _ in range(3)] == [True, True, False]


def test_a_network_has_a_wider_rate_of_its_own() -> None:
    door = Door(per_second=1, burst=2, network_factor=3)
    assert sum(door.come(f"192.0.2.{n}") is not None for n in range(20)) == 6
    assert door.come("198.51.100.7")


def test_a_clock_that_is_set_back_shuts_nobody_out() -> None:
    door = Door(per_second=1, burst=3)
    door.come("192.0.2.1")
    door.now -= 10_000
    assert [bool(door.come("192.0.2.1")) for _ in range(3)] == [True, True, False]


def test_who_is_in_the_crowd_is_dropped_at_random_as_sshd_does_it() -> None:
    def let_in(dice: float, crowd: int) -> bool:
        door = Door(startups=(10, 30, 100), dice=dice)
        for _ in range(crowd):
            ticket = Ticket(door, "192.0.2.1", "192.0.2")
            door.crowd.add(ticket)
        return door.come("192.0.2.1") is not None

    assert let_in(0.0, 9)
    assert not let_in(0.29, 10) and let_in(0.31, 10)  # 30 % at the beginning
    assert not let_in(0.64, 55) and let_in(0.66, 55)  # half way: 65 %
    assert not let_in(0.999, 100)  # nobody at the end


def test_newcomers_take_the_place_of_the_oldest_of_the_heaviest_network() -> None:
    door = Door(total=6, per_source=100)
    for source in ("192.0.2.1", "198.51.100.1", "198.51.100.2", "198.51.100.3", "203.0.113.1"):
        assert door.come(source)
    assert door.come("198.51.100.4")
    assert door.come("198.51.100.5") is None  # full, and it has some already
    assert door.come("10.0.0.1")
    assert door.come("10.0.1.1")
    assert door.dropped == ["198.51.100.1", "198.51.100.2"]
    assert door.told_shed() == {"198.51.100.5": 1}


def test_who_is_logged_in_is_never_dropped() -> None:
    door = Door(total=2)
    first, second = door.come("192.0.2.1"), door.come("198.51.100.1")
    assert first is not None and second is not None
    first.logged_in()
    assert door.come("203.0.113.1") and door.dropped == ["198.51.100.1"]
    second.logged_in()  # it was, a moment too late
    assert door.crowd.size == 1
    assert door.come("10.0.0.1") and door.come("10.0.1.1")
    for ticket in list(door.crowd._networks["10.0.1"]):
        ticket.logged_in()
    assert door.come("10.0.2.1") is None


def test_newcomers_come_through_a_flood_from_hundreds_of_sources() -> None:
    door = Door(total=2000, per_source=50, startups=(200, 30, 800), dice=0.5)
    for number in range(20_000):
        door.come(f"10.{number % 200}.0.1")
    assert door.crowd.size <= 801
    newcomers = [door.come(f"172.16.{number}.9") for number in range(100)]
    assert all(newcomers)
    assert door.crowd.size <= 801 and all(source.startswith("10.") for source in door.dropped)


def test_the_crowd_is_counted_right_whatever_comes_and_goes() -> None:
    door = Door()
    tickets = [door.come(f"10.0.{n % 7}.{n % 3}") for n in range(200)]
    for number, ticket in enumerate(tickets):
        if ticket is not None and number % 3:
            ticket.logged_in() if number % 2 else ticket.leave()
    left = [ticket for number, ticket in enumerate(tickets) if ticket is not None and number % 3 == 0]
    assert door.crowd.size == len(left)
    assert door.crowd.oldest_of_heaviest() in left
    for ticket in left:
        ticket.leave()
    assert door.crowd.size == 0 and door.crowd.oldest_of_heaviest() is None


def test_buckets_never_grow_and_seldom_mistake_one_for_another() -> None:
    buckets = Buckets(1, 5)
    for number in range(2000):
        for _ in range(6):
            buckets.take(f"flood{number}", 0.0)
    strangers = [buckets.take(f"stranger{number}", 0.0) for number in range(2000)]
    assert sum(strangers) > 1950  # (2000 / 65536) squared of them share both slots
    assert len(buckets._first) == len(buckets._second) == SLOTS


# ---- the listening socket ----


class Served(asyncio.Protocol):
    def __init__(self, ticket: Ticket) -> None:
        self.ticket = ticket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(b"hello\n")  # type: ignore[attr-defined]

    def connection_lost(self, exc: Exception | None) -> None:
        self.ticket.leave()


async def test_what_is_shed_is_told_so_and_counted_before_anything_is_built() -> None:
    door, sock, made = Door(per_source=2), bound(), []

    def make(ticket: Ticket) -> Served:
        made.append(ticket)
        return Served(ticket)

    listener = Listener(sock, door, make, ErrorLog(), b"Exceeded MaxStartups\r\n")
    answers, writers = [], []
    for _ in range(5):
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        writers.append(writer)
        answers.append(await reader.readline())
    assert answers == [b"hello\n"] * 2 + [b"Exceeded MaxStartups\r\n"] * 3
    assert len(made) == 2 and door.told_shed() == {"127.0.0.1": 3}
    for writer in writers:
        writer.close()
    await listener.close()


async def test_without_descriptors_the_kernels_queue_waits_and_is_served_later(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("urltrap.sensors.listener._PAUSE_SECONDS", 0.01)
    door, sock = Door(), bound()

    class Short(socket.socket):
        refusals = 3

        def accept(self) -> Any:
            if Short.refusals:
                Short.refusals -= 1
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return super().accept()

    short = Short(fileno=sock.detach())
    listener = Listener(short, door, Served, ErrorLog())
    reader, writer = await asyncio.open_connection(*short.getsockname())
    assert await reader.readline() == b"hello\n"
    assert Short.refusals == 0 and not listener.paused
    assert capsys.readouterr().out.count("left_out=0") == 1  # told once, not three times
    writer.close()
    await listener.close()


# ---- memory ----


def test_where_memory_is_short_only_newcomers_get_in_until_it_is_free_again() -> None:
    door, used, freed = Door(), [50], []
    watch = MemoryWatch(door.places, 100, lambda: used[0], lambda: freed.append(True))
    assert door.come("192.0.2.1")
    used[0] = 101
    assert not watch.look()
    assert door.come("192.0.2.2") is None and door.come("198.51.100.1") and door.dropped == ["192.0.2.1"]
    used[0] = 95
    assert not watch.look() and door.places.strained and freed == [True]
    used[0] = 80
    assert not watch.look()
    assert door.come("192.0.2.2")


def test_memory_that_no_connection_holds_is_freed_by_a_restart() -> None:
    places = Places(100)
    watch = MemoryWatch(places, 100, lambda: 200, lambda: None)
    places.taken = 50
    assert not any(watch.look() for _ in range(200))
    places.taken = 3
    assert [watch.look() for _ in range(60)] == [False] * 59 + [True]


def test_the_memory_of_this_process_is_read() -> None:
    assert 1_000_000 < resident_bytes() < 1 << 40
    assert not MemoryWatch(Places(1), 0, read=lambda: 1 << 60).look()


# ---- with the real sensors ----


def ignored(count: int) -> bytes:
    """SSH packets in the clear that carry nothing (IGNORE)."""
    return ((31_996).to_bytes(4, "big") + b"\x04\x02" + bytes(31_994)) * count


async def test_a_stream_of_nothing_ends_before_log_in(trap: Any) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", trap.port)
    writer.write(b"SSH-2.0-x\r\n")
    try:
        while True:
            writer.write(ignored(4))
            await writer.drain()
    except ConnectionError:
        writer.close()
    (end,) = await trap.journal.wait_for(Disconnected)
    assert (end.reason, end.detail) == ("budget", "bytes") and 1_000_000 < end.bytes_in < 2_000_000
    assert [event.what for event in trap.journal.of(BudgetSpent)] == ["bytes"]


async def test_a_half_open_connection_makes_room_for_somebody_else_who_logs_in(trap_builder: Any) -> None:
    trap = await trap_builder(total=3)
    held = [await asyncio.open_connection("127.0.0.1", trap.port) for _ in range(3)]
    reader, writer = await asyncio.open_connection("127.0.0.1", trap.port)
    assert await reader.readline() == b"Exceeded MaxStartups\r\n"
    writer.close()
    async with asyncssh.connect(
        "127.0.0.1", trap.port, local_addr=("127.9.9.9", 0), username="root", password=PASSWORD,
        client_keys=None, known_hosts=None, config=None, agent_path=None,
    ) as client:  # fmt: skip
        assert (await client.run("in")).stdout == "in\n"
    assert next(end.detail for end in trap.journal.of(Disconnected)) == "made room for a newcomer"
    assert await held[0][0].read() != b"" and held[0][0].at_eof()
    for _, writer in held:
        writer.close()


async def test_two_hundred_sources_flood_a_newcomer_works_and_every_connection_is_accounted_for(
    trap_builder: Any,
) -> None:
    trap = await trap_builder(admission=AdmissionSettings(startups=(20, 30, 60)))
    came: Counter[str] = Counter()
    held = []
    for number in range(400):
        source = f"127.{number % 20}.0.{number % 200 + 1}"
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((source, 0))
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", trap.port))
        came[source] += 1
        if number % 4:
            held.append(sock)
        else:
            sock.close()
    async with asyncssh.connect(
        "127.0.0.1", trap.port, local_addr=("127.100.9.9", 0), username="root", password=PASSWORD,
        client_keys=None, known_hosts=None, config=None, agent_path=None,
    ) as client:  # fmt: skip
        assert (await client.run("in")).stdout == "in\n"
    assert trap.sensor.admission.crowd.size <= 61
    for sock in held:
        sock.close()
    await trap.sensor.stop()
    accounted = Counter(event.src_ip for event in trap.journal.of(Connected))
    assert accounted.pop("127.100.9.9") == 1
    assert 0 < sum(accounted.values()) < 400
    for event in trap.journal.of(FloodCounted):
        accounted[event.src_ip] += event.count
    assert accounted == came and len(came) == 200

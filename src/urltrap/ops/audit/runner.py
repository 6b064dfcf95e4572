"""Asking a server the probes: many at a time, each in a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from urltrap.ops.audit import messages
from urltrap.ops.audit.client import NotSsh, ProbeClient, ServerEnded
from urltrap.ops.audit.probe import Action, Answer, Probe, Stage
from urltrap.ops.audit.shown import merged, shown, shown_clear

_LONGEST = 30.0
_AFTER = 0.1
_PATIENCE = 6.0
_KNOWN_BY_NAME = {"EXT_INFO(": "EXT_INFO", "GLOBAL_REQUEST(hostkeys-00": "HOST_KEYS"}


@dataclass(frozen=True, slots=True)
class Target:
    """A server to ask, and a way in for the probes behind log-in: a user with a password or with a private key of
    asyncssh. `silence` is how many seconds without a message count as the end of an answer."""

    host: str
    port: int
    user: str = ""
    password: str | None = None
    key: Any = None
    silence: float = 0.4
    at_a_time: int = 16

    @property
    def can_enter(self) -> bool:
        """Whether probes behind log-in can be asked."""
        return bool(self.user) and (self.password is not None or self.key is not None)


async def ask_all(target: Target, probes: Iterable[Probe]) -> Mapping[str, Answer]:
    """The answers by the probes' names; those behind log-in only where there is a way in."""
    wanted = [probe for probe in probes if probe.stage is not Stage.ENTERED or target.can_enter]
    slots = asyncio.Semaphore(target.at_a_time)

    async def one(probe: Probe) -> Answer:
        async with slots:
            return await ask(target, probe)

    answers = await asyncio.gather(*(one(probe) for probe in wanted))
    return {probe.name: answer for probe, answer in zip(wanted, answers, strict=True)}


async def ask(target: Target, probe: Probe) -> Answer:
    """The answer to one probe; an `end` that begins with "not asked" says why it could not be asked."""
    try:
        async with asyncio.timeout(_LONGEST):
            client = await ProbeClient.connect(target.host, target.port)
            async with client:
                if probe.stage is Stage.GREETED:
                    return await _ask_clear(client, target, probe)
                await _advance(client, target, probe)
                return await _ask_encrypted(client, target, probe)
    except ServerEnded as error:
        return Answer((), f"not asked: {error.how} too early")
    except NotSsh as error:
        return Answer((), f"not asked: {error}")
    except TimeoutError:
        return Answer((), "not asked: no answer")
    except OSError as error:
        return Answer((), f"not asked: {error.strerror or type(error).__name__}")


async def _advance(client: ProbeClient, target: Target, probe: Probe) -> None:
    client.send_raw(messages.VERSION)
    await client.exchange_keys(strict=probe.strict)
    if probe.stage is Stage.SERVED:
        client.send(messages.service())
        while (await client.receive())[:1] != b"\x06":
            pass
    elif probe.stage is Stage.ENTERED:
        await client.log_in(target.user, target.password, target.key)


async def _ask_clear(client: ProbeClient, target: Target, probe: Probe) -> Answer:
    stream, end = b"", "open"

    async def listen() -> None:
        nonlocal stream, end
        try:
            while True:
                async with asyncio.timeout(target.silence):
                    stream += await client.read_raw()
        except TimeoutError:
            pass
        except ServerEnded as error:
            end = error.how

    for step in probe.steps:
        if step is Action.PAUSE:
            await listen()
        elif step is Action.END:
            client.end()
        elif isinstance(step, bytes):
            client.send_raw(step)
    await listen()
    found: list[str] = []
    # Lines before the packets: what a server says that will not go on, or one that greets twice.
    while stream and stream[:1] != b"\0" and b"\n" in stream:
        line, _, stream = stream.partition(b"\n")
        found.append(repr(line + b"\n")[1:])
    packets, rest = shown_clear(stream)
    found += packets
    if rest:
        found.append(f"{len(rest)} encrypted bytes" if "NEWKEYS" in packets[-1:] else repr(rest[:200])[1:])
    return Answer(tuple(found), end)


def _brief(message: str, probe: Probe) -> str:
    # sshd tells the holder of a key what the key may do, with the path of the file that lists it.
    if message.startswith("DEBUG(") and ": key options: " in message:
        return ""
    if not probe.whole:
        for long, short in _KNOWN_BY_NAME.items():
            if message.startswith(long):
                return short
    return message


async def _ask_encrypted(client: ProbeClient, target: Target, probe: Probe) -> Answer:
    found: list[str] = []
    end = "open"

    async def listen(until: str) -> None:
        nonlocal end
        # Who refuses a password takes his time, and so does a busy server that starts a command.
        wait = target.silence + (_PATIENCE if until else 0)
        try:
            while True:
                async with asyncio.timeout(wait):
                    message = _brief(shown(await client.receive(), hide_data=probe.hide_data), probe)
                found.append(message)
                if until and message.startswith(until):
                    wait = _AFTER
        except TimeoutError:
            pass
        except ServerEnded as error:
            end = error.how

    for step in probe.steps:
        if end != "open":
            break
        if step is Action.PAUSE:
            await listen("")
        elif step is Action.REKEY:
            heard: list[bytes] = []
            await client.exchange_keys(heard=heard)
            found.extend(_brief(shown(payload, hide_data=probe.hide_data), probe) for payload in heard)
        elif step is Action.END:
            client.end()
        else:
            client.send(step)
    if end == "open":
        await listen(probe.until)
    return Answer(merged(found), end)

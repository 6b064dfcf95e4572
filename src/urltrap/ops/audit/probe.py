"""A probe: what is sent at which stage of a connection. Pure data; `runner` sends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """How far the runner brings a connection before a probe's own part begins."""

    GREETED = "greeted"
    """Connected; the server's identification is read, ours is not sent."""
    KEYED = "keyed"
    """Keys are in use; no service was asked for."""
    SERVED = "served"
    """ssh-userauth is accepted."""
    ENTERED = "entered"
    """Logged in."""


class Action(Enum):
    """A step that is no fixed message."""

    PAUSE = "pause"
    """Wait until the server is silent for a moment."""
    REKEY = "rekey"
    """A whole key exchange, begun by the client."""
    END = "end"
    """The client sends no more (half-close)."""


Step = bytes | Action
"""Bytes: raw on the wire at `GREETED`, later the payload of one packet."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One question. `until`: an answer that begins with this ends the wait early. `weight`: how much a difference
    gives away, 1 (only who looks for it) to 5 (what scanners ask of the whole Internet). `strict`: whether the client
    offers strict key exchange (`KEYED` and later)."""

    name: str
    stage: Stage
    steps: tuple[Step, ...]
    weight: int = 2
    until: str = ""
    strict: bool = False
    hide_data: bool = False
    """Leave out what programs print: the question is about messages only."""
    whole: bool = False
    """Show all of what every connection begins with (EXT_INFO, the host keys), instead of their names only."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server sent, message by message, and how the connection stood then: open, closed or reset."""

    messages: tuple[str, ...]
    end: str

    def __str__(self) -> str:
        return " ".join((*self.messages, f"[{self.end}]"))

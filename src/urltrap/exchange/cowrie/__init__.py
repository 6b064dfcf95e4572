"""Cowrie's JSON log, both ways: its lines become our events, our events become its lines."""

from urltrap.exchange.cowrie.fields import CowrieLineError
from urltrap.exchange.cowrie.following import Follower, LogPosition
from urltrap.exchange.cowrie.reading import CowrieReader
from urltrap.exchange.cowrie.sources import LogFile, LogFileError, find_logs, lines_of
from urltrap.exchange.cowrie.writing import CowrieWriter

__all__ = [
    "CowrieLineError",
    "CowrieReader",
    "CowrieWriter",
    "Follower",
    "LogFile",
    "LogFileError",
    "LogPosition",
    "find_logs",
    "lines_of",
]

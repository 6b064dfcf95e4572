"""What a provider is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from urltrap.model.url import Url
from urltrap.model.verdict import Observation


class Provider(Protocol):
    """A source of reputation that is asked about URLs.

    `name` is a short word; `version` changes when its answers may have changed, so that everything is looked up again.
    """

    name: str

    @property
    def version(self) -> str:
        """Version of the data behind the answers; empty where there is none yet."""
        ...

    def look_up(self, urls: Sequence[Url], at: datetime) -> list[list[Observation]]:
        """For each URL what the provider says of it and of its host; an `error` observation where it cannot say.

        Look-up only: nothing is submitted, and nothing is told about the URL to whoever serves it.
        """
        ...

"""Why a provider or a download gave no answer. Messages are our own words: no address, no key, no answer's text."""

from __future__ import annotations

from datetime import datetime


class ProviderError(Exception):
    """No answer, which is not "not listed". It counts as a failure of the provider."""


class Unavailable(ProviderError):
    """It could not be reached in time, or says that it has a problem of its own."""


class Malformed(ProviderError):
    """What came is no answer of this provider: HTML, cut JSON, another shape."""


class TooLarge(ProviderError):
    """The answer is larger than any of this provider's may be."""


class Refused(ProviderError):
    """The key is missing, wrong or not allowed to ask this: asking again is of no use before it changes."""


class Limited(ProviderError):
    """Too many questions. `until`: when it may be asked again, where the provider says so."""

    def __init__(self, message: str, until: datetime | None = None) -> None:
        super().__init__(message)
        self.until = until


class Unaskable(ProviderError):
    """This provider cannot be asked about this subject (its own rule); no failure of anybody."""

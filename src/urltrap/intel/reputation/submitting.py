"""What a service is that URLs or payloads are submitted to: whoever looks at them then fetches them, and may show them.

A submission is never a look-up: it tells a third party what was seen here. Nothing calls `submit` but the pipeline's
stage of that name, which sends what an operator or the settings asked for and what its gate lets through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from urltrap.intel.reputation.asked import Service, Tools
from urltrap.model.intel_settings import Visibility
from urltrap.model.verdict import SubjectKind


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is handed over: a canonical URL, or a payload with its `body`. `tags`: what we know of it, in few words."""

    kind: SubjectKind
    value: str
    tags: tuple[str, ...] = ()
    body: bytes = b""
    visibility: Visibility = "private"


@dataclass(frozen=True, slots=True)
class Receipt:
    """That it was taken: the service's own id of it (may be empty), and where a person sees what came out."""

    id: str
    link: str
    detail: str = ""


class Submitter(Service):
    """A service that takes submissions. `name` is that of its queue, which has a quota and a breaker of its own.

    `to`: what people call it. `shares`: the provider whose quota a submission uses up as well. `tells`: who learns
    what, one sentence for whoever is asked to confirm. `reports`: it publishes what it is told as malware, so that it
    is told only what is.
    """

    to: ClassVar[str]
    shares: ClassVar[str] = ""
    tells: ClassVar[str]
    reports: ClassVar[bool] = False
    key_needed = True

    async def submit(self, tools: Tools, parcel: Parcel) -> Receipt:
        """Hand it over, once. Raises ProviderError kinds; Unaskable where it will never take this one."""
        raise NotImplementedError

"""One conversation of a box with a host: where it went, whose it is, and how it is recorded and answered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from urltrap.model.capture import FetchRequest
from urltrap.model.event import WireProtocol
from urltrap.sandbox.uplink.downloads import Download, Downloads, client_of
from urltrap.sandbox.uplink.record import BoxRecord

Address = tuple[str, int]
Owner = asyncio.Future[tuple[list[bytes], str]]
"""Whose a socket in the box is, once that is known: the program's arguments, the session that it belongs to."""


@dataclass(frozen=True, slots=True)
class Visit:
    """`host`: the name that the address of `target` was given out for, or that the client said; empty for none."""

    target: Address
    host: str
    owner: Owner
    record: BoxRecord
    downloads: Downloads

    @property
    def place(self) -> str:
        """The host as URLs have it."""
        return self.host or self.target[0]

    def url(self, scheme: str, path: bytes = b"", usual: int = 0) -> bytes:
        """A URL of this host; the port is left out where it is the scheme's `usual` one."""
        port = "" if self.target[1] == usual else f":{self.target[1]}"
        return f"{scheme}://{self.place}{port}".encode("utf-8", "replace") + path

    async def seen(self, protocol: WireProtocol, url: bytes, *, agent: bytes = b"", **fields: Any) -> None:
        """Record what was asked for."""
        argv, session = await self.owner
        self.record.seen(
            protocol, url, session, argv=argv, client=client_of(argv, agent), user_agent=agent, host=self.host[:253],
            dst_ip=self.target[0], dst_port=self.target[1], **fields,
        )  # fmt: skip

    async def get(self, url: bytes, *, agent: bytes = b"", **fields: Any) -> Download:
        """What the fetcher has for a URL."""
        argv, session = await self.owner
        return await self.downloads.get(
            FetchRequest(
                url=url,
                client=client_of(argv, agent),
                user_agent=agent,
                follow_redirects=False,
                for_session=session,
                **fields,
            )
        )

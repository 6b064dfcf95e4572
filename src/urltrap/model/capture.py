"""A capture: one attempt to fetch a URL, with its outcome."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from urltrap.model.base import Model, RawBytes, Utc

CaptureOutcome = Literal[
    "fetched",  # an answer came and its body is in the quarantine (HTTP errors with a body included: see `status`)
    "recorded",  # egress.mode = "record", or the kill switch: nothing left the machine
    "withheld",  # a GET that is itself an attack (exploit-shaped path or query): recorded, not sent
    "refused-address",  # the host is or resolves to an address that must not be contacted
    "bad-url",  # cannot be parsed, or a scheme that is not fetched
    "dns-failure",  # the name does not resolve
    "connect-failed",  # refused, unreachable, reset before an answer
    "timed-out",
    "too-large",  # the body exceeded the limit; its beginning is kept
    "too-many-redirects",
    "tls-failed",
    "protocol-error",  # the server's answer was not of its protocol
    "not-found",  # ftp/tftp: no such file
    "limited",  # a rate limit of ours: nothing was sent, a later attempt is due
]


CapturePurpose = Literal[
    "attack",  # a program of an attacker's asked, or an attacker named the URL
    "retry",  # ours: the server could not be reached before
    "client",  # ours: the server answered another client otherwise than attackers would have wanted
    "sibling",  # ours: the same file for another architecture, which no attacker named
    "recheck",  # ours: whether the URL still answers; no body is kept
]


class Certificate(Model):
    """A server's TLS certificate, as it says itself: nothing of it was verified. Names in RFC 4514 form, bounded."""

    sha256: str
    subject: str = ""
    issuer: str = ""
    serial: str = ""
    not_before: Utc | None = None
    not_after: Utc | None = None
    names: list[str] = []


class Hop(Model):
    """One request of a redirect chain."""

    url: str
    address: str = ""
    status: int | None = None
    location: RawBytes = b""


class Capture(Model):
    """One attempt to fetch a URL: what was asked, what came, when, and for which client it was done.

    `url` is canonical. `sha256` names the artifact where a body was kept. `client` and `user_agent` are what the
    server was told. `shared` is true where an earlier attempt within the window answered. `addresses` are all that the
    host had, `address` the one that was asked (both of the last hop). `connected_ms` and `answered_ms` are the moments,
    since the last hop's transfer began, when the connection stood and when the answer's head was there. `purpose` tells
    attackers' questions from ours.
    """

    url: str
    at: Utc
    client: str = "urltrap"
    user_agent: RawBytes = b""
    outcome: CaptureOutcome
    detail: str = ""
    status: int | None = None
    reason: RawBytes = b""
    headers: list[tuple[RawBytes, RawBytes]] = []
    hops: list[Hop] = []
    address: str = ""
    tls_certificate_sha256: str = ""
    certificate: Certificate | None = None
    addresses: list[str] = []
    size: int | None = None
    sha256: str | None = None
    complete: bool = True
    elapsed_ms: int = Field(default=0, ge=0)
    connected_ms: int | None = None
    answered_ms: int | None = None
    shared: bool = False
    for_session: str = ""
    purpose: CapturePurpose = "attack"


class FetchRequest(Model):
    """What a program of the machine (or the pipeline) asks of the fetcher.

    `url` as the client would send it, raw; `client` the program ("wget", "curl", "busybox-wget", "tftp", …) and
    `user_agent` what that program sends. `username`/`password` only for FTP. `headers` are the command's own (-H),
    kept in the journal, of which only harmless ones are sent. `purpose` says whose question it is: a retry and a
    re-check are not answered from memory where that holds a failure. `probe` asks for the first byte only (Range) and
    keeps none: for servers that do not answer HEAD.
    """

    url: RawBytes
    client: str
    user_agent: RawBytes = b""
    method: Literal["GET", "HEAD"] = "GET"
    headers: list[tuple[RawBytes, RawBytes]] = []
    username: RawBytes = b""
    password: RawBytes = b""
    follow_redirects: bool = True
    for_session: str = ""
    purpose: CapturePurpose = "attack"
    probe: bool = False

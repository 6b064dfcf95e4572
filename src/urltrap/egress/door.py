"""One attempt to fetch a URL: every request of it is judged, resolved, checked, limited and only then sent.

The order is the guarantee: attack shape, rate, one resolution, address policy, rate of the network, place, transfer to
the very address that was checked; and the same again for each redirect.
"""

from __future__ import annotations

import asyncio
import ipaddress
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes, urljoin

from urltrap.egress.address import AddressPolicy, IpAddress
from urltrap.egress.attack import attack_shape, other_service
from urltrap.egress.clients import effective_user_agent, family, request_headers
from urltrap.egress.ftp import ftp_retrieve
from urltrap.egress.http import http_request, insecure_context
from urltrap.egress.interfaces import own_addresses
from urltrap.egress.limits import Places, RateWindow, TooBusy
from urltrap.egress.resolver import NameNotResolved, NameRefused, Resolver, addresses_of
from urltrap.egress.switch import KillSwitch
from urltrap.egress.tftp import BUSYBOX_OPTIONS, tftp_retrieve
from urltrap.egress.transfer import Answer, Body, Limits, TransferFailed
from urltrap.model.capture import Capture, FetchRequest, Hop
from urltrap.model.settings import EgressSettings
from urltrap.model.url import Url, UrlError, parse_url
from urltrap.quarantine import Quarantine

FETCHED_SCHEMES = frozenset(("http", "https", "ftp", "ftps", "tftp"))
_REDIRECT_SCHEMES = frozenset(("http", "https", "ftp", "ftps"))
MAX_URL = 8192
"""Bytes of a URL, raw and canonical; longer ones are refused, and of them only the beginning is recorded."""
_MAX_TRIED = 3
"""Addresses of one name that are tried, one behind the other, where the first cannot be connected to."""
_MAX_WAIT_SECONDS = 15.0
"""How long a request may wait for its turn before it is "limited"."""
_OWN_SECONDS = 60.0
_MOST_TO_ONE_HOST = 4
"""Transfers at once."""
_NETWORK_SHARE = 2
"""A /24 (IPv6: /64) may be asked this many times as often as one host: shared hosting has many names."""


class _Refused(TransferFailed):
    """A rule of ours, before anything was sent."""


class Door:
    """Makes attempts. `resolver` answers names, `policy` says which addresses may be contacted, `switch` if any."""

    def __init__(
        self,
        settings: EgressSettings,
        quarantine: Quarantine,
        resolver: Resolver,
        policy: AddressPolicy,
        switch: KillSwitch,
    ) -> None:
        self._settings = settings
        self._quarantine = quarantine
        self._resolver = resolver
        self._policy = policy
        self._switch = switch
        self._own_read = float("-inf")
        self._loop = asyncio.get_running_loop()
        self._rates = RateWindow(self._loop.time)
        self._places = Places(settings.concurrent, max(1, min(_MOST_TO_ONE_HOST, settings.concurrent // 4)))
        self._context = insecure_context()

    async def fetch(self, request: FetchRequest, url: Url) -> Capture:
        """The capture of `url` for `request`; a failure of any kind is an outcome, not an exception."""
        started = self._loop.time()
        hops: list[Hop] = []
        addresses: list[str] = []
        answer: Answer
        try:
            answer = await self._follow(request, url, hops, addresses)
        except TransferFailed as error:
            answer = Answer(error.outcome, error.detail)
        last = hops[-1] if hops else None
        return Capture(
            url=url.text,
            at=datetime.now(UTC),
            client=request.client,
            user_agent=effective_user_agent(request) if url.scheme in ("http", "https") else b"",
            outcome=answer.outcome,
            detail=answer.detail,
            status=answer.status,
            reason=answer.reason,
            headers=answer.headers,
            hops=hops,
            address=last.address if last else "",
            tls_certificate_sha256=answer.certificate.sha256 if answer.certificate else "",
            certificate=answer.certificate,
            addresses=addresses,
            size=answer.size,
            sha256=answer.sha256,
            complete=answer.complete,
            elapsed_ms=int((self._loop.time() - started) * 1000),
            connected_ms=answer.connected_ms,
            answered_ms=answer.answered_ms,
            for_session=request.for_session,
            purpose=request.purpose,
        )

    async def _follow(self, request: FetchRequest, url: Url, hops: list[Hop], addresses: list[str]) -> Answer:
        until = self._loop.time() + min(_MAX_WAIT_SECONDS, self._settings.total_seconds)
        await self._turn(request, url, until)
        deadline = self._loop.time() + self._settings.total_seconds
        current = url
        while True:
            answer = await self._hop(request, current, hops, addresses, deadline)
            if not (answer.location and request.follow_redirects):
                return answer
            if len(hops) > self._settings.max_redirects:
                answer.outcome = "too-many-redirects"
                answer.detail = f"more than {self._settings.max_redirects} redirects"
                return answer
            current = _target(current, answer.location)
            if request.username or request.password:
                # A log-in is for the host of the command only.
                request = request.model_copy(update={"username": b"", "password": b""})
            await self._turn(request, current, deadline)

    async def _turn(self, request: FetchRequest, url: Url, until: float) -> None:
        """Judge the request and wait for its turn: both before its name is even asked for."""
        if len(url.text) > MAX_URL:
            raise _Refused("bad-url", f"longer than {MAX_URL} bytes")
        if url.scheme not in FETCHED_SCHEMES:
            raise _Refused("bad-url", f"the scheme {url.scheme} is not fetched")
        if (service := other_service(url.scheme, url.port)) is not None:
            raise _Refused("withheld", service)
        if url.scheme in ("http", "https"):
            shape = attack_shape(url.path, headers=_sent(request, url))
            if shape is not None:
                raise _Refused("withheld", f"the request is itself an attack: {shape}")
        elif self._settings.proxy:
            raise _Refused(
                "recorded", f"the proxy of the settings does not carry {url.scheme}, so nothing was sent"
            )
        total, per_host = self._settings.total_per_minute, self._settings.per_host_per_minute
        keys = [("total", total), (f"host {url.host.rstrip('.')}", per_host)]
        if request.for_session:
            keys.append((f"session {request.for_session}", max(per_host, total // 4)))
        if request.purpose != "attack":
            # What attackers fetch now is not behind our own retries, siblings and checks.
            keys.append(("own", max(1, total // 2)))
        if not await self._rates.admit(keys, until):
            raise _Refused(
                "limited", "too many requests to this host, by this session or in total within a minute"
            )

    async def _hop(
        self, request: FetchRequest, url: Url, hops: list[Hop], addresses: list[str], deadline: float
    ) -> Answer:
        hops.append(Hop(url=url.text))
        failure: TransferFailed | None = None
        for address in (await self._checked(url, addresses, deadline))[:_MAX_TRIED]:
            hops[-1] = hop = Hop(url=url.text, address=str(address))
            own = request.purpose != "attack"
            if not await self._rates.admit(
                [(_network(address), _NETWORK_SHARE * self._settings.per_host_per_minute)], deadline
            ):
                raise _Refused("limited", "too many requests to this network within a minute")
            try:
                async with self._places.taken(str(address), deadline, own=own):
                    if self._switch.thrown():
                        raise _Refused("recorded", "egress was switched off before this was sent")
                    answer = await self._transfer(request, url, address, deadline)
            except TooBusy as error:
                raise _Refused("limited", str(error)) from error
            except TransferFailed as error:
                failure = error
                if error.outcome != "connect-failed":
                    break
                continue
            hops[-1] = Hop(url=hop.url, address=hop.address, status=answer.status, location=answer.location)
            return answer
        assert failure is not None  # there was an address, and it did not answer
        raise failure

    async def _checked(self, url: Url, addresses: list[str], deadline: float) -> list[IpAddress]:
        """The addresses of the URL's host that may be contacted, by one resolution; `addresses` becomes all of them."""
        timeout = min(self._settings.connect_seconds, deadline - self._loop.time())
        if timeout <= 0:
            raise _Refused("timed-out", "the time was used up by earlier requests of the chain")
        try:
            async with asyncio.timeout(timeout):
                found = await addresses_of(url.host, self._resolver, timeout)
        except NameRefused as error:
            raise _Refused("refused-address", str(error)) from error
        except NameNotResolved as error:
            raise _Refused("dns-failure", str(error)) from error
        except TimeoutError as error:
            raise _Refused("dns-failure", "no name server answered in time") from error
        addresses[:] = map(str, found)
        policy = self._current_policy()
        reasons = {address: policy.refusal(address) for address in found}
        allowed = [address for address, reason in reasons.items() if reason is None]
        if not allowed:
            listed = ", ".join(f"{address}: {reason}" for address, reason in list(reasons.items())[:3])
            raise _Refused("refused-address", listed)
        return allowed

    def _current_policy(self) -> AddressPolicy:
        now = self._loop.time()
        if now - self._own_read > _OWN_SECONDS:
            # Interfaces come and go (DHCP, containers).
            self._policy, self._own_read = self._policy.with_own(own_addresses()), now
        return self._policy

    async def _transfer(self, request: FetchRequest, url: Url, address: IpAddress, deadline: float) -> Answer:
        only_look = request.probe or request.method == "HEAD"
        limits = Limits(self._settings.max_bytes, self._settings.connect_seconds, deadline)
        with Body(self._quarantine, limits.max_bytes) as body:
            if url.scheme in ("ftp", "ftps"):
                return await ftp_retrieve(
                    url,
                    address,
                    body,
                    limits,
                    username=request.username,
                    password=request.password,
                    head_only=only_look,
                    context=self._context if url.scheme == "ftps" else None,
                )
            if url.scheme == "tftp":
                options = BUSYBOX_OPTIONS if "busybox" in request.client.lower() else None
                return await tftp_retrieve(url, address, body, limits, options=options, head_only=only_look)
            return await http_request(
                request.method,
                url,
                address,
                request_headers(request, url),
                body,
                limits,
                context=self._context,
                proxy=self._settings.proxy,
                follow=request.follow_redirects,
                keep=not request.probe,
                bare=family(request.client) == "wget",
            )


def url_of(request: FetchRequest) -> tuple[Url, FetchRequest]:
    """The canonical URL of a request; an FTP log-in that stands in the URL is moved to where it belongs.

    UrlError where it is none. Log-ins of other schemes are dropped: no credential is sent over HTTP.
    """
    url = parse_url(request.url, default_scheme="tftp" if "tftp" in request.client else "http")
    if url.scheme not in ("ftp", "ftps"):
        return url, request.model_copy(update={"username": b"", "password": b""})
    if not request.username:
        authority = request.url.partition(b"//")[2].partition(b"/")[0]
        userinfo, mark, _ = authority.rpartition(b"@")
        if mark:
            user, _, password = userinfo.partition(b":")
            update = {"username": unquote_to_bytes(user), "password": unquote_to_bytes(password)}
            return url, request.model_copy(update=update)
    return url, request


def _sent(request: FetchRequest, url: Url) -> list[tuple[bytes, bytes]]:
    return [
        (name.encode(), value.encode()) for name, value in request_headers(request, url) if name != "Host"
    ]


def _target(base: Url, location: bytes) -> Url:
    text = location.decode("utf-8", "surrogateescape").strip()
    try:
        url = parse_url(urljoin(base.text, text))
    except (UrlError, ValueError) as error:
        raise _Refused(
            "bad-url", f"the redirect's target cannot be fetched: {ascii(str(error))[:200]}"
        ) from error
    if url.scheme not in _REDIRECT_SCHEMES:
        raise _Refused("bad-url", f"a redirect to the scheme {url.scheme} is not followed")
    return url


def _network(address: IpAddress) -> str:
    prefix = 24 if address.version == 4 else 64
    return f"network {ipaddress.ip_network((address, prefix), strict=False)}"

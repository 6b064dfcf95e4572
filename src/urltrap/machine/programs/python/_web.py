"""urllib and ssl: the web through the fetcher, as wget reaches it."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import Any

from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs._net import ask
from urltrap.machine.programs.python import _text
from urltrap.machine.programs.python._imports import functions, lent, module
from urltrap.machine.programs.python._network import gai_error
from urltrap.machine.programs.python._objects import (
    EXCEPTIONS,
    MISSING,
    OBJECT,
    Builtin,
    Class,
    Gen,
    Instance,
    PyError,
    Thing,
    Yielded,
    error,
)
from urltrap.machine.programs.python._system import path_text
from urltrap.machine.programs.python._vm import Vm, os_error

_MOST = 4_000_000
_URL_ERROR = Class("URLError", (EXCEPTIONS["OSError"],), module="urllib.error")
_HTTP_ERROR = Class("HTTPError", (_URL_ERROR,), module="urllib.error")


class Response(Thing):
    """What urlopen gives."""

    type_name, module = "HTTPResponse", "http.client"

    def __init__(self, url: str, answer: Any) -> None:
        self.url, self.answer = url, answer
        self.body = (answer.body or BytesContent(b"")).read(0, _MOST)
        self.at = 0

    def attribute(self, name: str) -> Any:
        """status, code, reason, url, headers."""
        if name in ("status", "code"):
            return self.answer.status
        if name in ("reason", "msg"):
            return self.answer.reason
        if name in ("url",):
            return self.url
        if name == "headers":
            return Headers(self.answer)
        return super().attribute(name)

    def m_read(self, vm: Vm, size: Any = None) -> bytes:
        """read."""
        vm.grow(len(self.body) >> 2)
        end = len(self.body) if size is None or size < 0 else self.at + size
        data, self.at = self.body[self.at : end], min(end, len(self.body))
        return data

    def m_readlines(self, vm: Vm) -> list[bytes]:
        """readlines."""
        return self.m_read(vm).splitlines(keepends=True)

    def m_getcode(self, vm: Vm) -> int:
        """getcode."""
        return int(self.answer.status)

    def m_geturl(self, vm: Vm) -> str:
        """geturl."""
        return self.url

    def m_info(self, vm: Vm) -> Headers:
        """info."""
        return Headers(self.answer)

    def m_getheader(self, vm: Vm, name: str, default: Any = None) -> Any:
        """getheader."""
        return self.answer.header(name) or default

    def m_close(self, vm: Vm) -> None:
        """close."""

    def m___enter__(self, vm: Vm) -> Response:
        """with."""
        return self

    def m___exit__(self, vm: Vm, *problem: Any) -> None:
        """End of with."""

    def iterate(self, vm: Vm) -> Gen:
        """The lines."""
        for line in self.m_readlines(vm):
            yield Yielded(line)


class Headers(Thing):
    """The headers of an answer."""

    type_name, module = "HTTPMessage", "http.client"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def m_get(self, vm: Vm, name: str, default: Any = None) -> Any:
        """get."""
        return self.answer.header(name) or default

    def item(self, name: Any) -> Any:
        """headers[name]."""
        return self.answer.header(name) or None


class Request(Thing):
    """urllib.request.Request."""

    type_name, module = "Request", "urllib.request"

    def __init__(self, url: str, data: Any = None, headers: Any = None, *rest: Any, **given: Any) -> None:
        self.url = url
        self.headers = {str(name).capitalize(): value for name, value in dict(headers or {}).items()}

    def attribute(self, name: str) -> Any:
        """full_url, headers."""
        if name in ("full_url", "headers"):
            return self.url if name == "full_url" else self.headers
        return super().attribute(name)

    def m_add_header(self, vm: Vm, name: str, value: str) -> None:
        """add_header."""
        self.headers[name.capitalize()] = value

    def m_get_full_url(self, vm: Vm) -> str:
        """get_full_url."""
        return self.url


_FAILURES: dict[str, Any] = {
    "dns": lambda: gai_error(-2, "Name or service not known"),
    "dns-temporary": lambda: gai_error(-3, "Temporary failure in name resolution"),
    "refused": lambda: os_error(111, "Connection refused"), "reset": lambda: os_error(104, "Connection reset by peer"),
    "timeout": lambda: os_error(110, "Connection timed out"),
}  # fmt: skip


def url_open(vm: Vm, url: Any, data: Any = None, timeout: Any = None, **given: Any) -> Gen:
    """urllib.request.urlopen."""
    headers: dict[str, str] = {}
    if isinstance(url, Request):
        headers = {str(name): str(value) for name, value in url.headers.items()}
        url = url.url
    if not isinstance(url, str) or "://" not in url:
        raise error("ValueError", f"unknown url type: {url!r}")
    agent = next((value for name, value in headers.items() if name.lower() == "user-agent"), "")
    agent = agent or f"Python-urllib/{vm.version[0]}.{vm.version[1]}"
    patience = 3.1 if timeout is None else min(3.1, float(timeout))
    answer = yield from ask(vm.p, url, "python", agent, headers=list(headers.items()), patience=patience)
    if answer.kind != "answer":
        cause = _FAILURES.get(answer.kind, lambda: os_error(113, "No route to host"))().value
        shown = yield from _text.string(vm, cause)
        raise PyError(Instance(_URL_ERROR, {
            "args": (cause,), "reason": cause, "__context__": None, "__text__": f"<urlopen error {shown}>",
        }))  # fmt: skip
    if answer.status >= 400:
        raise PyError(Instance(_HTTP_ERROR, {
            "args": (), "code": answer.status, "reason": answer.reason, "url": url, "msg": answer.reason,
            "__text__": f"HTTP Error {answer.status}: {answer.reason}",
        }))  # fmt: skip
    return Response(url, answer)


def _retrieve(vm: Vm, url: Any, filename: Any = None, *rest: Any) -> Gen:
    answer = yield from url_open(vm, url)
    path = path_text(filename) if filename is not None else f"/tmp/tmp{vm.p.random_bytes(4).hex()}"
    try:
        vm.p.fs.put(path, answer.answer.body or BytesContent(b""), mode=0o666 & ~vm.p.umask)
    except SysError as problem:
        raise os_error(problem.errno, problem.words, path) from None
    return path, Headers(answer.answer)


@module("urllib.request")
def _urllib_request(vm: Vm) -> dict[str, Any]:
    return {
        **functions("urllib.request", urlopen=url_open, urlretrieve=_retrieve, quote=_quote(urllib.parse.quote),
                    unquote=_quote(urllib.parse.unquote)),
        "Request": Builtin("Request", lambda vm, *args, **given: Request(*args, **given)),
    }  # fmt: skip


def _quote(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda vm, *args, **given: call(*args, **given)


@module("urllib.parse")
def _urllib_parse(vm: Vm) -> dict[str, Any]:
    def parsed(vm: Vm, url: str, *rest: Any) -> Any:
        from urltrap.machine.programs.python._records import Record

        found = urllib.parse.urlparse(url)
        made = Record("ParseResult", "urllib.parse", dict(found._asdict()), "ParseResult")
        more = {
            "hostname": found.hostname,
            "port": found.port,
            "username": found.username,
            "password": found.password,
        }
        made.attribute = lambda name: more.get(name, made.fields.get(name, MISSING))  # type: ignore[method-assign]
        return made

    return {
        **functions("urllib.parse", urlparse=parsed, urlsplit=parsed),
        **lent(quote=urllib.parse.quote, unquote=urllib.parse.unquote, quote_plus=urllib.parse.quote_plus,
               unquote_plus=urllib.parse.unquote_plus, urlencode=urllib.parse.urlencode, urljoin=urllib.parse.urljoin,
               parse_qs=urllib.parse.parse_qs, parse_qsl=urllib.parse.parse_qsl),
    }  # fmt: skip


@module("urllib.error")
def _urllib_error(vm: Vm) -> dict[str, Any]:
    return {"URLError": _URL_ERROR, "HTTPError": _HTTP_ERROR}


@module("urllib")
def _urllib(vm: Vm) -> dict[str, Any]:
    return {}


@module("ssl")
def _ssl(vm: Vm) -> dict[str, Any]:
    def context(vm: Vm, *args: Any, **given: Any) -> Instance:
        return Instance(Class("SSLContext", (OBJECT,), module="ssl"))

    return {
        "CERT_NONE": 0, "CERT_REQUIRED": 2, "SSLError": Class("SSLError", (EXCEPTIONS["OSError"],), module="ssl"),
        **functions("ssl", create_default_context=context, _create_unverified_context=context, SSLContext=context),
    }  # fmt: skip

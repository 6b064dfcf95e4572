# ruff: noqa: E501 - tables and messages read best with several on a line
"""HTTP::Tiny, and LWP where it is installed: the web through the fetcher, as wget reaches it."""

from __future__ import annotations

from typing import Any

from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs._net import Answer, ask, split_url
from urltrap.machine.programs.perl import _calls
from urltrap.machine.programs.perl._files import path_of
from urltrap.machine.programs.perl._library import plain
from urltrap.machine.programs.perl._modules import Native, constants, find_file, module
from urltrap.machine.programs.perl._values import (
    Gen,
    Hash,
    Ref,
    Scalar,
    Unsupported,
    hash_of,
    num,
    string,
    values,
    whole,
)
from urltrap.machine.programs.perl._vm import Vm

_MOST = 4_000_000
_LWP = "6.68"
_FAILURES = {
    "refused": "Connection refused", "unreachable": "No route to host", "timeout": "Connection timed out",
    "reset": "Connection reset by peer", "dns": "Name or service not known",
    "dns-temporary": "Temporary failure in name resolution",
}  # fmt: skip


def _bytes(answer: Answer) -> str:
    return (answer.body or BytesContent(b"")).read(0, _MOST).decode("latin-1")


def _url(value: Any) -> str:
    return path_of(value)


def _tiny_result(url: str, answer: Answer) -> Ref:
    place = split_url(url)
    where = f"{place.host}:{place.port}" if not isinstance(place, str) else url
    if answer.kind != "answer":
        words = _FAILURES.get(answer.kind, "No route to host")
        return _exception(url, f"Could not connect to '{where}': {words}\n")
    headers = {
        key.decode("latin-1").lower(): Scalar(value.decode("latin-1"))
        for key, value in answer.capture.headers
    }
    table = {
        "success": 1 if answer.status < 400 else "", "status": answer.status, "reason": answer.reason,
        "content": _bytes(answer), "headers": Ref(Hash(headers)), "url": url, "protocol": "HTTP/1.1",
    }  # fmt: skip
    return Ref(Hash({key: Scalar(each) for key, each in table.items()}))


def _exception(url: str, words: str) -> Ref:
    headers = Hash({"content-type": Scalar("text/plain"), "content-length": Scalar(len(words))})
    table = {"success": "", "status": 599, "reason": "Internal Exception", "content": words, "headers": Ref(headers),
             "url": url}  # fmt: skip
    return Ref(Hash({key: Scalar(each) for key, each in table.items()}))


def _tiny_ask(vm: Vm, owner: Any, url: Any, options: Any, head: bool = False) -> Gen:
    address = _url(url)
    if not address.startswith(("http://", "https://")):
        return None, _exception(address, f"Cannot parse URL: '{address}'\n" if "://" not in address else
                                f"Unsupported URL scheme '{address.partition(':')[0]}'\n")  # fmt: skip
    if address.startswith("https://") and find_file(vm, "IO/Socket/SSL.pm") is None:
        return None, _exception(address, "IO::Socket::SSL 1.42 must be installed for https support\n"
                                "Net::SSLeay 1.49 must be installed for https support\n")  # fmt: skip
    own = {key: each.v for key, each in owner.t.h.items()}
    headers = []
    if type(options) is Ref and isinstance(options.t, Hash) and "headers" in options.t.h:
        given = options.t.h["headers"].v
        headers = [(key, string(each.v)) for key, each in given.t.h.items()]
    agent = next((value for key, value in headers if key.lower() == "user-agent"), "") or string(
        own.get("agent")
    )
    patience = min(3.1, float(num(own.get("timeout"))) or 3.1)
    answer = yield from ask(vm.p, address, "perl", agent, headers=headers, head=head, patience=patience)
    return answer, _tiny_result(address, answer)


@module("HTTP::Tiny")
def _tiny() -> dict[str, Native]:
    def new(vm: Vm, name: Any, *given: Any) -> Ref:
        made = Hash(hash_of(list(given)))
        agent = made.at("agent")
        if agent.v is None or string(agent.v).endswith(" "):
            agent.v = string(agent.v) + "HTTP-Tiny/" + ("0.080" if vm.version < (5, 38, 0) else "0.088")
        if made.at("timeout").v is None:
            made.at("timeout").v = 60
        made.bless = string(name)
        return Ref(made)

    def get(vm: Vm, owner: Any, url: Any, options: Any = None) -> Gen:
        return (yield from _tiny_ask(vm, owner, url, options))[1]

    def head(vm: Vm, owner: Any, url: Any, options: Any = None) -> Gen:
        return (yield from _tiny_ask(vm, owner, url, options, True))[1]

    def request(vm: Vm, owner: Any, method: Any, url: Any, options: Any = None) -> Gen:
        if string(method).upper() not in ("GET", "HEAD"):
            raise Unsupported("a request with a body")
        return (yield from _tiny_ask(vm, owner, url, options, string(method).upper() == "HEAD"))[1]

    def mirror(vm: Vm, owner: Any, url: Any, path: Any, options: Any = None) -> Gen:
        answer, result = yield from _tiny_ask(vm, owner, url, options)
        if answer is not None and answer.kind == "answer" and answer.status < 300:
            _store(vm, path, answer)
        return result

    return {
        "new": plain(new),
        "get": plain(get),
        "head": plain(head),
        "request": plain(request),
        "mirror": plain(mirror),
    }


def _store(vm: Vm, path: Any, answer: Answer) -> None:
    try:
        vm.p.fs.put(path_of(path), answer.body or BytesContent(b""), mode=0o666 & ~vm.p.umask)
    except SysError as problem:
        vm.set_errno(problem)
        raise vm.die(f"Error: Could not open {string(path)} for writing: {problem.words}") from None


def _status(answer: Answer) -> int:
    return answer.status if answer.kind == "answer" else 500


def _lwp_ask(vm: Vm, url: Any, agent: str, head: bool = False) -> Gen:
    return (yield from ask(vm.p, _url(url), "perl", agent, head=head))


_SIMPLE = f"LWP::Simple/{_LWP} libwww-perl/{_LWP}"


@module("LWP::Simple", "get head getprint getstore mirror is_success is_error RC_OK RC_NOT_FOUND", core=False,
        start=lambda vm: constants(vm, "LWP::Simple", {"RC_OK": 200, "RC_NOT_FOUND": 404}))  # fmt: skip
def _simple() -> dict[str, Native]:
    def get(vm: Vm, url: Any) -> Gen:
        answer = yield from _lwp_ask(vm, url, _SIMPLE)
        return _bytes(answer) if _status(answer) < 400 else None

    def getprint(vm: Vm, url: Any) -> Gen:
        answer = yield from _lwp_ask(vm, url, _SIMPLE)
        status = _status(answer)
        if status < 400:
            yield from vm.glob("main::STDOUT").io.put(vm, _bytes(answer))
        else:
            words = answer.reason if answer.kind == "answer" else _unreached(answer, url)
            yield from vm.warn(f"{status} {words} <URL:{string(url)}>\n")
        return status

    def getstore(vm: Vm, url: Any, path: Any) -> Gen:
        answer = yield from _lwp_ask(vm, url, _SIMPLE)
        if _status(answer) < 400:
            _store(vm, path, answer)
        return _status(answer)

    def head(vm: Vm, url: Any) -> Gen:
        answer = yield from _lwp_ask(vm, url, _SIMPLE, True)
        return 1 if _status(answer) < 400 else ""

    return {
        "get": plain(get), "getprint": plain(getprint), "getstore": plain(getstore), "mirror": plain(getstore),
        "head": plain(head), "is_success": plain(lambda vm, v: 1 if 200 <= whole(v) < 300 else ""),
        "is_error": plain(lambda vm, v: 1 if whole(v) >= 400 else ""),
    }  # fmt: skip


def _unreached(answer: Answer, url: Any) -> str:
    place = split_url(_url(url))
    where = f"{place.host}:{place.port}" if not isinstance(place, str) else string(url)
    return f"Can't connect to {where} ({_FAILURES.get(answer.kind, 'No route to host')})"


@module("LWP::UserAgent", core=False, needs=("HTTP::Response",))
def _agent() -> dict[str, Native]:
    def new(vm: Vm, name: Any, *given: Any) -> Ref:
        made = Hash(hash_of(list(given)))
        if made.at("agent").v is None:
            made.at("agent").v = f"libwww-perl/{_LWP}"
        made.bless = string(name)
        return Ref(made)

    def setting(name: str) -> Native:
        def run(vm: Vm, owner: Any, value: Any = None) -> Any:
            place = owner.t.at(name)
            before = place.v
            if value is not None:
                place.v = value
            return before

        return plain(run)

    def get(vm: Vm, args: list[Any], want: Any) -> Gen:
        owner, url, *rest = values(args)
        options = {string(key): each.v for key, each in hash_of(rest).items()}
        agent = string(owner.t.at("agent").v)
        answer = yield from _lwp_ask(vm, url, agent)
        target = options.get(":content_file")
        if target is not None and _status(answer) < 400:
            _store(vm, target, answer)
        return _response(answer, url)

    def mirror(vm: Vm, owner: Any, url: Any, path: Any) -> Gen:
        return (yield from _calls.call_method(vm, owner, "get", [url, ":content_file", path], False))

    return {"new": plain(new), "get": get, "mirror": plain(mirror), "agent": setting("agent"), "timeout": setting("timeout"),
            "ssl_opts": plain(lambda vm, *rest: None), "env_proxy": plain(lambda vm, *rest: None),
            "show_progress": setting("show_progress"), "max_size": setting("max_size")}  # fmt: skip


def _response(answer: Answer, url: Any) -> Ref:
    reason = answer.reason if answer.kind == "answer" else _unreached(answer, url)
    made = Hash(
        {"code": Scalar(_status(answer)), "message": Scalar(reason), "content": Scalar(_bytes(answer))}
    )
    for key, value in answer.capture.headers:
        made.at("_" + key.decode("latin-1").lower()).v = value.decode("latin-1")
    made.bless = "HTTP::Response"
    return Ref(made)


@module("HTTP::Response", core=False)
def _http_response() -> dict[str, Native]:
    def part(name: str) -> Native:
        return plain(lambda vm, owner, *rest: owner.t.at(name).v)

    return {
        "code": part("code"), "message": part("message"), "content": part("content"), "decoded_content": part("content"),
        "is_success": plain(lambda vm, owner: 1 if whole(owner.t.at("code").v) < 300 else ""),
        "is_error": plain(lambda vm, owner: 1 if whole(owner.t.at("code").v) >= 400 else ""),
        "status_line": plain(lambda vm, owner: f"{string(owner.t.at('code').v)} {string(owner.t.at('message').v)}"),
        "header": plain(lambda vm, owner, name: owner.t.at("_" + string(name).lower()).v),
    }  # fmt: skip

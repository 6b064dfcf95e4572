"""What curl does with the fetcher's answer: headers and body where they belong, or its complaint."""

from __future__ import annotations

import errno
import re
from collections.abc import Generator, Mapping
from typing import Any

from urltrap.machine.api import decode, encode
from urltrap.machine.effects import BytesContent, Content
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Gen
from urltrap.machine.programs._curlmeter import finished, zero
from urltrap.machine.programs._curlrun import Transfer, make_dirs, put
from urltrap.machine.programs._curltexts import curl_version
from urltrap.machine.programs._net import Answer, Place
from urltrap.machine.programs._release import openssl_banner
from urltrap.machine.reach import WORDS, Verdict


def failed(
    run: Transfer, place: Place, answer: Answer, meter: bool, limit: float
) -> Generator[Any, Any, int]:
    """Say why nothing came; the exit code. `limit` is the command's own patience in seconds."""
    late = max(answer.capture.elapsed_ms, 0)
    kind = answer.kind
    if run.has("verbose"):
        yield from run.p.err(_attempts(run, place, answer))
    if kind in ("dns", "dns-temporary"):
        return (yield from run.error(6, f"Could not resolve host: {place.host}"))
    if meter:
        yield from run.p.err(zero(newline=True))
    if kind in ("refused", "unreachable"):
        late = 3000 + run.p.random(120) if kind == "unreachable" else late
        return (
            yield from run.error(
                7,
                f"Failed to connect to {place.host} port {place.port} after {late} ms: Couldn't connect to server",
            )
        )
    if kind == "timeout":
        late = int(limit * 1000) + run.p.random(3) if limit < 900 else 130_000 + run.p.random(3000)
        if run.has("connect-timeout") and not run.has("max-time"):
            return (
                yield from run.error(
                    28,
                    f"Failed to connect to {place.host} port {place.port} after {late} ms: Timeout was reached",
                )
            )
        if limit < 900:
            return (yield from run.error(28, f"Connection timed out after {late} milliseconds"))
        return (
            yield from run.error(
                28,
                f"Failed to connect to {place.host} port {place.port} after {late} ms: Couldn't connect to server",
            )
        )
    if kind == "tls":
        return (
            yield from run.error(
                35,
                f"OpenSSL/{openssl_banner(run.p).split()[1]}: error:0A00010B:SSL routines::wrong version number",
            )
        )
    if kind == "redirects":
        return (yield from run.error(47, "Maximum (50) redirects followed"))
    if kind == "missing":
        if place.scheme == "tftp":
            return (yield from run.error(68, "TFTP: File Not Found"))
        return (yield from run.error(78, "The file does not exist"))
    if kind == "bad-url":
        return (yield from run.error(3, "URL using bad/illegal format or missing URL"))
    if kind == "reset":
        return (yield from run.error(56, "Recv failure: Connection reset by peer"))
    if place.scheme.startswith("http"):
        return (yield from run.error(1, "Received HTTP/0.9 when not allowed"))
    return (yield from run.error(52, "Empty reply from server"))


_ATTEMPTS: Mapping[str, Verdict] = {"refused": "refused", "unreachable": "unreachable", "timeout": "timeout"}


def _attempts(run: Transfer, place: Place, answer: Answer) -> str:
    """The lines of -v about connections that never came to be."""
    newer = not run.p.persona.tools.curl.startswith("7.")
    closing = "* closing connection #0\n" if newer else "* Closing connection 0\n"
    if answer.kind in ("dns", "dns-temporary"):
        return f"* Could not resolve host: {place.host}\n{closing}"
    if answer.kind not in _ATTEMPTS:
        return ""
    lines = []
    for address in answer.capture.addresses or [place.host]:
        shown = f"[{address}]" if ":" in address else address
        own = f" from {shown.strip('[]')} port {32_768 + run.p.random(28_000)}" if newer else ""
        lines += [
            f"*   Trying {shown}:{place.port}...\n",
            f"* connect to {address} port {place.port}{own} failed: {WORDS[_ATTEMPTS[answer.kind]]}\n",
        ]
    return "".join(lines) + (
        f"* Failed to connect to {place.host} port {place.port} after {max(answer.capture.elapsed_ms, 0)} ms: "
        f"Couldn't connect to server\n{closing}"
    )


def answered(
    run: Transfer,
    url: str,
    place: Place,
    answer: Answer,
    output: str | None,
    meter: bool,
    bar: bool,
    agent: str | None,
    headers: list[tuple[str, str]],
    head: bool,
) -> Generator[Any, Any, int]:
    """Print or save what came; the exit code."""
    p = run.p
    http = place.scheme.startswith("http")
    if run.has("verbose"):
        yield from _verbose(run, place, answer, agent, headers, head)
    body: Content | None = answer.body
    redirected = http and 300 <= answer.status < 400 and not run.has("location")
    if run.has("fail") and http and answer.status >= 400:
        if meter and not bar:
            yield from p.err(zero(newline=True, total=answer.size))
        return (yield from run.error(22, f"The requested URL returned error: {answer.status}"))
    raw = _raw_headers(answer) if http else b""
    written = 0
    status = 0
    sink = output if output not in (None, "-") else None
    if head:
        body = BytesContent(raw)
    elif run.has("include"):
        body = BytesContent(raw + (body.read(0, 16_000_000) if body is not None else b""))
    if path := run.value("dump-header"):
        yield from put(p, path, BytesContent(raw))
    if redirected and body is None:
        body = BytesContent(b"")
    if sink is None:
        if body is not None and not run.has("output-to-null"):
            if p.is_tty(1) and not run.has("output") and b"\0" in body.read(0, 2000):
                yield from p.err(
                    'Warning: Binary output can mess up your terminal. Use "--output -" to tell \n'
                    'Warning: curl to output it to your terminal anyway, or consider "--output \n'
                    'Warning: <FILE>" to save to a file.\n'
                )
                return (yield from run.error(23, "Failure writing output to destination"))
            position = 0
            while piece := body.read(position, 65_536):
                position += len(piece)
                yield from p.write(1, piece)
            written = position
    else:
        try:
            if run.has("create-dirs") and "/" in sink:
                yield from make_dirs(p, sink.rpartition("/")[0])
            size = body.size if body is not None else 0
            if size or http:
                written = size
                if size or run.has("output") or run.has("remote-name"):
                    yield from put(p, sink, body or BytesContent(b""))
        except SysError as problem:
            if problem.errno == errno.EPIPE:
                raise
            if not run.silent:
                yield from p.err(f"Warning: Failed to open the file {sink}: {problem.words}\n")
            status = 23
    if meter:
        yield from p.err(
            ("\r" + "#" * 72 + " 100.0%\n")
            if bar
            else finished(_announced(answer) if head else answer.size, answer.seconds, head, sent(run))
        )
    if template := run.value("write-out"):
        yield from p.write(1, encode(_write_out(template, url, answer, written)))
    if status:
        return (yield from run.error(23, "Failure writing output to destination"))
    return 0


def _announced(answer: Answer) -> int:
    """The length that a HEAD's answer tells."""
    text = answer.header("content-length")
    return int(text[:12]) if text.isdecimal() else 0


def sent(run: Transfer) -> int:
    """Bytes of the body that a command line sends."""
    parts = [len(encode(each)) for name in ("data", "data-raw", "json") for each in run.opts.get(name, [])]
    return sum(parts) + max(0, len(parts) - 1)


def _raw_headers(answer: Answer) -> bytes:
    lines = [encode(f"HTTP/1.1 {answer.status} {answer.reason}")]
    lines += [key + b": " + value for key, value in answer.capture.headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _verbose(
    run: Transfer, place: Place, answer: Answer, agent: str | None, headers: list[tuple[str, str]], head: bool
) -> Gen:
    address = answer.address or place.host
    host = place.host + (f":{place.shown_port}" if place.shown_port else "")
    lines = [
        f"*   Trying {address}:{place.port}...",
        f"* Connected to {place.host} ({address}) port {place.port} (#0)",
    ]
    if place.scheme == "https":
        lines += [
            "* ALPN: offers h2,http/1.1",
            "* TLSv1.3 (OUT), TLS handshake, Client hello (1):",
            "* TLSv1.3 (IN), TLS handshake, Server hello (2):",
            "* SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384",
            "* ALPN: server accepted http/1.1",
        ]
    lines += [
        f"> {'HEAD' if head else run.value('request') or 'GET'} {place.path} HTTP/1.1\r",
        f"> Host: {host}\r",
    ]
    if agent != "":
        lines.append(f"> User-Agent: {agent if agent is not None else 'curl/' + curl_version(run.p)}\r")
    lines.append("> Accept: */*\r")
    lines += [f"> {key}: {value}\r" for key, value in headers if key.lower() not in ("user-agent", "accept")]
    lines.append("> \r")
    lines.append(f"< HTTP/1.1 {answer.status} {answer.reason}\r")
    lines += [f"< {decode(key)}: {decode(value)}\r" for key, value in answer.capture.headers]
    lines.append("< \r")
    if not head and answer.size:
        lines.append(f"{{ [{min(answer.size, 16_384)} bytes data]")
    lines.append(f"* Connection #0 to host {place.host} left intact")
    yield from run.p.err("\n".join(lines) + "\n")


def _write_out(template: str, url: str, answer: Answer, size: int) -> str:
    seconds = answer.seconds
    final = answer.capture.hops[-1].url if answer.capture.hops else url
    known = {
        "http_code": f"{answer.status:03d}", "response_code": f"{answer.status:03d}", "size_download": str(size),
        "time_total": f"{seconds:.6f}", "time_connect": f"{seconds / 4:.6f}", "time_namelookup": f"{seconds / 8:.6f}",
        "time_starttransfer": f"{seconds / 2:.6f}", "time_appconnect": "0.000000",
        "time_pretransfer": f"{seconds / 4:.6f}",
        "time_redirect": "0.000000", "url_effective": final, "url": url, "content_type": answer.header("content-type"),
        "remote_ip": answer.address, "num_redirects": str(max(0, len(answer.capture.hops) - 1)), "exitcode": "0",
        "speed_download": str(int(size / seconds)), "method": "GET", "scheme": url.partition(":")[0].upper(),
        "redirect_url": answer.header("location"), "http_version": "1.1", "errormsg": "", "size_header": "0",
        "num_connects": "1", "ssl_verify_result": "0", "filename_effective": "", "http_connect": "000",
    }  # fmt: skip
    text = re.sub(r"%\{(\w+)\}", lambda match: known.get(match[1], ""), template)
    return text.replace("%%", "%").replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r")

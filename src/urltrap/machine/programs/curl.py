# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""curl 7.88.1."""

from __future__ import annotations

import errno
import re
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from urltrap.machine.api import Process, Run, decode, encode
from urltrap.machine.effects import BytesContent, Content
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Gen
from urltrap.machine.programs._curlmeter import finished, header_lines, zero
from urltrap.machine.programs._curlopts import OPTIONS, UsageError, parse
from urltrap.machine.programs._net import Answer, Place, ask, split_url
from urltrap.machine.programs._paths import join
from urltrap.machine.programs._words import words
from urltrap.machine.programs.registry import program

_VERSION = """\
curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1 OpenSSL/3.0.19 zlib/1.2.13 brotli/1.0.9 zstd/1.5.4 \
libidn2/2.3.3 libpsl/0.21.2 (+libidn2/2.3.3) libssh2/1.10.0 nghttp2/1.52.0 librtmp/2.3 OpenLDAP/2.5.13
Release-Date: 2023-02-20, security patched: 7.88.1-10+deb12u14
Protocols: dict file ftp ftps gopher gophers http https imap imaps ldap ldaps mqtt pop3 pop3s rtmp rtsp scp sftp \
smb smbs smtp smtps telnet tftp
Features: alt-svc AsynchDNS brotli GSS-API HSTS HTTP2 HTTPS-proxy IDN IPv6 Kerberos Largefile libz NTLM NTLM_WB PSL \
SPNEGO SSL threadsafe TLS-SRP UnixSockets zstd
"""
_HELP = """\
Usage: curl [options...] <url>
 -d, --data <data>          HTTP POST data
 -f, --fail                 Fail fast with no output on HTTP errors
 -h, --help <category>      Get help for commands
 -i, --include              Include protocol response headers in the output
 -o, --output <file>        Write to file instead of stdout
 -O, --remote-name          Write output to a file named as the remote file
 -s, --silent               Silent mode
 -T, --upload-file <file>   Transfer local FILE to destination
 -u, --user <user:password> Server user and password
 -A, --user-agent <name>    Send User-Agent <name> to server
 -v, --verbose              Make the operation more talkative
 -V, --version              Show version number and quit

This is not the full help, this menu is stripped into categories.
Use "--help category" to get an overview of all categories.
For all options use the manual or "--help all".
"""
_HINT = "curl: try 'curl --help' or 'curl --manual' for more information\n"
_KNOWN = frozenset(
    words(
        "dict file ftp ftps gopher gophers http https imap imaps ldap ldaps mqtt pop3 pop3s rtmp rtsp scp sftp smb "
        "smbs smtp smtps telnet tftp "
    )
)
_MAX_URLS = 60


@dataclass(slots=True)
class _Run:
    p: Process
    opts: dict[str, list[str]]
    headed: bool = False
    failed: bool = False
    extra: dict[str, str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        return name in self.opts

    def value(self, name: str) -> str | None:
        return self.opts[name][-1] if name in self.opts else None

    @property
    def silent(self) -> bool:
        return self.has("silent")

    @property
    def speaks(self) -> bool:
        """Whether errors are printed."""
        return not self.silent or self.has("show-error")

    def error(self, code: int, text: str) -> Generator[Any, Any, int]:
        """``curl: (code) text``."""
        if self.speaks:
            yield from self.p.err(f"curl: ({code}) {text}\n")
        return code


@program("curl")
def curl(p: Process) -> Run:
    """Transfer a URL."""
    try:
        groups = parse(p.argv[1:])
    except UsageError as problem:
        yield from p.err(f"curl: {problem}\n{_HINT}")
        return 2
    first = groups[0][0]
    if "version" in first:
        yield from p.out(_VERSION)
        return 0
    if "help" in first or "manual" in first:
        yield from p.out(_HELP)
        return 0
    status = 0
    count = 0
    for opts, urls in groups:
        run = _Run(p, opts)
        if not urls and "config" in opts:
            for path in opts["config"]:
                urls += yield from _config(run, path)
        if not urls:
            if len(groups) == 1:
                yield from p.err(_HINT if not opts else f"curl: no URL specified!\n{_HINT}")
                return 2
            continue
        outputs = list(opts.get("output", []))
        if (wrong := _upload_problem(run)) is not None:
            return (yield from wrong)
        expanded: list[str] = []
        for url in urls:
            expanded += [url] if run.has("globoff") else glob_urls(url)
        for number, url in enumerate(expanded[: _MAX_URLS - count]):
            output = outputs[number] if number < len(outputs) else None
            if output is None and outputs and len(expanded) > len(urls):
                output = outputs[0].replace("#1", url.rpartition("/")[2])
            count += 1
            status = yield from _one(run, url, output)
            if status and run.has("fail-early"):
                return status
    return status


def _config(run: _Run, path: str) -> Generator[Any, Any, list[str]]:
    try:
        data = (yield from run.p.read_all(0, 100_000)) if path == "-" else run.p.fs.read(path, 100_000)
    except SysError:
        yield from run.p.err(f"curl: cannot read config from '{path}'\n")
        return []
    urls = []
    for line in decode(data).split("\n"):
        match = re.match(r"\s*-*([\w-]+)\s*[=:]?\s*\"?([^\"]*)\"?", line)
        if match is None:
            continue
        name = match[1]
        if name == "url":
            urls.append(match[2].strip())
        elif name in OPTIONS:
            run.opts.setdefault(name, []).append(match[2].strip())
    return urls


def _upload_problem(run: _Run) -> Run | None:
    path = run.value("upload-file")
    if path in (None, "-", "."):
        return None
    try:
        run.p.fs.stat(path or "")
    except SysError:

        def complain() -> Run:
            yield from run.p.err(f"curl: Can't open '{path}'!\n{_HINT}")
            return (yield from run.error(26, "Failed to open/read local data from file/application"))

        return complain()
    return None


def glob_urls(url: str) -> list[str]:
    """curl's own globbing: {a,b} and [1-5], at most 100."""
    found = [url]
    for _ in range(4):
        match = next(
            (
                m
                for m in [re.search(r"\{([^{}]*,[^{}]*)\}|\[(\d{1,6})-(\d{1,6})\]", each) for each in found]
                if m
            ),
            None,
        )
        if match is None:
            return found
        whole = match[0]
        if match[1] is not None:
            parts = match[1].split(",")[:50]
        else:
            width = len(match[2]) if match[2].startswith("0") else 0
            parts = [
                str(n).zfill(width) for n in range(int(match[2]), min(int(match[3]), int(match[2]) + 49) + 1)
            ]
        found = [each.replace(whole, part, 1) for each in found for part in parts][:100]
    return found


def _time(run: _Run, *names: str) -> float:
    values = []
    for name in names:
        text = run.value(name)
        if text and re.fullmatch(r"\d+(\.\d+)?", text):
            values.append(float(text))
    return min([each for each in values if each > 0], default=900.0)


def _one(run: _Run, url: str, output: str | None) -> Generator[Any, Any, int]:
    p = run.p
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", url)
    scheme = match[1].lower() if match else "ftp" if url.lower().startswith("ftp.") else "http"
    if match and scheme not in _KNOWN:
        return (yield from run.error(1, f'Protocol "{match[1]}" not supported or disabled in libcurl'))
    if scheme == "file":
        return (yield from _local(run, url, output))
    place = split_url(url, scheme)
    if isinstance(place, str) or (" " in url):
        return (yield from run.error(3, "URL using bad/illegal format or missing URL"))
    remote = run.has("remote-name") or run.has("remote-name-all")
    if output is None and remote:
        output = place.file
        if not output:
            yield from run.p.err("curl: Remote file name has no length!\n" if run.speaks else "")
            return (yield from run.error(23, "Failed writing received data to disk/application"))
    if output is not None and output != "-" and run.value("output-dir"):
        output = join(run.value("output-dir") or "", output)
    headers = [
        (key.strip(), value.strip())
        for key, _, value in (each.partition(":") for each in run.opts.get("header", []))
    ]
    agent = run.value("user-agent")
    for key, value in headers:
        if key.lower() == "user-agent":
            agent = value
    head = run.has("head")
    data_given = any(
        run.has(each) for each in ("data", "data-raw", "data-binary", "data-urlencode", "json", "form")
    )
    user, _, password = (run.value("user") or "").partition(":")
    meter = (
        not run.silent
        and (output not in (None, "-") or not p.is_tty(1))
        and not run.has("no-progress-meter")
        and not data_given
    )
    meter = meter or (not run.silent and data_given and output not in (None, "-"))
    bar = run.has("progress-bar")
    if meter and not bar:
        yield from p.err((header_lines() if not run.headed else "") + zero())
        run.headed = True
    limit = _time(run, "max-time", "connect-timeout")
    answer = yield from ask(
        p, url if match else f"{scheme}://{url}", "curl", agent if agent is not None else "curl/7.88.1", headers=headers, head=head,
        follow=run.has("location"), user=user or place.user, password=password or place.password, patience=limit,
    )  # fmt: skip
    if answer.kind != "answer":
        return (yield from _failed(run, place, answer, meter and not bar, limit))
    return (yield from _answered(run, url, place, answer, output, meter, bar, agent, headers, head))


def _failed(run: _Run, place: Place, answer: Answer, meter: bool, limit: float) -> Generator[Any, Any, int]:
    late = max(answer.capture.elapsed_ms, 0)
    kind = answer.kind
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
        return (yield from run.error(35, "OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number"))
    if kind == "redirects":
        return (yield from run.error(47, "Maximum (50) redirects followed"))
    if kind == "missing":
        if place.scheme == "tftp":
            return (yield from run.error(68, "TFTP: File Not Found"))
        return (yield from run.error(78, "RETR response: 550"))
    if kind == "bad-url":
        return (yield from run.error(3, "URL using bad/illegal format or missing URL"))
    if kind == "reset":
        return (yield from run.error(56, "Recv failure: Connection reset by peer"))
    return (yield from run.error(1 if place.scheme.startswith("http") else 52, "Received HTTP/0.9 when not allowed"
                                 if place.scheme.startswith("http") else "Empty reply from server"))  # fmt: skip


def _answered(
    run: _Run, url: str, place: Place, answer: Answer, output: str | None, meter: bool, bar: bool, agent: str | None,
    headers: list[tuple[str, str]], head: bool,
) -> Generator[Any, Any, int]:  # fmt: skip
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
        yield from _put(p, path, BytesContent(raw))
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
                yield from _make_dirs(p, sink.rpartition("/")[0])
            size = body.size if body is not None else 0
            if size or http:
                written = size
                if size or run.has("output") or run.has("remote-name"):
                    yield from _put(p, sink, body or BytesContent(b""))
        except SysError as problem:
            if problem.errno == errno.EPIPE:
                raise
            yield from p.err(
                f"Warning: Failed to open the file {sink}: {problem.words}\n"
                if not run.silent or run.speaks
                else ""
            )
            status = 23
    if meter:
        yield from p.err(
            ("\r" + "#" * 72 + " 100.0%\n")
            if bar
            else finished(answer.size if not head else 0, answer.seconds, head)
        )
    if template := run.value("write-out"):
        yield from p.write(1, encode(_write_out(template, url, answer, written)))
    if status:
        return (yield from run.error(23, "Failure writing output to destination"))
    return 0


def _put(p: Process, path: str, content: Content) -> Gen:
    if path == "-":
        yield from p.write(1, content.read(0, content.size))
        return
    stat = None
    try:
        stat = p.fs.stat(path)
    except SysError:
        pass  # it will be made
    if stat is not None and not stat.is_file and not stat.is_dir:
        fd = p.open(path, 1)
        try:
            yield from p.write(fd, content.read(0, content.size))
        finally:
            p.close(fd)
        return
    p.fs.put(path, content, mode=0o666 & ~p.umask)


def _make_dirs(p: Process, folder: str) -> Gen:
    walked = "/" if folder.startswith("/") else ""
    for part in [each for each in folder.split("/") if each]:
        walked = join(walked, part) if walked else part
        try:
            p.fs.mkdir(walked, 0o750)
        except SysError as problem:
            if problem.errno != errno.EEXIST:
                raise
    yield from p.tick()


def _raw_headers(answer: Answer) -> bytes:
    lines = [encode(f"HTTP/1.1 {answer.status} {answer.reason}")]
    lines += [key + b": " + value for key, value in answer.capture.headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _verbose(
    run: _Run, place: Place, answer: Answer, agent: str | None, headers: list[tuple[str, str]], head: bool
) -> Gen:
    address = answer.address or place.host
    host = place.host + (f":{place.shown_port}" if place.shown_port else "")
    lines = [
        f"*   Trying {address}:{place.port}...",
        f"* Connected to {place.host} ({address}) port {place.port} (#0)",
    ]
    if place.scheme == "https":
        lines += ["* ALPN: offers h2,http/1.1", "* TLSv1.3 (OUT), TLS handshake, Client hello (1):", "* TLSv1.3 (IN), TLS handshake, Server hello (2):",
                  "* SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384", "* ALPN: server accepted http/1.1"]  # fmt: skip
    lines += [
        f"> {'HEAD' if head else run.value('request') or 'GET'} {place.path} HTTP/1.1\r",
        f"> Host: {host}\r",
    ]
    if agent != "":
        lines.append(f"> User-Agent: {agent if agent is not None else 'curl/7.88.1'}\r")
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
        "time_starttransfer": f"{seconds / 2:.6f}", "time_appconnect": "0.000000", "time_pretransfer": f"{seconds / 4:.6f}",
        "time_redirect": "0.000000", "url_effective": final, "url": url, "content_type": answer.header("content-type"),
        "remote_ip": answer.address, "num_redirects": str(max(0, len(answer.capture.hops) - 1)), "exitcode": "0",
        "speed_download": str(int(size / seconds)), "method": "GET", "scheme": url.partition(":")[0].upper(),
        "redirect_url": answer.header("location"), "http_version": "1.1", "errormsg": "", "size_header": "0",
        "num_connects": "1", "ssl_verify_result": "0", "filename_effective": "", "http_connect": "000",
    }  # fmt: skip
    text = re.sub(r"%\{(\w+)\}", lambda match: known.get(match[1], ""), template)
    return text.replace("%%", "%").replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r")


def _local(run: _Run, url: str, output: str | None) -> Generator[Any, Any, int]:
    path = "/" + url[7:].lstrip("/") if url.startswith("file://") else url
    try:
        content = run.p.fs.content(path)
    except SysError:
        return (yield from run.error(37, f"Couldn't open file {path}"))
    if output not in (None, "-"):
        yield from _put(run.p, output or "", content)
        return 0
    position = 0
    while piece := content.read(position, 65_536):
        position += len(piece)
        yield from run.p.write(1, piece)
    return 0

"""curl: the entry, what belongs to which URL, and asking for it."""

from __future__ import annotations

import re
from collections.abc import Generator
from email.utils import formatdate
from typing import Any

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs._curlanswer import answered, failed
from urltrap.machine.programs._curlmeter import header_lines, zero
from urltrap.machine.programs._curlopts import LETTERS, OPTIONS, UsageError, parse
from urltrap.machine.programs._curlrun import Transfer, put
from urltrap.machine.programs._curltexts import HELP, HINT, curl_version, version_text
from urltrap.machine.programs._net import ask, split_url
from urltrap.machine.programs._paths import join
from urltrap.machine.programs._words import words
from urltrap.machine.programs.registry import program

_KNOWN = frozenset(
    words(
        "dict file ftp ftps gopher gophers http https imap imaps ldap ldaps mqtt pop3 pop3s rtmp rtsp scp sftp smb "
        "smbs smtp smtps telnet tftp "
    )
)
_MAX_URLS = 60


@program("curl")
def curl(p: Process) -> Run:
    """Transfer a URL."""
    try:
        groups = parse(p.argv[1:])
    except UsageError as problem:
        yield from p.err(f"curl: {problem}\n{HINT}")
        return 2
    first = groups[0][0]
    if "version" in first:
        yield from p.out(version_text(p))
        return 0
    if "help" in first or "manual" in first:
        yield from p.out(HELP)
        return 0
    status = 0
    count = 0
    for opts, urls in groups:
        run = Transfer(p, opts)
        for path in opts.get("config", []):
            found = yield from _config(run, path)
            if found is None:
                yield from p.err(f"curl: option -K: error encountered when reading a file\n{HINT}")
                return 26
            urls += found
        if not urls:
            bare = len(groups) == 1 and not opts
            yield from p.err(HINT if bare else f"curl: no URL specified!\n{HINT}")
            return 2
        outputs = list(opts.get("output", []))
        if (wrong := _upload_problem(run)) is not None:
            return (yield from wrong)
        if refused := (yield from _form_problem(run)):
            return refused
        for number, operand in enumerate(urls):
            template = outputs[number] if number < len(outputs) else None
            for url, parts in [(operand, [])] if run.has("globoff") else globbed(operand):
                if count >= _MAX_URLS:
                    return status
                output = template
                for place, part in enumerate(parts, 1):
                    output = output.replace(f"#{place}", part) if output is not None else None
                count += 1
                status = yield from _one(run, url, output)
                if status and run.has("fail-early"):
                    return status
    return status


def _config(run: Transfer, path: str) -> Generator[Any, Any, list[str] | None]:
    """The URLs of a -K file, whose options are added; None where it cannot be read."""
    try:
        data = (yield from run.p.read_all(0, 100_000)) if path == "-" else run.p.fs.read(path, 100_000)
    except SysError:
        yield from run.p.err(f"curl: cannot read config from '{path}'\n")
        return None
    urls = []
    for line in decode(data).split("\n"):
        match = re.match(r"\s*(-*)([\w-]+)\s*[=:]?\s*\"?([^\"]*)\"?", line)
        if match is None:
            continue
        name = LETTERS.get(match[2], match[2]) if len(match[1]) == 1 else match[2]
        if name == "url":
            urls.append(match[3].strip())
        elif name in OPTIONS:
            run.opts.setdefault(name, []).append(match[3].strip())
    return urls


def _form_problem(run: Transfer) -> Generator[Any, Any, int]:
    """The status that a part of a form ends it with before anything is asked for; 0 where none does."""
    for part in run.opts.get("form", []):
        name, equals, value = part.partition("=")
        if not name or not equals:
            yield from run.p.err("Warning: Illegally formatted input field!\n")
            yield from run.p.err(f"curl: option -F: is badly used here\n{HINT}")
            return 2
        path = value[1:].partition(";")[0] if value[:1] in ("@", "<") else "-"
        if path != "-" and not run.p.fs.access(path.strip('"'), 4):
            return (yield from run.error(26, "Failed to open/read local data from file/application"))
    return 0


def _upload_problem(run: Transfer) -> Run | None:
    path = run.value("upload-file")
    if path in (None, "-", "."):
        return None
    try:
        run.p.fs.stat(path or "")
    except SysError:

        def complain() -> Run:
            yield from run.p.err(f"curl: Can't open '{path}'!\n{HINT}")
            return (yield from run.error(26, "Failed to open/read local data from file/application"))

        return complain()
    return None


_GLOB = re.compile(r"\{([^{}]*,[^{}]*)\}|\[(\d{1,6})-(\d{1,6})\]|\[([a-z])-([a-z])\]|\[([A-Z])-([A-Z])\]")


def glob_urls(url: str) -> list[str]:
    """curl's own globbing: {a,b}, [1-5] and [a-c], at most 100."""
    return [found for found, _ in globbed(url)]


def globbed(url: str) -> list[tuple[str, list[str]]]:
    """`glob_urls` with what stands for each pattern, which is #1, #2 … in the name of the output."""
    done: list[tuple[str, list[str]]] = [(url, [])]
    for _ in range(4):
        match = _GLOB.search(done[0][0])
        if match is None:
            break
        parts = _alternatives(match)
        done = [
            (each.replace(match[0], part, 1), [*chosen, part]) for each, chosen in done for part in parts
        ][:100]
    return done


def _alternatives(match: re.Match[str]) -> list[str]:
    if match[1] is not None:
        return match[1].split(",")[:50]
    if match[2] is not None:
        low, high = int(match[2]), int(match[3])
        width = len(match[2]) if match[2].startswith("0") else 0
        return [str(number).zfill(width) for number in range(low, min(high, low + 49) + 1)]
    first, last = (match[4], match[5]) if match[4] else (match[6], match[7])
    return [chr(code) for code in range(ord(first), ord(last) + 1)]


def _time(run: Transfer, *names: str) -> float:
    values = []
    for name in names:
        text = run.value(name)
        if text and re.fullmatch(r"\d+(\.\d+)?", text):
            values.append(float(text))
    return min([each for each in values if each > 0], default=900.0)


def _one(run: Transfer, url: str, output: str | None) -> Generator[Any, Any, int]:
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
    user, _, password = (run.value("user") or "").partition(":")
    meter = (
        not run.silent and (output not in (None, "-") or not p.is_tty(1)) and not run.has("no-progress-meter")
    )
    bar = run.has("progress-bar")
    if meter and not bar:
        yield from p.err((header_lines() if not run.headed else "") + zero())
        run.headed = True
    limit = _time(run, "max-time", "connect-timeout")
    answer = yield from ask(
        p,
        url if match else f"{scheme}://{url}",
        "curl",
        agent if agent is not None else f"curl/{curl_version(p)}",
        headers=headers,
        head=head,
        follow=run.has("location"),
        user=user or place.user,
        password=password or place.password,
        patience=limit,
    )
    if answer.kind != "answer":
        return (yield from failed(run, place, answer, meter and not bar, limit))
    return (yield from answered(run, url, place, answer, output, meter, bar, agent, headers, head))


def _local(run: Transfer, url: str, output: str | None) -> Generator[Any, Any, int]:
    path = "/" + url[7:].lstrip("/") if url.startswith("file://") else url
    try:
        content = run.p.fs.content(path)
        stat = run.p.fs.stat(path)
    except SysError:
        return (yield from run.error(37, f"Couldn't open file {path}"))
    if run.has("head"):
        moment = formatdate(stat.mtime, usegmt=True)
        head = f"Content-Length: {stat.size}\r\nAccept-ranges: bytes\r\nLast-Modified: {moment}\r\n\r\n"
        content = BytesContent(head.encode())
    if output not in (None, "-"):
        yield from put(run.p, output or "", content)
        return 0
    position = 0
    while piece := content.read(position, 65_536):
        position += len(piece)
        yield from run.p.write(1, piece)
    return 0

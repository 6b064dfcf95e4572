"""``python3 -m http.server``: it serves what is on the machine to clients on the machine (Lib/http/server.py)."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from email.utils import format_datetime
from posixpath import normpath
from urllib.parse import quote, unquote

from urltrap.machine.api import decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.python._objects import Gen, PyError, error
from urltrap.machine.programs.python._vm import Vm, os_error

_REQUEST_MAX = 65_536
_PATIENCE = 30.0
_BAD_REQUEST, _BACKLOG = 400, 5
_TYPES = {
    ".html": "text/html", ".htm": "text/html", ".txt": "text/plain", ".py": "text/x-python", ".sh": "application/x-sh",
    ".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".gz": "application/gzip",
    ".zip": "application/zip", ".tar": "application/x-tar", ".png": "image/png", ".jpg": "image/jpeg",
    ".c": "text/plain", ".xml": "text/xml", ".pdf": "application/pdf", ".so": "application/octet-stream",
}  # fmt: skip
_ERROR = """<!DOCTYPE HTML>
<html lang="en">
    <head>
        <meta charset="utf-8">
        <title>Error response</title>
    </head>
    <body>
        <h1>Error response</h1>
        <p>Error code: {code}</p>
        <p>Message: {message}.</p>
        <p>Error code explanation: {code} - {explain}.</p>
    </body>
</html>
"""
_NOT_BOUND = """Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
  File "<frozen runpy>", line 88, in _run_code
  File "/usr/lib/python3.11/http/server.py", line 1309, in <module>
    test(
  File "/usr/lib/python3.11/http/server.py", line 1256, in test
    with ServerClass(addr, HandlerClass) as httpd:
         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/socketserver.py", line 456, in __init__
    self.server_bind()
  File "/usr/lib/python3.11/http/server.py", line 1303, in server_bind
    return super().server_bind()
           ^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/http/server.py", line 136, in server_bind
    socketserver.TCPServer.server_bind(self)
  File "/usr/lib/python3.11/socketserver.py", line 472, in server_bind
    self.socket.bind(self.server_address)
"""
_EXPLAINED = {
    400: ("Bad request syntax", "Bad request syntax or unsupported method"),
    404: ("File not found", "Nothing matches the given URI"),
    501: ("Unsupported method", "Server does not support this operation"),
}


def serve(vm: Vm, port: int, address: str, folder: str) -> Gen:
    """Wait for clients and answer them, without end."""
    p = vm.p
    try:
        listener = p.listen("tcp6" if ":" in address else "tcp", address, port, _BACKLOG)
    except SysError as problem:
        if vm.version >= (3, 13):
            raise os_error(problem.errno, problem.words) from None
        yield from p.err(f"{_NOT_BOUND}OSError: [Errno {problem.errno}] {problem.words}\n")
        raise error("SystemExit", 1) from None
    host = f"[{address}]" if ":" in address else address
    yield from vm.stdout.put(vm, f"Serving HTTP on {address} port {port} (http://{host}:{port}/) ...\n")
    while True:
        fd = yield from p.accept(listener)
        try:
            yield from _answer(vm, fd, folder)
        except (SysError, PyError):
            pass  # the client went away while it was answered
        finally:
            p.close(fd)


def _answer(vm: Vm, fd: int, folder: str) -> Gen:
    p = vm.p
    heard = b""
    while b"\n\r\n" not in heard and b"\n\n" not in heard and len(heard) < _REQUEST_MAX:
        data = yield from p.read(fd, timeout=_PATIENCE)
        if not data:
            break
        heard += data
    line = decode(heard.partition(b"\n")[0]).rstrip("\r")
    words = line.split()
    if not words:
        return
    if len(words) < 2 or not words[-1].startswith("HTTP/"):
        yield from _fails(vm, fd, line, 400, f"Bad request syntax ({line!r})", True)
        return
    method, target = words[0], words[1]
    if method not in ("GET", "HEAD"):
        yield from _fails(vm, fd, line, 501, f"Unsupported method ({method!r})", True)
        return
    name = normpath(unquote(target.partition("?")[0].partition("#")[0], errors="surrogateescape"))
    path = f"{folder.rstrip('/')}/{name.lstrip('/')}"
    try:
        data, kind, when = _found(vm, path, name, target)
    except IsADirectoryError:
        head = [("Location", target + "/"), ("Content-Length", "0")]
        yield from p.write(fd, _head(vm, 301, "Moved Permanently", head))
        yield from _tell(vm, fd, f'"{line}" 301 -')
        return
    except SysError:
        yield from _fails(vm, fd, line, 404, "File not found", method == "GET")
        return
    head = [("Content-type", kind), ("Content-Length", str(len(data)))]
    if when is not None:
        head.append(("Last-Modified", format_datetime(datetime.fromtimestamp(int(when), UTC), usegmt=True)))
    yield from _tell(vm, fd, f'"{line}" 200 -')
    yield from p.write(fd, _head(vm, 200, "OK", head) + (data if method == "GET" else b""))


def _found(vm: Vm, path: str, name: str, target: str) -> tuple[bytes, str, float | None]:
    fs = vm.p.fs
    status = fs.stat(path)
    if not status.is_dir:
        kind = _TYPES.get("." + path.rpartition(".")[2].lower(), "application/octet-stream")
        return fs.read(path), kind, status.mtime
    if not target.partition("?")[0].endswith("/"):
        raise IsADirectoryError(path)
    for index in ("index.html", "index.htm"):
        try:
            return fs.read(f"{path}/{index}"), "text/html", fs.stat(f"{path}/{index}").mtime
        except SysError:
            continue  # there is no such page: the next one, or the list
    return _listing(vm, path, name), "text/html; charset=utf-8", None


def _listing(vm: Vm, path: str, name: str) -> bytes:
    shown = html.escape(name if name.endswith("/") else name + "/", quote=False)
    title = f"Directory listing for {shown}"
    lines = ["<!DOCTYPE HTML>", '<html lang="en">', "<head>", '<meta charset="utf-8">', f"<title>{title}</title>",
             "</head>", "<body>", f"<h1>{title}</h1>", "<hr>", "<ul>"]  # fmt: skip
    for each in sorted(vm.p.fs.listdir(path), key=str.lower):
        link = label = each
        status = vm.p.fs.stat(f"{path}/{each}", follow=False)
        if status.is_dir:
            link = label = each + "/"
        elif status.is_link:
            label = each + "@"
        address = quote(link, errors="surrogatepass")
        lines.append(f'<li><a href="{address}">{html.escape(label, quote=False)}</a></li>')
    lines += ["</ul>", "<hr>", "</body>", "</html>", ""]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _head(vm: Vm, code: int, reason: str, fields: list[tuple[str, str]]) -> bytes:
    now = format_datetime(datetime.fromtimestamp(int(vm.p.now()), UTC), usegmt=True)
    version = ".".join(map(str, vm.version[:2])) + (".5" if vm.version >= (3, 13) else ".2")
    rows = [f"HTTP/1.0 {code} {reason}", f"Server: SimpleHTTP/0.6 Python/{version}", f"Date: {now}"]
    rows += [f"{name}: {value}" for name, value in fields]
    return encode("\r\n".join(rows) + "\r\n\r\n")


def _fails(vm: Vm, fd: int, line: str, code: int, message: str, with_body: bool) -> Gen:
    explain = _EXPLAINED[code][1]
    yield from _tell(vm, fd, f"code {code}, message {message}")
    yield from _tell(vm, fd, f'"{line}" {code} -')
    body = encode(_ERROR.format(code=code, message=html.escape(message, quote=False), explain=explain))
    head = [
        ("Connection", "close"),
        ("Content-Type", "text/html;charset=utf-8"),
        ("Content-Length", str(len(body))),
    ]
    top = _head(vm, code, message, head) if code != _BAD_REQUEST else b""  # spoken to as HTTP/0.9
    yield from vm.p.write(fd, top + (body if with_body else b""))


def _tell(vm: Vm, fd: int, words: str) -> Gen:
    here = local(vm.p, vm.p.now()).clock
    yield from vm.p.err(f"{vm.p.peer(fd)[0]} - - [{here:%d/%b/%Y %H:%M:%S}] {words}\n")

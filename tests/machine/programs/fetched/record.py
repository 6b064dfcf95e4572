"""Record what the real clients say and save: ``python tests/machine/programs/fetched/record.py``, as root on Debian 12.

Every line of lines.txt runs with bash in a new /tmp/s, in a network namespace of its own that holds only the servers
of this file (HTTP, FTP, TFTP) on an address of documentation. lines.json keeps what was printed, with times and
speeds taken out, and the files that were left behind.
"""

from __future__ import annotations

import json
import os
import re
import socketserver
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[3]))

from tests.machine.programs.fetched.routes import FILES, HOST, HTTP, NAME  # noqa: E402

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root", "TZ": "UTC"}
NAMESPACE = f"""\
set -e
ip link set lo up
ip address add {HOST}/32 dev lo
cp /etc/hosts /run/hosts.new
echo '{HOST} {NAME}' >> /run/hosts.new
mount --bind /run/hosts.new /etc/hosts
exec "$@"
"""


def read() -> list[str]:
    """The command lines."""
    return [
        line
        for line in (HERE / "lines.txt").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]


def plain(text: str) -> str:
    """A client's words without times, speeds and process ids."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    text = re.sub(r"\([\d.]+ [KMG]?B/s\)", "(SPEED)", text)
    text = re.sub(r" +[\d.]+[KMG ]?=[\d.]+m?s", " SPEED", text)
    text = re.sub(r"(\d+%) +[\d.]+[KMG ]? +\d+s$", r"\1 SPEED", text, flags=re.M)
    text = re.sub(r"^( *\d+K [. ]+?) +[\d.]+[KMG]$", r"\1 SPEED", text, flags=re.M)
    text = re.sub(r"(wall clock time: )[\d.]+m?s", r"\1T", text)
    text = re.sub(r"(Downloaded: .* in )[\d.]+s \(.*\)", r"\1T", text)
    text = re.sub(r"after \d+ (ms|milliseconds)", r"after N \1", text)
    text = re.sub(r"(?:\r[^\r\n]*)+(\r[^\r\n]*)", r"\1", text)  # only the last state of a progress meter
    text = re.sub(r"(\r *\d+ +\S+ +\d+ +\S+ +\d+ +\S+) [^\r\n]*", r"\1 METER", text)
    text = re.sub(r"\|\*+\|( +\S+) +\d:\d\d:\d\d ETA", r"|BAR|\1 ETA", text)
    text = re.sub(r"pid \d+", "pid N", text)
    return re.sub(r"\d\.\d{6}", "T", text)


class Web(BaseHTTPRequestHandler):
    """HTTP: exactly the routes."""

    def do_GET(self) -> None:
        """Answer."""
        route = HTTP.get(self.path.partition("?")[0])
        if route is None:
            route = HTTP["/gone"]
        self.wfile.write(f"HTTP/1.1 {route.status} {route.reason}\r\n".encode())
        for name, value in route.sent.items():
            self.wfile.write(f"{name}: {value}\r\n".encode())
        self.wfile.write(b"\r\n")
        if self.command != "HEAD":
            self.wfile.write(route.body)
        self.close_connection = True

    do_HEAD = do_POST = do_PUT = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


class Files(socketserver.StreamRequestHandler):
    """FTP: any log-in, passive mode, RETR and SIZE."""

    def say(self, text: str) -> None:
        """One answer."""
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self) -> None:
        """A session."""
        folder, data = "/", socketserver.TCPServer((HOST, 0), socketserver.BaseRequestHandler)
        self.say("220 ready")
        for raw in self.rfile:
            verb, _, word = raw.decode("latin-1").strip().partition(" ")
            verb = verb.upper()
            path = word if word.startswith("/") else f"{folder.rstrip('/')}/{word}"
            port = data.server_address[1]
            if verb == "CWD":
                there = any(name.startswith(path.rstrip("/") + "/") for name in FILES)
                folder = path if there else folder
                self.say("250 changed" if there else "550 no such folder")
            elif verb == "SIZE":
                self.say(f"213 {len(FILES[path])}" if path in FILES else "550 no such file")
            elif verb == "EPSV":
                self.say(f"229 passive (|||{port}|)")
            elif verb == "PASV":
                self.say(f"227 passive ({HOST.replace('.', ',')},{port >> 8},{port & 255})")
            elif verb == "RETR" and path in FILES:
                self.say("150 here it comes")
                connection, _ = data.socket.accept()
                connection.sendall(FILES[path])
                connection.close()
                self.say("226 done")
            elif verb == "RETR":
                self.say("550 Failed to open file.")
            elif verb == "QUIT":
                self.say("221 bye")
                break
            else:
                known = {
                    "USER": "331 password",
                    "PASS": "230 in",
                    "SYST": "215 UNIX Type: L8",
                    "PWD": f'257 "{folder}"',
                }
                self.say(known.get(verb, "200 good"))
        data.server_close()


class Blocks(socketserver.BaseRequestHandler):
    """TFTP: read requests, blocks of 512 bytes."""

    def handle(self) -> None:
        """One request: its answers come from the same socket, so that requests are served one by one."""
        packet, socket = self.request
        opcode = struct.unpack_from("!H", packet)[0]
        if opcode == 4:
            number = struct.unpack_from("!H", packet, 2)[0]
            self.block(socket, self.server.wanted, number + 1)  # type: ignore[attr-defined]
        elif opcode == 1:
            name = packet[2:].split(b"\0")[0].decode("latin-1")
            path = "/" + name.lstrip("/")
            if path not in FILES:
                socket.sendto(struct.pack("!HH", 5, 1) + b"File not found\0", self.client_address)
                return
            self.server.wanted = path  # type: ignore[attr-defined]
            self.block(socket, path, 1)

    def block(self, socket: object, path: str, number: int) -> None:
        """Send a block."""
        data = FILES[path]
        if (number - 1) * 512 > len(data):
            return
        piece = data[(number - 1) * 512 : number * 512]
        socket.sendto(struct.pack("!HH", 3, number) + piece, self.client_address)  # type: ignore[attr-defined]


def record(line: str) -> dict[str, object]:
    """What one line gives."""
    folder = Path("/tmp/s")
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    folder.mkdir()
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    files = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return {
        "line": line,
        "status": done.returncode,
        "out": plain(done.stdout.decode("latin-1")),
        "err": plain(done.stderr.decode("latin-1")),
        "files": files,
    }


def main() -> int:
    """Record everything."""
    if os.environ.get("RECORDING") != "1":
        command = ["unshare", "--mount", "--net", "bash", "-c", NAMESPACE, "record", sys.executable, __file__]
        return subprocess.run(command, env={**os.environ, "RECORDING": "1"}, check=False).returncode
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    servers = [
        ThreadingHTTPServer((HOST, 80), Web),
        socketserver.ThreadingTCPServer((HOST, 21), Files),
        socketserver.UDPServer((HOST, 69), Blocks),
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    rows = [record(line) for line in read()]
    (HERE / "lines.json").write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", "ascii")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

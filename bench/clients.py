"""Commands and shells through the SSH libraries that bots are built on: how many of each get their output.

    python bench/clients.py HOST:PORT --password WORD [--user root] [--times 20] [--python OTHER/bin/python] [--go BOT]

`--python` names an interpreter that has paramiko and ssh2-python (libssh2); `--go` a program built from
`bench/clients/bot.go`. OpenSSH and PuTTY's plink are used where they are installed. Prints one JSON line: per client
"commands" and "shells", how many of `times` printed what they should.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

COMMAND, EXPECTED = "uname -s", "Linux"

PARAMIKO = """
import sys, paramiko, time
host, port, user, word, command = sys.argv[1:]
client = paramiko.SSHClient(); client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect(host, int(port), user, word, look_for_keys=False, allow_agent=False)
if command:
    print(client.exec_command(command)[1].read().decode())
else:
    channel = client.invoke_shell(); channel.send("uname -s\\nexit\\n"); out = b""
    while data := channel.recv(4096): out += data
    print(out.decode())
client.close()
"""
LIBSSH2 = """
import sys, socket
from ssh2.session import Session
host, port, user, word, command = sys.argv[1:]
sock = socket.create_connection((host, int(port))); session = Session(); session.handshake(sock)
session.userauth_password(user, word); channel = session.open_session()
if command:
    channel.execute(command)
else:
    channel.pty(); channel.shell(); channel.write("uname -s\\nexit\\n")
out = b""
while True:
    size, data = channel.read()
    if size <= 0: break
    out += data
print(out.decode())
"""
ASYNCSSH = """
import sys, asyncio, asyncssh
host, port, user, word, command = sys.argv[1:]
async def main():
    async with asyncssh.connect(host, int(port), username=user, password=word, known_hosts=None, client_keys=None,
                                config=None, agent_path=None) as client:
        if command:
            print((await client.run(command)).stdout)
        else:
            print((await client.run(None, input="uname -s\\nexit\\n", term_type="xterm")).stdout)
asyncio.run(main())
"""


def clients(arguments: argparse.Namespace, folder: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Per client the argument vectors of a command and of a shell."""
    host, _, port = arguments.address.rpartition(":")
    user, word = arguments.user, arguments.password
    found: dict[str, tuple[list[str], list[str]]] = {}

    def script(name: str, python: str, text: str) -> None:
        line = [python, "-c", text, host, port, user, word]
        found[name] = ([*line, COMMAND], [*line, ""])

    script("asyncssh", sys.executable, ASYNCSSH)
    if arguments.python:
        script("paramiko", arguments.python, PARAMIKO)
        script("libssh2", arguments.python, LIBSSH2)
    if arguments.go:
        line = [arguments.go, arguments.address, user, word]
        found["Go x/crypto/ssh"] = ([*line, COMMAND], [*line, ""])
    if shutil.which("ssh"):
        ask = folder / "askpass"
        ask.write_text(f"#!/bin/sh\necho '{word}'\n")
        ask.chmod(0o700)
        line = ["ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={folder}/known",
                "-o", "PubkeyAuthentication=no", "-p", port]  # fmt: skip
        found["OpenSSH"] = ([*line, f"{user}@{host}", COMMAND], [*line, "-tt", f"{user}@{host}"])
    if shutil.which("plink"):
        line = ["plink", "-batch", "-ssh", "-P", port, "-pw", word, "-hostkey", host_key(host, port)]
        found["plink"] = ([*line, f"{user}@{host}", COMMAND], [*line, "-t", f"{user}@{host}"])
    return found


def host_key(host: str, port: str) -> str:
    """The fingerprint of the server's ed25519 key, for plink, which asks otherwise."""
    scanned = subprocess.run(
        ["ssh-keyscan", "-t", "ed25519", "-p", port, host], capture_output=True, check=True
    )
    shown = subprocess.run(["ssh-keygen", "-lf", "-"], input=scanned.stdout, capture_output=True, check=True)
    return shown.stdout.split()[1].decode()


def works(argv: list[str], typed: bytes, environment: dict[str, str]) -> bool:
    """Whether a run printed what it should."""
    try:
        done = subprocess.run(argv, input=typed, capture_output=True, timeout=60, env=environment)
    except subprocess.TimeoutExpired:
        return False
    return EXPECTED in done.stdout.decode("utf-8", "replace").split()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("address")
    parser.add_argument("--password", required=True)
    parser.add_argument("--user", default="root")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--python")
    parser.add_argument("--go")
    arguments = parser.parse_args()
    table = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = os.environ | {
            "SSH_ASKPASS": f"{folder}/askpass",
            "SSH_ASKPASS_REQUIRE": "force",
            "HOME": name,
        }
        for client, (command, shell) in clients(arguments, folder).items():
            table[client] = {
                "commands": sum(works(command, b"", environment) for _ in range(arguments.times)),
                "shells": sum(works(shell, b"uname -s\nexit\n", environment) for _ in range(arguments.times)),
            }
    sys.stdout.write(json.dumps({"bench": "clients", "times": arguments.times} | table) + "\n")


if __name__ == "__main__":
    main()

"""ssh to the machine itself: the question about the host key, the password, and the shell that it opens."""

from __future__ import annotations

import base64
import binascii
import hashlib

from urltrap.machine.api import Process, Run, encode
from urltrap.machine.programs._cmd import Cmd
from urltrap.machine.programs._system import account, names, text_of
from urltrap.machine.programs.passwd import ask

_KINDS = {"ssh-ed25519": "ED25519", "ecdsa-sha2-nistp256": "ECDSA", "ssh-rsa": "RSA"}
_KEYS = ("ed25519", "ecdsa", "rsa")
_TRIES = 3


def at_home(c: Cmd, host: str, address: str, user: str, words: list[str]) -> Run:
    """Log in to the own sshd as ssh(1) does it; ssh's exit status."""
    p = c.p
    name = user or c.value("l") or names(p).get(p.uid, "root")
    options = {
        key.strip().lower(): value.strip().lower()
        for key, _, value in (each.replace("=", " ", 1).partition(" ") for each in c.values("o"))
    }
    if not (yield from _known_host(p, host, address, options)):
        return 255
    home = account(p, name)
    for attempt in range(0 if options.get("batchmode") == "yes" else _TRIES):
        secret = yield from ask(p, f"{name}@{host}'s password: ")
        if secret is None:
            break
        if home is not None and p.password_opens(name, secret) and p.uid in (0, int(home[2])):
            return (yield from _session(p, home, words))
        yield from p.sleep(1.5 + p.random(1000) / 1000)
        if attempt < _TRIES - 1:
            yield from p.err("Permission denied, please try again.\r\n")
    yield from p.err(f"{name}@{host}: Permission denied (publickey,password).\r\n")
    return 255


def _known_host(p: Process, host: str, address: str, options: dict[str, str]) -> Run:
    """Ask about the key of a host that was never visited; 1 where it is known or was accepted."""
    line = next((text for each in _KEYS if (text := text_of(p, f"/etc/ssh/ssh_host_{each}_key.pub"))), "")
    kind, _, rest = line.partition(" ")
    key = rest.split()[0] if rest.split() else ""
    folder = f"{p.env.get('HOME', '/root')}/.ssh"
    known = text_of(p, f"{folder}/known_hosts")
    if any(host in row.split(" ")[0].split(",") for row in known.splitlines()):
        return 1
    short = _KINDS.get(kind, "ED25519")
    strict = options.get("stricthostkeychecking", "ask")
    if strict in ("yes",) or (strict == "ask" and (options.get("batchmode") == "yes" or not p.is_tty(0))):
        if strict == "yes":
            yield from p.err(
                f"No {short} host key is known for {host} and you have requested strict checking.\r\n"
            )
        yield from p.err("Host key verification failed.\r\n")
        return 0
    if strict == "ask":
        yield from p.err(
            f"The authenticity of host '{host} ({address})' can't be established.\n"
            f"{short} key fingerprint is {_fingerprint(key)}.\n"
            "This key is not known by any other names.\n"
            "Are you sure you want to continue connecting (yes/no/[fingerprint])? "
        )
        while True:
            said = (yield from p.read(0, 256)).strip().lower()
            if said in (b"no", b""):
                yield from p.err("Host key verification failed.\r\n")
                return 0
            if said == b"yes" or said == encode(_fingerprint(key).lower()):
                break
            yield from p.err("Please type 'yes', 'no' or the fingerprint: ")
    if options.get("userknownhostsfile") != "/dev/null":
        if not p.fs.access(folder, 0):
            p.fs.mkdir(folder, 0o700)
        p.fs.write(f"{folder}/known_hosts", encode(f"{known}{host} {kind} {key}\n"), mode=0o600)
    yield from p.err(f"Warning: Permanently added '{host}' ({short}) to the list of known hosts.\r\n")
    return 1


def _fingerprint(key: str) -> str:
    """A key's SHA-256 as ssh-keygen -l shows it."""
    try:
        raw = base64.b64decode(key)
    except (binascii.Error, ValueError):
        raw = encode(key)
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")


def _session(p: Process, fields: list[str], words: list[str]) -> Run:
    shell = fields[6] or "/bin/sh"
    base = shell.rpartition("/")[2]
    env = {
        "USER": fields[0],
        "LOGNAME": fields[0],
        "HOME": fields[5],
        "SHELL": shell,
        "PATH": p.env.get("PATH", ""),
    }
    env |= {"TERM": p.env["TERM"]} if "TERM" in p.env else {}
    argv = [base, "-c", " ".join(words)] if words else [f"-{base}"]
    if not words:
        yield from p.out(text_of(p, "/etc/motd"))
    pid = p.spawn(argv, path=shell, env=env, cwd=fields[5], uid=int(fields[2]) if p.uid == 0 else None)
    ended = yield from p.wait(pid)
    return ended[1] if ended else 0

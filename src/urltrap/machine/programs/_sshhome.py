"""ssh to the machine itself: the question about the host key, the password, and the shell that it opens."""

from __future__ import annotations

import base64
import binascii
import hashlib

from urltrap.machine.api import Process, Run, encode
from urltrap.machine.errors import SysError
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
    yield from _warn_of_open_keys(c)
    if home is not None and p.uid in (0, int(home[2])) and _key_opens(c, home):
        return (yield from _session(p, address, home, words))
    for attempt in range(0 if options.get("batchmode") == "yes" else _TRIES):
        secret = yield from ask(p, f"{name}@{host}'s password: ")
        if secret is None:
            break
        if home is not None and p.password_opens(name, secret) and p.uid in (0, int(home[2])):
            return (yield from _session(p, address, home, words))
        yield from p.sleep(1.5 + p.random(1000) / 1000)
        if attempt < _TRIES - 1:
            yield from p.err("Permission denied, please try again.\r\n")
    yield from p.err(f"{name}@{host}: Permission denied (publickey,password).\r\n")
    return 255


_MAGIC = b"openssh-key-v1\0"
_IDENTITIES = ("id_rsa", "id_ecdsa", "id_ed25519", "id_dsa")
_BLANK = 4
"""Strings in front of the public key in a private one: cipher, kdf, its options; then how many keys there are."""


def _key_opens(c: Cmd, home: list[str]) -> bool:
    """Whether one of the keys that ssh would offer is among those that may log in as this user."""
    p = c.p
    try:
        data = p.owner_fs.read(f"{home[5]}/.ssh/authorized_keys", 1_000_000) if p.uid else b""
        data = data or p.fs.read(f"{home[5]}/.ssh/authorized_keys", 1_000_000)
    except SysError:
        return False
    allowed = {
        word for line in data.splitlines() if not line.lstrip().startswith(b"#") for word in line.split()
    }
    return any(_public(p, path) & allowed for path in _offered(c))


def _offered(c: Cmd) -> list[str]:
    folder = f"{c.p.env.get('HOME', '/root')}/.ssh"
    return c.values("i") or [f"{folder}/{each}" for each in _IDENTITIES]


def _warn_of_open_keys(c: Cmd) -> Run:
    for path in _offered(c):
        try:
            mode = c.p.fs.stat(path).mode
        except SysError:
            continue
        if mode & 0o077:
            yield from c.p.err(
                f"{'@' * 59}\r\n@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\r\n{'@' * 59}\r\n"
                f"Permissions {mode & 0o7777:04o} for '{path}' are too open.\r\n"
                "It is required that your private key files are NOT accessible by others.\r\n"
                f'This private key will be ignored.\r\nLoad key "{path}": bad permissions\r\n'
            )
    return 0


def _public(p: Process, path: str) -> set[bytes]:
    """The public key of an identity file, as authorized_keys has it; empty where there is none that ssh would use."""
    try:
        status = p.fs.stat(path)
        data = p.fs.read(path, 100_000)
    except SysError:
        return set()
    if status.mode & 0o077:
        return set()  # ssh ignores a private key that others could read
    body = b"".join(line for line in data.splitlines() if line and not line.startswith(b"-----"))
    try:
        raw = base64.b64decode(body)
    except (binascii.Error, ValueError):
        return set()
    if not raw.startswith(_MAGIC):
        words = text_of(p, f"{path}.pub").split()
        return {encode(words[1])} if len(words) > 1 else set()
    at = len(_MAGIC)
    strings: list[bytes] = []
    while len(strings) < _BLANK:
        if len(strings) == _BLANK - 1:
            at += 4  # how many keys there are
        length = int.from_bytes(raw[at : at + 4], "big")
        strings.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    return {base64.b64encode(strings[-1])}


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


def _session(p: Process, address: str, fields: list[str], words: list[str]) -> Run:
    shell = fields[6] or "/bin/sh"
    base = shell.rpartition("/")[2]
    env = {
        "USER": fields[0],
        "LOGNAME": fields[0],
        "HOME": fields[5],
        "SHELL": shell,
        "PATH": p.env.get("PATH", ""),
    }
    port = 32_768 + p.random(28_000)
    env |= {"SSH_CLIENT": f"{address} {port} 22", "SSH_CONNECTION": f"{address} {port} {address} 22"}
    env |= {"TERM": p.env["TERM"]} if "TERM" in p.env else {}
    argv = [base, "-c", " ".join(words)] if words else [f"-{base}"]
    if not words:
        yield from p.out(text_of(p, "/etc/motd"))
    pid = p.spawn(argv, path=shell, env=env, cwd=fields[5], uid=int(fields[2]) if p.uid == 0 else None)
    ended = yield from p.wait(pid)
    return ended[1] if ended else 0

"""ssh-keygen: makes keys, shows public keys and fingerprints, forgets hosts; as OpenSSH 9.2 and 10.0 do."""

from __future__ import annotations

import base64
import errno
import hashlib
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs import _sshkeys as keys
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._paths import lstat, read_answer
from urltrap.machine.programs.registry import program

_LETTERS = "ABHLQUXceghiklopquvyC:D:E:F:I:J:K:M:N:O:P:R:V:Y:Z:a:b:f:m:n:r:s:t:w:z:"
_BITS = {"rsa": 3072, "ecdsa": 256, "ed25519": 256}
_KINDS = ("rsa", "ed25519", "ecdsa")


def _usage(p: Process, problem: str = "") -> Run:
    row = p.recorded_answer("ssh-keygen", "-?")
    text = (
        str(row[2]).partition("\n")[2] if row is not None else "usage: ssh-keygen [-q] [-f output_keyfile]\n"
    )
    yield from p.err((f"{problem}\n" if problem else "") + text)
    return 1


@program("ssh-keygen")
def ssh_keygen(p: Process) -> Run:
    """Make a key, or do what another of its options asks."""
    try:
        found, args = getopt(p.argv[1:], _LETTERS, {})
    except OptionError as problem:
        words = str(problem)
        text = words.replace("option requires an argument --", "option requires an argument --")
        return (yield from _usage(p, f"{p.argv[0]}: {text}".replace("'", "")))
    options = {letter.lstrip("-"): value for letter, value in found}
    if args:
        yield from p.err("Too many arguments.\r\n")
        return (yield from _usage(p))
    if "l" in options or "B" in options:
        return (yield from _fingerprint(p, options))
    if "y" in options:
        return (yield from _public(p, options))
    if "R" in options or "F" in options:
        return (yield from _hosts(p, options))
    if "A" in options:
        return (yield from _host_keys(p))
    if unknown := set(options) - set("tbfNPCqEvamw"):
        p.unwritten()
        return 139 if unknown else 0
    return (yield from _generate(p, options))


def _home(p: Process) -> str:
    for line in decode(p.fs.read("/etc/passwd")).splitlines():
        fields = line.split(":")
        if len(fields) > 5 and fields[2] == str(p.uid):
            return fields[5]
    return p.env.get("HOME", "/")


def _default_kind(p: Process) -> str:
    return "ed25519" if p.persona.kind == "debian-13" else "rsa"


def _generate(p: Process, options: dict[str, str]) -> Run:
    kind = options.get("t", _default_kind(p)).lower()
    kind = {"rsa-sha2-256": "rsa", "rsa-sha2-512": "rsa", "ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}.get(
        kind, kind
    )
    if kind not in _KINDS:
        yield from p.err(f"unknown key type {options.get('t', '')}\r\n")
        return 255
    bits = _BITS[kind]
    if "b" in options:
        given = options["b"]
        if not given.isdecimal() or not 0 < int(given[:9]) < 100_000:
            yield from p.err(f"Bits has bad value {given} (too small)\r\n")
            return 255
        bits = int(given) if kind != "ed25519" else bits
    if kind == "rsa" and bits < 1024:
        yield from p.err("Invalid RSA key length: minimum is 1024 bits\r\n")
        return 255
    if kind == "rsa" and bits > 16_384:
        yield from p.err("Invalid RSA key length: maximum is 16384 bits\r\n")
        return 255
    if kind == "ecdsa" and bits not in (256, 384, 521):
        yield from p.err("Invalid ECDSA key length: valid lengths are 256, 384 or 521 bits\r\n")
        return 255
    quiet = "q" in options
    if not quiet:
        yield from p.out(f"Generating public/private {kind} key pair.\n")
    path = options.get("f")
    if path is None:
        path = f"{_home(p)}/.ssh/id_{kind}"
        answer = yield from _asked(p, f"Enter file in which to save the key ({path}): ")
        path = answer or path
    folder = path.rpartition("/")[0]
    if "f" not in options and folder and lstat(p, folder) is None:
        try:
            p.fs.mkdir(folder, 0o700)
        except SysError as problem:
            yield from p.err(f"Could not create directory '{folder}': {problem.words}\r\n")
        else:
            if not quiet:
                yield from p.out(f"Created directory '{folder}'.\n")
    if lstat(p, path) is not None:
        yield from p.out(f"{path} already exists.\n")
        answer = yield from _asked(p, "Overwrite (y/n)? ")
        if answer[:1].lower() != "y":
            return 1
    passphrase = options.get("N")
    while passphrase is None:
        passphrase = yield from _secret(p, _prompt(p, path))
        if (yield from _secret(p, "Enter same passphrase again: ")) != passphrase:
            yield from p.out("Passphrases do not match.  Try again.\n")
            passphrase = None
    if passphrase and len(passphrase) <= 4 and "N" in options:
        yield from p.err(
            "Passphrase is too short (minimum five characters)\n" if p.persona.kind != "debian-13" else ""
        )
    comment = options.get("C", f"{p.user}@{p.hostname}")
    yield from p.tick(60)
    key = keys.generate(kind, bits, p.random_bytes, comment)
    try:
        p.fs.write(path, key.private(passphrase, p.random_bytes), mode=0o600)
        p.fs.chmod(path, 0o600)
    except SysError as problem:
        yield from p.err(f'Saving key "{path}" failed: {problem.words}\r\n')
        return 1
    if not quiet:
        yield from p.out(f"Your identification has been saved in {path}\n")
    try:
        p.fs.write(f"{path}.pub", encode(key.line + "\n"), mode=0o644)
    except SysError as problem:
        yield from p.err(f"Unable to save public key to {path}.pub: {problem.words}\r\n")
        return 1
    if not quiet:
        yield from p.out(
            f"Your public key has been saved in {path}.pub\nThe key fingerprint is:\n"
            f"{keys.fingerprint(key.blob)} {comment}\nThe key's randomart image is:\n"
            f"{keys.randomart(key.blob, kind, key.bits)}\n"
        )
    return 0


def _prompt(p: Process, path: str) -> str:
    if p.persona.kind == "debian-13":
        return f'Enter passphrase for "{path}" (empty for no passphrase): '
    return "Enter passphrase (empty for no passphrase): "


def _asked(p: Process, question: str) -> Generator[Any, Any, str]:
    yield from p.out(question)
    return decode((yield from read_answer(p))).rstrip("\r\n")


def _secret(p: Process, question: str) -> Generator[Any, Any, str]:
    """A passphrase, from the terminal without echo where there is one."""
    if not p.is_tty(0):
        yield from p.out(question)
        return decode((yield from read_answer(p))).rstrip("\r\n")
    terminal = p.tty(0)
    yield from p.out(question)
    terminal.echo = False
    try:
        answer = yield from read_answer(p)
    finally:
        terminal.echo = True
    yield from p.out("\n")
    return decode(answer).rstrip("\r\n")


def _read_public(p: Process, path: str) -> Generator[Any, Any, list[str]]:
    """The public keys of a file: a line each; of a private key its own, or that of the file beside it."""
    yield from p.tick(5)
    data = decode(p.fs.read(path, 1_000_000))
    if "PRIVATE KEY" in data:
        line = keys.public_of(data)
        return [line] if line else []
    return [line for line in data.splitlines() if keys.parse_line(line) is not None]


def _fingerprint(p: Process, options: dict[str, str]) -> Run:
    path = options.get("f") or f"{_home(p)}/.ssh/id_{_default_kind(p)}"
    try:
        lines = yield from _read_public(p, path)
    except SysError as problem:
        yield from p.err(f"{p.argv[0]}: {path}: {problem.words}\r\n")
        return 255
    if not lines:
        yield from p.err(f"{path} is not a public key file.\r\n")
        return 255
    for line in lines:
        kind, blob, comment = keys.parse_line(line)  # type: ignore[misc]
        shown = keys.fingerprint(blob, options.get("E", "sha256").lower())
        bits = keys.bits_of(kind, blob)
        name = {"ssh-rsa": "RSA", "ssh-ed25519": "ED25519", "ssh-dss": "DSA"}.get(kind, "ECDSA")
        yield from p.out(f"{bits} {shown} {comment or 'no comment'} ({name})\n")
        if "v" in options:
            yield from p.out(keys.randomart(blob, name.lower(), bits) + "\n")
    return 0


def _public(p: Process, options: dict[str, str]) -> Run:
    path = options.get("f") or f"{_home(p)}/.ssh/id_{_default_kind(p)}"
    try:
        data = decode(p.fs.read(path, 1_000_000))
    except SysError as problem:
        yield from p.err(f"{path}: {problem.words}\r\n")
        return 255
    stat = p.fs.stat(path)
    if stat.mode & 0o077 and p.uid == stat.uid:
        bar = "@" * 59
        yield from p.err(
            f"{bar}\n@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\n{bar}\n"
            f"Permissions 0{stat.mode & 0o777:03o} for '{path}' are too open.\n"
            "It is required that your private key files are NOT accessible by others.\n"
            f'This private key will be ignored.\nLoad key "{path}": bad permissions\n'
        )
        return 255
    line = keys.public_of(data)
    if line is None:
        yield from p.err(f'Load key "{path}": invalid format\n' if p.persona.kind != "debian-13" else
                         f'Load key "{path}": error in libcrypto\n')  # fmt: skip
        return 255
    yield from p.out(line + "\n")
    return 0


def _hosts(p: Process, options: dict[str, str]) -> Run:
    path = options.get("f") or f"{_home(p)}/.ssh/known_hosts"
    wanted = options.get("R", options.get("F", ""))
    try:
        lines = decode(p.fs.read(path, 1_000_000)).splitlines()
    except SysError as problem:
        what = "mkstemp" if problem.errno != errno.ENOENT else ""
        words = f"Cannot stat {path}: {problem.words}\r\n" if not what else f"{what}: {problem.words}\n"
        yield from p.err(words)
        return 255
    kept, hit = [], False
    for number, line in enumerate(lines, 1):
        if _names(line, wanted):
            hit = True
            where = f"# Host {wanted} found: line {number}"
            yield from p.out(f"{where}\n" + (f"{line}\n" if "F" in options else ""))
        else:
            kept.append(line)
    if "F" in options:
        return 0 if hit else 1
    if not hit:
        yield from p.err(f"Host {wanted} not found in {path}\n")
        return 0
    p.fs.write(f"{path}.old", encode("\n".join(lines) + "\n"), mode=0o600)
    p.fs.write(path, encode("".join(f"{line}\n" for line in kept)), mode=0o600)
    yield from p.out(f"{path} updated.\nOriginal contents retained as {path}.old\n")
    return 0


def _names(line: str, wanted: str) -> bool:
    names = line.partition(" ")[0]
    if names.startswith("|1|"):
        _, _, salt, digest = names.split("|", 3)
        try:
            key = base64.b64decode(salt)
        except ValueError:
            return False
        block = key.ljust(64, b"\0")
        inner = hashlib.sha1(bytes(each ^ 0x36 for each in block) + encode(wanted)).digest()
        return (
            base64.b64encode(hashlib.sha1(bytes(each ^ 0x5C for each in block) + inner).digest()).decode()
            == digest
        )
    return wanted in names.split(",")


def _host_keys(p: Process) -> Run:
    begun = False
    for kind in ("rsa", "ecdsa", "ed25519"):
        path = f"/etc/ssh/ssh_host_{kind}_key"
        if lstat(p, path) is not None:
            continue
        yield from p.out("" if begun else "ssh-keygen: generating new host keys: ")
        yield from p.out(f"{kind.upper()} ")
        begun = True
        key = keys.generate(kind, _BITS[kind], p.random_bytes, f"{p.user}@{p.hostname}")
        try:
            p.fs.write(path, key.private("", p.random_bytes), mode=0o600)
            p.fs.write(f"{path}.pub", encode(key.line + "\n"))
        except SysError as problem:
            yield from p.err(f'Saving key "{path}" failed: {problem.words}\r\n')
            return 1
    if begun:
        yield from p.out("\n")
    return 0

# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""openssl: version, passwd -1/-5/-6, enc -base64, dgst, rand."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs.registry import program
from urltrap.machine.unix_crypt import md5_crypt, sha_crypt

_LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGESTS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3-256", "sha3-512")
_HELP = "help:\n\nStandard commands\nasn1parse         ca                ciphers           cmp               \ncms               crl               crl2pkcs7         dgst              \n"
_MAX = 16_000_000


@program("openssl")
def openssl(p: Process) -> Run:
    """The commands that attackers use."""
    words = p.argv[1:]
    if not words or words[0] in ("help", "-h", "--help"):
        yield from p.err(_HELP)
        return 0
    name, rest = words[0], words[1:]
    if name in ("version", "-v", "--version"):
        yield from p.out(
            "OpenSSL 3.5.1 1 Jul 2025 (Library: OpenSSL 3.5.1 1 Jul 2025)\n"
            if p.persona.kind == "debian-13"
            else "OpenSSL 3.0.17 1 Jul 2025 (Library: OpenSSL 3.0.17 1 Jul 2025)\n"
        )
        return 0
    if name == "passwd":
        return (yield from _passwd(p, rest))
    if name in ("enc", "base64") or name in ("aes-256-cbc", "aes-128-cbc", "des3"):
        return (yield from _enc(p, rest if name == "enc" else ["-" + name, *rest]))
    if name == "dgst" or name in _DIGESTS:
        return (yield from _dgst(p, rest if name == "dgst" else ["-" + name, *rest]))
    if name == "rand":
        return (yield from _rand(p, rest))
    if name in (
        "s_client",
        "req",
        "genrsa",
        "x509",
        "rsa",
        "genpkey",
        "pkey",
        "ca",
        "verify",
        "speed",
        "list",
        "ciphers",
        "s_server",
        "rsautl",
        "pkeyutl",
        "ecparam",
    ):
        if name == "s_client":
            yield from p.sleep(3.0)
            yield from p.err("connect:errno=113\n")
        return 1 if name in ("s_client", "x509", "rsa", "verify") else 0
    yield from p.err(f"Invalid command '{name}'; type \"help\" for a list.\n")
    return 1


def _passwd(p: Process, words: list[str]) -> Run:
    kind, salt, passwords, stdin = "1", "", [], False
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("-1", "-5", "-6", "-apr1"):
            kind = word[1:]
        elif word == "-salt" and rest:
            salt = rest.pop(0)
        elif word == "-stdin":
            stdin = True
        elif word.startswith("-"):
            if word not in ("-noverify", "-quiet", "-table"):
                yield from p.err(f"passwd: Unknown option: {word[1:]}\npasswd: Use -help for summary.\n")
                return 1
        else:
            passwords.append(word)
    if stdin:
        passwords = decode((yield from p.read_all(0, 100_000))).split("\n")
        passwords = passwords[:-1] if passwords and not passwords[-1] else passwords
    if not passwords:
        if p.is_tty(0):
            yield from p.err("Password: ")
        line = decode((yield from p.read(0, 1024)))
        if p.is_tty(0):
            yield from p.err("\nVerifying - Password: ")
            yield from p.read(0, 1024)
            yield from p.err("\n")
        passwords = [line.rstrip("\n")]
    for password in passwords[:50]:
        size = 8 if kind in ("1", "apr1") else 16
        chosen = (salt or "".join(_LETTERS[p.random(64)] for _ in range(size)))[:size]
        secret = password.encode("utf-8", "surrogateescape")[:256]
        yield from p.tick(2_000)
        if kind in ("1", "apr1"):
            yield from p.out(md5_crypt(secret, chosen, "$1$" if kind == "1" else "$apr1$") + "\n")
        else:
            yield from p.out(sha_crypt(secret, chosen, kind) + "\n")
    return 0


def _io(words: list[str]) -> dict[str, str]:
    """Options with their values, by name."""
    valued = {"-in", "-out", "-k", "-pass", "-K", "-iv", "-S", "-md", "-hmac", "-iter", "-sign", "-verify"}
    found: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in valued and rest:
            found[word] = rest.pop(0)
        elif word.startswith("-") and len(word) > 1:
            found[word] = ""
        else:
            found["file"] = (found.get("file", "") + "\0" + word).lstrip("\0")
    return found


def _enc(p: Process, words: list[str]) -> Run:
    options = _io(words)
    try:
        data = p.fs.read(options["-in"], _MAX) if "-in" in options else (yield from p.read_all(0, _MAX))
    except SysError as problem:
        yield from p.err(f'Can\'t open "{options["-in"]}" for reading, {problem.words}\n')
        return 1
    yield from p.tick(1 + len(data) // 4096)
    cipher = next(
        (each for each in options if each.startswith(("-aes", "-des", "-rc4", "-bf", "-cam", "-chacha"))), ""
    )
    coded = "-base64" in options or "-a" in options
    if cipher:
        if "-d" in options:
            yield from p.err(
                "bad magic number\n"
                if "-k" in options or "-pass" in options or data
                else "error reading input file\n"
            )
            return 1
        data = b"Salted__" + p.random_bytes(8) + p.random_bytes((len(data) // 16 + 1) * 16)
    if coded and "-d" in options:
        single = "-A" in options
        try:
            data = base64.b64decode(data if single else b"".join(data.split(b"\n")))
        except (binascii.Error, ValueError):
            data = b""
    elif coded:
        text = base64.b64encode(data)
        data = (
            text
            if "-A" in options
            else b"".join(text[at : at + 64] + b"\n" for at in range(0, len(text), 64))
        )
    if "-out" in options:
        p.fs.put(options["-out"], BytesContent(data), mode=0o666 & ~p.umask)
    else:
        yield from p.write(1, data)
    return 0


def _dgst(p: Process, words: list[str]) -> Run:
    options = _io(words)
    name = next((each[1:] for each in options if each[1:] in _DIGESTS), "sha256")
    algorithm = name.replace("-", "_")
    files = [each for each in options.get("file", "").split("\0") if each]
    for path in files or [""]:
        try:
            data = p.fs.read(path, _MAX) if path else (yield from p.read_all(0, _MAX))
        except SysError as problem:
            yield from p.err(f"{path}: {problem.words}\n")
            return 1
        yield from p.tick(1 + len(data) // 4096)
        if "-hmac" in options:
            digest = hmac.new(options["-hmac"].encode("utf-8", "surrogateescape"), data, algorithm)
            label = f"HMAC-{name.upper().replace('SHA', 'SHA2-') if name in ('sha256', 'sha512') else name.upper()}"
        else:
            digest = hashlib.new(algorithm, data, usedforsecurity=False)  # type: ignore[assignment]
            label = f"SHA2-{name[3:]}" if name in ("sha224", "sha256", "sha384", "sha512") else name.upper()
        if "-binary" in options:
            yield from p.write(1, digest.digest())
        elif "-r" in options:
            yield from p.out(f"{digest.hexdigest()} *{path or 'stdin'}\n")
        else:
            yield from p.out(f"{label}({path or 'stdin'})= {digest.hexdigest()}\n")
    return 0


def _rand(p: Process, words: list[str]) -> Run:
    options = _io(words)
    text = options.get("file", "")
    if not text.isdecimal() or not 0 < int(text[:9]) <= _MAX:
        yield from p.err("rand: Use -help for summary.\n")
        return 1
    data = p.random_bytes(int(text[:9]))
    if "-hex" in options:
        data = data.hex().encode() + b"\n"
    elif "-base64" in options:
        coded = base64.b64encode(data)
        data = b"".join(coded[at : at + 64] + b"\n" for at in range(0, len(coded), 64))
    if "-out" in options:
        p.fs.put(options["-out"], BytesContent(data), mode=0o600)
    else:
        yield from p.write(1, data)
    return 0

"""openssl: version, passwd -1/-5/-6, enc -base64, dgst, rand."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs._release import openssl_banner
from urltrap.machine.programs._words import words
from urltrap.machine.programs.registry import program
from urltrap.machine.unix_crypt import md5_crypt, sha_crypt

_LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGESTS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3-256", "sha3-512")
_COMMANDS = words(
    "asn1parse ca ciphers cmp cms crl crl2pkcs7 dgst dhparam dsa dsaparam ec ecparam enc engine errstr fipsinstall "
    "gendsa genpkey genrsa help info kdf list mac nseq ocsp passwd pkcs12 pkcs7 pkcs8 pkey pkeyparam pkeyutl prime "
    "rand rehash req rsa rsautl s_client s_server s_time sess_id smime speed spkac srp storeutl ts verify version "
    "x509"
)
_DIGEST_COMMANDS = words(
    "blake2b512 blake2s256 md4 md5 rmd160 sha1 sha224 sha256 sha3-224 sha3-256 sha3-384 sha3-512 sha384 sha512 "
    "sha512-224 sha512-256 shake128 shake256 sm3"
)
_CIPHERS = words(
    "aes-128-cbc aes-128-ecb aes-192-cbc aes-192-ecb aes-256-cbc aes-256-ecb aria-128-cbc aria-128-cfb "
    "aria-128-cfb1 aria-128-cfb8 aria-128-ctr aria-128-ecb aria-128-ofb aria-192-cbc aria-192-cfb aria-192-cfb1 "
    "aria-192-cfb8 aria-192-ctr aria-192-ecb aria-192-ofb aria-256-cbc aria-256-cfb aria-256-cfb1 aria-256-cfb8 "
    "aria-256-ctr aria-256-ecb aria-256-ofb base64 bf bf-cbc bf-cfb bf-ecb bf-ofb camellia-128-cbc "
    "camellia-128-ecb camellia-192-cbc camellia-192-ecb camellia-256-cbc camellia-256-ecb cast cast-cbc cast5-cbc "
    "cast5-cfb cast5-ecb cast5-ofb des des-cbc des-cfb des-ecb des-ede des-ede-cbc des-ede-cfb des-ede-ofb "
    "des-ede3 des-ede3-cbc des-ede3-cfb des-ede3-ofb des-ofb des3 desx rc2 rc2-40-cbc rc2-64-cbc rc2-cbc rc2-cfb "
    "rc2-ecb rc2-ofb rc4 rc4-40 seed seed-cbc seed-cfb seed-ecb seed-ofb sm4-cbc sm4-cfb sm4-ctr sm4-ecb sm4-ofb"
)
_MAX = 16_000_000


@program("openssl")
def openssl(p: Process) -> Run:
    """The commands that attackers use."""
    given = p.argv[1:]
    if not given or given[0] in ("help", "-h", "--help"):
        yield from p.err(_help())
        return 0
    name, rest = given[0], given[1:]
    if name in ("version", "-v", "--version"):
        yield from p.out(f"{openssl_banner(p)} (Library: {openssl_banner(p)})\n")
        return 0
    if name == "passwd":
        return (yield from _passwd(p, rest))
    if name in ("enc", "base64") or name in ("aes-256-cbc", "aes-128-cbc", "des3"):
        return (yield from _enc(p, rest if name == "enc" else ["-" + name, *rest]))
    if name == "dgst" or name in _DIGESTS:
        return (yield from _dgst(p, rest if name == "dgst" else ["-" + name, *rest]))
    if name == "rand":
        return (yield from _rand(p, rest))
    if name in _COMMANDS:
        if name == "s_client":
            yield from p.sleep(3.0)
            yield from p.err("connect:errno=113\n")
        return 1 if name in ("s_client", "x509", "rsa", "verify") else 0
    yield from p.err(f"Invalid command '{name}'; type \"help\" for a list.\n")
    return 1


def _table(entries: list[str]) -> str:
    rows = [entries[at : at + 4] for at in range(0, len(entries), 4)]
    return "".join("".join(f"{each:<18}" for each in row) + "\n" for row in rows) + "\n"


def _help() -> str:
    return (
        f"help:\n\nStandard commands\n{_table(_COMMANDS)}"
        f"Message Digest commands (see the `dgst' command for more details)\n{_table(_DIGEST_COMMANDS)}"
        f"Cipher commands (see the `enc' command for more details)\n{_table(_CIPHERS)}"
    )


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
                yield from p.err(f"passwd: Unknown option: {word}\npasswd: Use -help for summary.\n")
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
        shown = f"SHA2-{name[3:]}" if name in ("sha224", "sha256", "sha384", "sha512") else name.upper()
        label = shown if any(each[1:] in _DIGESTS for each in options) else name.upper()
        if "-hmac" in options:
            key = options["-hmac"].encode("utf-8", "surrogateescape")
            found, hexadecimal = (made := hmac.new(key, data, algorithm)).digest(), made.hexdigest()
            label = f"HMAC-{shown}" if path else name.upper()
        else:
            digest = hashlib.new(algorithm, data, usedforsecurity=False)
            found, hexadecimal = digest.digest(), digest.hexdigest()
        if "-binary" in options:
            yield from p.write(1, found)
        elif "-r" in options:
            yield from p.out(f"{hexadecimal} *{path or 'stdin'}\n")
        else:
            yield from p.out(f"{label}({path or 'stdin'})= {hexadecimal}\n")
    return 0


def _rand(p: Process, words: list[str]) -> Run:
    options = _io(words)
    text = options.get("file", "")
    if not text:
        return 0
    if not text.isdecimal() or not 0 < int(text[:9]) <= _MAX:
        yield from p.err(f'rand: Can\'t parse "{text}" as a number\nrand: Use -help for summary.\n')
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

"""php, ruby, node: not interpreters. Versions, prints of literals, and the one-liners that download."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run, decode, encode
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs._connecting import told
from urltrap.machine.programs._net import ask
from urltrap.machine.programs.awk._tokens import unescape as unescape_bytes
from urltrap.machine.programs.awk._values import foreign, native
from urltrap.machine.programs.registry import program

_URL = re.compile(r"(?:https?|ftp)://[^\s'\"\\)<>`;]+")
_SOCKET = re.compile(r"['\"](\d{1,3}(?:\.\d{1,3}){3}|[\w-]+(?:\.[\w-]+)+)['\"]\s*[,:]\s*['\"]?(\d{2,5})")
_MAX_CODE = 1_000_000
_AGENTS = {
    "php": "",
    "ruby": "Ruby",
    "node": "node",
}


def _family(name: str) -> str:
    base = name.rpartition("/")[2]
    return next(family for family in ("php", "ruby", "node") if base.startswith(family))


def _execute(p: Process, family: str, code: str) -> Generator[Any, Any, int]:
    """Do what code visibly does: downloads to where it says, prints of literals, commands handed to the shell."""
    yield from p.tick(1 + len(code) // 512)
    code += "".join("\n" + each for each in _decoded(code))
    bodies: list[tuple[str, Any]] = []
    for url in list(dict.fromkeys(_URL.findall(code)))[:20]:
        answer = yield from ask(p, url, family, _AGENTS[family])
        if answer.kind != "answer" or answer.status >= 400:
            yield from p.err(_UNREACHED if family == "php" else "")
            return 1
        bodies.append((url, answer.body or BytesContent(b"")))
    target = _target(code)
    if bodies and target:
        try:
            p.fs.put(target, bodies[-1][1], mode=0o666 & ~p.umask)
        except SysError as problem:
            yield from p.err(f"{problem.words}: '{target}'\n")
            return 1
    elif bodies and re.search(r"\bprint|\bsay\b|\becho\b|stdout|getprint", code):
        yield from p.write(1, bodies[-1][1].read(0, 16_000_000))
    elif bodies and re.search(r"\bexec\b|\beval\b", code):
        return (
            (yield from _execute(p, family, decode(bodies[-1][1].read(0, 100_000))))
            if len(code) < 5_000
            else 0
        )
    if not bodies:
        if match := _SOCKET.search(code):
            told(p, match[1], min(int(match[2]), 65_535), encode(code))
            yield from p.sleep(3.0)
            return 0
        texts = _literals(code)
        for text in texts:
            yield from p.write(1, encode(text))
        if not texts and not _SHELL_CALL.search(code):
            ended = _NOTHING.fullmatch(code)
            if ended is None:
                p.unwritten()
                return _CRASH
            return int(ended[1] or 0) & 0xFF
    return (yield from _shell_calls(p, family, code))


_SHELL_CALL = re.compile(r"shell_exec|passthru|\bsystem|\bexec")
_NOTHING = re.compile(
    r"(?:#[^\n]*\n|\s|use\s+(?:strict|warnings)\s*;)*(?:\d+|exit\s*\(?\s*(\d{1,9})?\s*\)?)?\s*;?\s*"
)
"""A program that does nothing, or only ends with a status: its silence is true."""
_CRASH = 139


def _decoded(code: str) -> list[str]:
    """Texts that the code holds in base64."""
    found = []
    for text in re.findall(r"['\"]([A-Za-z0-9+/\n]{24,}={0,2})['\"]", code)[:20]:
        try:
            data = base64.b64decode(text, validate=False)
        except (binascii.Error, ValueError):
            continue
        if data.isascii() and b"\0" not in data:
            found.append(data.decode())
    return found


_TARGETS = tuple(
    re.compile(pattern)
    for pattern in (
        r"getstore\(\s*[^,]+,\s*['\"]([^'\"]+)['\"]",
        r"open\(\s*['\"]([^'\"]+)['\"]\s*,\s*['\"][wa]b?\+?['\"]",
        r"file_put_contents\(\s*['\"]([^'\"]+)['\"]",
        r"File\.(?:write|open)\(\s*['\"]([^'\"]+)['\"]",
        r"open\([^,]+,\s*['\"]>{1,2}\s*([^'\"]+)['\"]",
        r"createWriteStream\(\s*['\"]([^'\"]+)['\"]",
    )
)
"""Where code says that it writes a file."""


def _target(code: str) -> str:
    return next((match[1] for pattern in _TARGETS if (match := pattern.search(code))), "")


_VERB = re.compile(r"\b(print|say|echo|puts|console\.log)\b\s*\(?\s*")
_LITERAL = re.compile(
    r"(?:\"((?:[^\"\\$@]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|(\d[\d\s+*-]{0,40}))\s*(?:\*\s*(\d{1,5}))?\s*"
)
_ENDED = re.compile(r"\)|;|\n|$|,\s*end|,\s*file|,\s*flush")


def _literals(code: str) -> list[str]:
    """What the statements print that print only literals."""
    found: list[str] = []
    for verb in list(_VERB.finditer(code))[:200]:
        parts: list[str] = []
        at = verb.end()
        while match := _LITERAL.match(code, at):
            text = _literal(match)
            if text is None:
                break
            parts.append(text)
            at = match.end()
            if not (comma := re.compile(r",\s*(?=[\"'\d])").match(code, at)):
                break
            at = comma.end()
        if not parts or not _ENDED.match(code, at):
            continue
        found.append("".join(parts) + ("\n" if verb[1] in ("say", "puts", "console.log") else ""))
    return found


def _literal(match: re.Match[str]) -> str | None:
    double, single, sums, times = match.groups()
    if sums is not None:
        return _sum(f"{sums}*{times}" if times else sums)
    if double is not None:
        text = unescape(double)
    else:
        text = (single or "").replace("\\'", "'")
    return text


def unescape(text: str) -> str:
    """What the escapes of a string literal stand for; each byte of its own, as these languages' output has it."""
    return native(unescape_bytes(foreign(text), False))


def _sum(text: str) -> str | None:
    """A sum or product of whole numbers."""
    match = re.fullmatch(r"\s*(\d{1,18})\s*(?:([-+*])\s*(\d{1,18})\s*)?", text)
    if match is None:
        return None
    one, other = int(match[1]), int(match[3] or 0)
    return str({"+": one + other, "-": one - other, "*": one * other}.get(match[2] or "", one))


def _shell_calls(p: Process, family: str, code: str) -> Generator[Any, Any, int]:
    """system("…"), exec("…"), their commands are run."""
    names = r"shell_exec|passthru|\bsystem|\bexec"
    for match in list(
        re.finditer(
            rf"(?:{names})\s*\(?\s*(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)')",
            code,
        )
    )[:20]:
        command = unescape(match[1]) if match[1] is not None else match[2]
        pid = p.spawn(["sh", "-c", command], path="/bin/sh")
        yield from p.wait(pid)
    return 0


_UNREACHED = (
    "PHP Warning:  file_get_contents(): Failed to open stream: No route to host "
    "in Command line code on line 1\n"
)


_BANNERS = {
    "php": "Interactive shell\n\n",
    "node": 'Welcome to Node.js v18.20.4.\nType ".help" for more information.\n',
}


def _version(family: str) -> str:
    return {
        "php": "PHP 8.2.29 (cli) (built: Jul  3 2025 16:16:05) (NTS)\nCopyright (c) The PHP Group\n"
        "Zend Engine v4.2.29, Copyright (c) Zend Technologies\n",
        "ruby": "ruby 3.1.2p20 (2022-04-12 revision 4491bb740a) [x86_64-linux-gnu]\n",
        "node": "v18.20.4\n",
    }[family]


@program("php", "ruby", "node", "nodejs")
def interpreter(p: Process) -> Run:
    """Run a one-liner, a script or standard input, as far as it can be seen what it does."""
    family = _family(p.argv[0])
    words = list(p.argv[1:])
    code: list[str] = []
    script: str | None = None
    while words:
        word = words.pop(0)
        if word in ("-V", "--version", "-v", "-version"):
            yield from p.out(_version(family))
            return 0
        if re.fullmatch(r"-[a-zA-Z0-9]*[eEr]", word):
            if not words:
                return 2
            code.append(words.pop(0))
        elif word == "-" or not word.startswith("-"):
            script = word
            break
    if not code and script not in (None, "-"):
        try:
            code.append(decode(p.fs.read(script or "", _MAX_CODE)))
        except SysError:
            yield from p.err(f"Could not open input file: {script}\n")
            return 2
    if not code:
        if p.is_tty(0) and script is None:
            return (yield from _interactive(p, family))
        code.append(decode((yield from p.read_all(0, _MAX_CODE))))
    text = "\n".join(code)
    return (yield from _execute(p, family, text))


def _interactive(p: Process, family: str) -> Run:
    yield from p.out(_BANNERS.get(family, ""))
    prompt = {"php": "php > ", "node": "> "}.get(family, "")
    while True:
        yield from p.out(prompt)
        line = yield from p.read(0, 4096)
        if not line:
            yield from p.out("\n")
            return 0
        text = decode(line).strip()
        if re.fullmatch(r"(exit|quit)(\(\d*\))?;?|\.exit", text):
            return 0
        if text:
            yield from _execute(p, family, text)

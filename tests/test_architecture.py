"""The rules of the house that no linter knows: pure rooms, module sizes, what files may name."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "urltrap"

PURE_ROOMS = ("model", "wire", "machine", "recover", "analysis", "judge")
ROOMS = {
    *PURE_ROOMS,
    "quarantine",
    "journal",
    "egress",
    "store",
    "sandbox",
    "sensors",
    "intel",
    "feeds",
    "exchange",
    "pipeline",
    "site",
    "ops",
}

# Sockets, clocks, randomness, disks, processes and threads, and what would bring them in by the back door.
IMPURE_MODULES = {
    "_thread", "aiohttp", "anyio", "asyncio", "asyncssh", "concurrent", "ctypes", "dns.asyncresolver",
    "dns.resolver", "fcntl", "ftplib", "getpass", "glob", "grp", "http", "importlib.resources", "mmap",
    "multiprocessing", "os", "pathlib", "platform", "pwd", "random", "resource", "sched", "secrets",
    "select", "selectors", "shelve", "shutil", "signal", "smtplib", "socket", "socketserver", "sqlalchemy",
    "sqlite3", "ssl", "subprocess", "telnetlib", "tempfile", "termios", "threading", "time",
    "urllib.request", "uuid", "uvloop",
}  # fmt: skip
PURE_NAMES_OF = {
    "pathlib": {"PurePath", "PurePosixPath", "PureWindowsPath"},
    "http": {"HTTPStatus", "HTTPMethod"},
}
# A registry lists the modules of its own package: that is importing, not reading.
ALLOWED_IN = {"registry.py": frozenset({"importlib.resources"})}
IMPURE_CALLS = {"open", "input", "print", "exec", "eval", "compile", "__import__", "breakpoint"}
CLOCK_CALLS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("io", "open"),
}

# Attackers' hosts belong to egress alone; the other rooms with a door reach what the operator set.
OUTBOUND_CLIENTS = {
    "aiohttp", "ftplib", "http.client", "smtplib", "urllib.request",
    "dns.resolver", "dns.asyncresolver", "dns.query", "dns.asyncquery",
}  # fmt: skip
OUTBOUND_ROOMS = {"egress", "journal", "store", "intel", "exchange", "ops"}
# A door that lets in is no door out, though one library makes both: only its server's half may be used there.
INBOUND_SERVERS = {"pipeline/fleet/https_server.py": {"aiohttp.web"}}

MOST_LINES = 450


def modules(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (SOURCE / room).rglob("*.py"))


class Reaching(NamedTuple):
    """What of a module reaches beyond it."""

    imports: list[tuple[int, str, str | None]]
    """Each import as (line, module, imported name or None)."""
    calls: list[ast.Call]


def reaching(source: str) -> Reaching:
    """All imports and calls of a module, from one walk over its tree."""
    nodes = [
        node for node in walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom | ast.Call)
    ]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    return Reaching(list(imports(nodes)), calls)


@functools.cache
def reaching_of(path: Path) -> Reaching:
    """The same of a file, which several rules ask for."""
    return reaching(path.read_text("utf-8"))


def walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node of a tree, as `ast.walk`, which takes twice as long."""
    left = [tree]
    while left:
        node = left.pop()
        yield node
        for value in vars(node).values():
            if isinstance(value, list):
                left += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                left.append(value)


def imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str, str | None]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, None
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                yield node.lineno, node.module or "", alias.name


def within(module: str, name: str | None, listed: set[str]) -> str | None:
    """The listed module that an import reaches, if any; `from urllib import request` reaches a submodule."""
    reached = module if name is None else f"{module}.{name}"
    for entry in listed:
        if f"{reached}.".startswith(f"{entry}."):
            return entry
    return None


def impurities(module_reaches: Reaching, *, allowed: frozenset[str] = frozenset()) -> list[str]:
    """Everything in a module that reaches for the world, as `line: what`."""
    found = []
    for line, module, name in module_reaches.imports:
        entry = within(module, name, IMPURE_MODULES)
        if entry is not None and entry not in allowed and name not in PURE_NAMES_OF.get(entry, set()):
            found.append(f"{line}: imports {module}" + (f".{name}" if name else ""))
    for node in module_reaches.calls:
        called = node.func
        if isinstance(called, ast.Name) and called.id in IMPURE_CALLS:
            found.append(f"{node.lineno}: calls {called.id}()")
        elif isinstance(called, ast.Attribute):
            owner = called.value
            last = (
                owner.id
                if isinstance(owner, ast.Name)
                else owner.attr
                if isinstance(owner, ast.Attribute)
                else ""
            )
            if (last, called.attr) in CLOCK_CALLS:
                found.append(f"{node.lineno}: calls {last}.{called.attr}()")
    return found


def tracked_files() -> list[Path]:
    """The files that are or will be in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no git checkout: there is no list of its files")
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def texts(paths: list[Path]) -> Iterator[tuple[str, str]]:
    """The content of those files that are text, under their name in the repository."""
    for path in paths:
        text = text_of(path)
        if text is not None:
            yield path.relative_to(ROOT).as_posix(), text


@functools.cache
def text_of(path: Path) -> str | None:
    content = path.read_bytes()
    return None if b"\0" in content[:8192] else content.decode("utf-8", "replace")


def matches(pattern: str, paths: list[Path]) -> list[str]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return [
        f"{name}:{text.count(chr(10), 0, found.start()) + 1}: {found[0]}"
        for name, text in texts(paths)
        for found in compiled.finditer(text)
    ]


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_a_pure_room_gets_socket_clock_randomness_and_disk_as_arguments(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{what}"
        for path in modules(room)
        for what in impurities(reaching_of(path), allowed=ALLOWED_IN.get(path.name, frozenset()))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import os.path as p",
        "from asyncio import sleep",
        "def f():\n    import socket",
        "import urllib.request",
        "from urllib import request",
        "from pathlib import Path",
        "import pathlib",
        "from datetime import datetime\nx = datetime.now()",
        "import datetime\nx = datetime.datetime.now(datetime.UTC)",
        "from datetime import date\nx = date.today()",
        "x = open('y')",
        "import io\nx = io.open('y')",
        "x = __import__('time')",
        "import importlib.resources",
        "from importlib import resources",
    ],
)
def test_the_purity_walk_sees_what_reaches_for_the_world(source: str) -> None:
    assert impurities(reaching(source))


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import UTC, datetime\nx = datetime.fromtimestamp(0, UTC)",
        "from pathlib import PurePosixPath",
        "from urllib.parse import urlsplit",
        "from http import HTTPStatus",
        "import ossaudio",
        "class C:\n    def open(self): ...\nC().open()",
    ],
)
def test_the_purity_walk_lets_values_pass(source: str) -> None:
    assert impurities(reaching(source)) == []


def test_only_the_rooms_with_a_door_bring_a_network_client() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: imports {module}"
        for path in modules(*(ROOMS - OUTBOUND_ROOMS))
        for line, module, name in reaching_of(path).imports
        if within(module, name, OUTBOUND_CLIENTS)
        and f"{module}.{name}" not in INBOUND_SERVERS.get(path.relative_to(SOURCE).as_posix(), ())
    ]
    assert not found, "\n".join(found)


def test_the_house_has_exactly_its_rooms() -> None:
    there = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert there == ROOMS


def test_every_package_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sorted({SOURCE / "__init__.py", *SOURCE.rglob("__init__.py")})
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []
    folders = {path.parent for path in SOURCE.rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


OUTGROWN: dict[str, int] = {}
"""Modules that are too long already, with the most that they may have: the list may only shrink."""


def test_every_module_is_read_in_one_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sorted(SOURCE.rglob("*.py"))
        if (lines := len(path.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert {path: lines for path, lines in long.items() if lines > OUTGROWN.get(path, 0)} == {}, (
        "split by purpose"
    )
    assert set(OUTGROWN) <= set(long), "take what was split off this list"


def test_lock_files_carry_no_addresses() -> None:
    locks = [path for path in tracked_files() if path.suffix == ".lock" or path.name == "package-lock.json"]
    assert len(locks) == 7
    assert matches(r"https?://|\"resolved\"|--(extra-)?index-url|--find-links", locks) == []


def test_every_locked_python_package_has_a_hash() -> None:
    for path in [
        ROOT / "requirements.lock",
        ROOT / "requirements-dev.lock",
        ROOT / "frontend" / "node.lock",
        ROOT / "tests" / "peers.lock",
    ]:
        entries = re.split(r"\n(?=\S)", path.read_text("ascii").strip())
        assert entries
        assert [
            entry for entry in entries if not re.match(r"\S+==\S+.*\n    --hash=sha256:[0-9a-f]{64}", entry)
        ] == []


def test_no_file_names_a_package_registry() -> None:
    # Spelled in two halves so that this file does not name them either.
    hosts = [
        "registry.npm" + "js",
        "npm" + r"js\.(?:com|org)",
        "pypi" + r"\.org",
        "python" + "hosted",
        "crates" + r"\.io",
    ]
    hosts += ["deb." + "debian", "yarn" + "pkg", "jsdeli" + "vr", "unp" + "kg"]
    assert matches("|".join(hosts), tracked_files()) == []


def test_no_file_names_this_machine() -> None:
    checkout = rf"(?<![\w.]){re.escape(str(ROOT))}(?![\w-])"
    assert matches(checkout, tracked_files()) == []


def test_neither_product_nor_manual_needs_the_shared_data() -> None:
    files = [
        path for path in tracked_files() if path.is_relative_to(SOURCE) or path.is_relative_to(ROOT / "docs")
    ]
    assert files
    assert matches(r"\.\./shared", files) == []


def test_files_are_understood_without_a_tracker() -> None:
    assert matches(r"\bissues? " + r"#?\d+\b", tracked_files()) == []


def test_links_between_documents_lead_somewhere() -> None:
    dead = []
    for path in tracked_files():
        if path.suffix != ".md":
            continue
        text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text("utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            file, _, _ = target.partition("#")
            if not file or re.match(r"[a-z]+:", file):
                continue
            if not (path.parent / file).exists():
                dead.append(f"{path.relative_to(ROOT)}: {target}")
    assert dead == []


def test_the_map_shows_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert [room for room in sorted(ROOMS) if not re.search(rf"\b{room}/", text)] == []

"""Builds the site's scripts, styles and map into the package, unless what is there is up to date.

`python frontend/assets.py [--force]`. Up to date is judged by the content of the sources, not by dates: a
checkout and an unpacked archive give files new dates.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

FRONTEND = Path(__file__).resolve().parent
BUILD = FRONTEND.parent / "src" / "urltrap" / "site" / "static" / "build"
DIGEST = BUILD / "sources.sha256"


def load_npm() -> ModuleType:
    """The module npm.py beside this file, which is not part of any package."""
    spec = importlib.util.spec_from_file_location("urltrap_frontend_npm", FRONTEND / "npm.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {FRONTEND / 'npm.py'}: the source tree is incomplete")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def sources_digest() -> str:
    """SHA-256 over everything that decides what the build makes."""
    files = [FRONTEND / name for name in ("build.mjs", "package.json", "package-lock.json")]
    files += sorted(path for path in (FRONTEND / "src").rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(FRONTEND).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def is_current() -> bool:
    """Whether the built assets are there and were made from these sources."""
    return (
        (BUILD / "manifest.json").is_file()
        and DIGEST.is_file()
        and DIGEST.read_text("ascii").strip() == sources_digest()
    )


def build() -> None:
    """Install the pinned packages and bundle them; raises NodeMissingError or CalledProcessError."""
    node = load_npm().require_node()
    # No package of ours needs an install script, and a build must not run strangers' ones.
    node.run_npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", cwd=FRONTEND)
    node.run("build.mjs", str(BUILD), cwd=FRONTEND)
    DIGEST.write_text(sources_digest() + "\n", "ascii")


def main(arguments: list[str]) -> int:
    """Build if needed; 0 on success, 1 with a message otherwise."""
    if is_current() and "--force" not in arguments:
        return 0
    try:
        build()
    except subprocess.CalledProcessError as error:
        print(f"front-end assets: {error.cmd[0]} failed with exit code {error.returncode}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        print(f"front-end assets: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

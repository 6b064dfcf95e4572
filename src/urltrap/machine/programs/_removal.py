"""Taking a package away: its files and its stanza in dpkg's status, for apt and dpkg alike."""

from __future__ import annotations

from urltrap.machine.api import Process, Run, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._system import text_of
from urltrap.machine.programs._zone import local

STATUS = "/var/lib/dpkg/status"
_INFO = "/var/lib/dpkg/info"


def remove_package(p: Process, fields: dict[str, str], *, purge: bool) -> Run:
    """Print what dpkg prints, and remove what only this package has; 0."""
    name, version = fields["Package"], fields.get("Version", "")
    count = sum(1 for each in p.fs.listdir(_INFO) if each.endswith(".list")) * 137
    yield from p.out(f"(Reading database ... {count} files and directories currently installed.)\n")
    yield from p.out(f"Removing {name} ({version}) ...\n")
    yield from p.sleep(0.3)
    owner = next((stem for stem in (name, f"{name}:amd64") if text_of(p, f"{_INFO}/{stem}.list")), "")
    paths = text_of(p, f"{_INFO}/{owner}.list").splitlines() if owner else []
    for path in sorted(paths, reverse=True):
        yield from p.tick(3)
        if path.startswith("/etc/") and not purge:
            continue
        _take(p, path)
    if purge:
        yield from p.out(f"Purging configuration files for {name} ({version}) ...\n")
    if owner:
        for each in [each for each in p.fs.listdir(_INFO) if each.startswith(f"{owner}.")]:
            _take(p, f"{_INFO}/{each}")
    at = local(p, p.now()).clock
    stamp, what = f"{at:%Y-%m-%d %H:%M:%S}", f"{name}:{fields.get('Architecture', 'amd64')}"
    steps = ("remove", "status half-configured", "status half-installed", "status not-installed")
    lines = [f"{stamp} {step} {what} {version}{' <none>' if step == 'remove' else ''}\n" for step in steps]
    p.fs.write(
        "/var/log/dpkg.log", encode(f"{stamp} startup packages remove\n" + "".join(lines)), append=True
    )
    kept = [
        part
        for part in text_of(p, STATUS).split("\n\n")
        if not part.lstrip("\n").startswith(f"Package: {name}\n")
    ]
    p.fs.write(STATUS, encode("\n\n".join(kept)))
    return 0


def _take(p: Process, path: str) -> None:
    try:
        if p.fs.stat(path, follow=False).is_dir:
            p.fs.rmdir(path)
        else:
            p.fs.unlink(path)
    except SysError:
        pass  # gone already, or others have something in that folder

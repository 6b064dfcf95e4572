"""The manual's table of providers is that of the code."""

from __future__ import annotations

from pathlib import Path

from urltrap.intel.reputation import registry

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "intel.md"


def test_the_manual_names_every_provider_with_what_it_is_asked_its_key_and_its_quota() -> None:
    rows = {}
    for line in MANUAL.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 5 and cells[1] in ("dns", "keyless", "metered"):
            rows[cells[0]] = cells[1:]
    expected = {
        provider.name: [
            provider.tier,
            ", ".join(sorted(provider.kinds)),
            f"`intel.keys.{provider.key}`" if provider.key else "none",
            ", ".join(f"{most:,}/{span}" for span, most in provider.limits.items()),
        ]
        for provider in registry.asked()
    }
    assert rows == expected


def test_the_manual_names_every_service_that_takes_submissions() -> None:
    rows = {}
    part = MANUAL.read_text("utf-8").partition("## Submitting")[2].partition("\n## ")[0]
    for line in part.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] != "service":
            rows[cells[0]] = cells[1:4]
    assert rows == {
        service.to: [
            ", ".join(sorted(service.kinds)),
            f"`intel.keys.{service.key}`",
            ", ".join(f"{most:,}/{span}" for span, most in service.limits.items()),
        ]
        for service in registry.submitters()
    }

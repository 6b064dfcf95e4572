"""What the operator's page of a URL says of the site for everyone."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select, update
from tests.site import demo
from tests.site.conftest import NOW, client_of
from tests.site.public.showing import publish

from urltrap.model.settings import Settings
from urltrap.store.schema import urls
from urltrap.store.schema_public import publications


def test_the_operator_sees_why_everyone_sees_a_url_or_not(tmp_path: Path) -> None:
    store = demo.fill(tmp_path / "urltrap.db", NOW, sessions=60)
    first, second, third = publish(store, NOW)[:3]
    with store.begin() as connection:
        connection.execute(publications.delete().where(publications.c.url_key == second))
        later = NOW.replace(hour=23)
        connection.execute(update(publications).where(publications.c.url_key == third).values(after=later))
        benign = connection.execute(select(urls.c.key).where(urls.c.verdict == "unknown")).scalars().first()
    public = client_of(store, Settings.model_validate({"public": {"enabled": True}}))
    assert "Everyone can see it." in public.get(f"/urls/{first}").text
    assert "fewer than 2 independent networks" in public.get(f"/urls/{second}").text
    assert "For everyone not before 2026-11-24 23:30 UTC" in public.get(f"/urls/{third}").text
    assert benign is None or "veryone" not in public.get(f"/urls/{benign}").text
    assert "Everyone can see it." not in client_of(store).get(f"/urls/{first}").text, "there is no such site"
    store.close()

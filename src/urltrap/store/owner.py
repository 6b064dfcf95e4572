"""Whose store this is: one installation's, which alone runs a pipeline on it.

How far the journals are read is kept by their writers' names, and work that is due names payloads in the quarantine:
both mean nothing to another installation. A second one would pass over its own events where the first one's journal is
further, and take the first one's work without its payloads. Collectors of the same installation on other machines run
no pipeline, and their journals have names that no other one has.
"""

from __future__ import annotations

from sqlalchemy import select, update

from urltrap.store.engine import Store
from urltrap.store.errors import StoreTaken
from urltrap.store.schema import facts, watermarks
from urltrap.store.upsert import insert_new

_FACT = "installation"
_PUT_ASIDE = "@"
"""Begins what follows the name of a writer whose journal is another installation's; no writer's name has it."""


def owner(store: Store) -> str | None:
    """The id of the installation that it belongs to; None where none has begun yet. StoreError."""
    with store.connect() as connection:
        found: str | None = connection.execute(select(facts.c.value).where(facts.c.name == _FACT)).scalar()
    return found


def own(store: Store, installation: str) -> None:
    """Begin, or go on: the store is this installation's where it was nobody's. StoreTaken where it is another's."""
    with store.begin() as connection:
        # Of two that begin together one has it; the other reads which.
        insert_new(connection, facts, [{"name": _FACT, "value": installation}])
    check(store, installation)


def check(store: Store, installation: str) -> None:
    """StoreTaken where the store is not this installation's (any more)."""
    found = owner(store)
    if found != installation:
        raise StoreTaken(
            f"{store.label} belongs to another installation of urltrap ({found}; this one is {installation}). Each "
            "needs a database of its own: set store.url. To collect in one place, let this machine send what it "
            "records (journal.ship), or only collect for the other one (fleet.only). Where the other one is gone for "
            "good, `urltrap db take-over` gives its database to this one."
        )


def take_over(store: Store, installation: str) -> list[str]:
    """Make the store this installation's; the writers of the former one whose places were put aside.

    What the store holds stays. Journals of this installation are read from their beginnings: what is there is not
    taken twice. To be called while nobody's pipeline runs on it. StoreError.
    """
    with store.begin() as connection:
        insert_new(connection, facts, [{"name": _FACT, "value": ""}])
        mine = select(facts.c.value).where(facts.c.name == _FACT).with_for_update()
        former = connection.execute(mine).scalar_one()
        if former == installation:
            return []
        ours = select(watermarks.c.writer).where(watermarks.c.writer.not_like("%/%"))
        names = [name for name in connection.execute(ours).scalars() if _PUT_ASIDE not in name]
        for name in names:
            connection.execute(
                update(watermarks)
                .where(watermarks.c.writer == name)
                .values(writer=f"{name}{_PUT_ASIDE}{former or 'unknown'}")
            )
        connection.execute(update(facts).where(facts.c.name == _FACT).values(value=installation))
    return sorted(names)

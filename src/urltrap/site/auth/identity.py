"""Who asks: nobody, whoever sits at the machine of a site without accounts, a user, or a key of the API."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from urltrap.store.accounts.audit import Actor
from urltrap.store.accounts.users import ROLES, Role


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, and what for. A role includes those before it; scopes are those of a key."""

    name: str = ""
    role: Role | None = None
    scopes: frozenset[str] = frozenset()
    rights: frozenset[str] = frozenset()
    """What this user may besides his role."""
    token: str = ""
    """What the cookie holds."""
    address: str = ""
    unwritable: bool = False
    """The store takes no writes at the moment: what is there can be read, and nothing can be changed."""
    open_house: bool = False
    """There is no user yet, and the site listens on loopback alone: whoever reaches it is its operator."""

    def has(self, role: Role) -> bool:
        """Whether this is someone of that role, or of one that includes it."""
        return self.role is not None and ROLES.index(self.role) >= ROLES.index(role)

    @property
    def actor(self) -> Actor:
        """For the log of what was done."""
        return Actor(self.name or "(nobody)", self.address)


def identity_of(request: Request) -> Identity:
    """Who sent this request, as the gate found out."""
    who: Identity = request.scope.get("urltrap.identity", Identity())
    return who

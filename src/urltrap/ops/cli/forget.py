"""`urltrap forget`: an address out of store, journal and backups."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import typer

from urltrap.ops.backup.aging import rewrite_archives
from urltrap.ops.backup.vault import Vault
from urltrap.ops.cli.backup import explained
from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    CommandError,
    DataOption,
    app,
    console,
    console_err,
    open_folder,
)
from urltrap.ops.data_folder import DataFolder
from urltrap.store import Store, open_store
from urltrap.store.forgetting import forget as forget_in_store
from urltrap.store.forgetting import nobody


@app.command()
def forget(
    address: Annotated[str, typer.Argument(help="the source address")], data: DataOption = DEFAULT_DATA
) -> None:
    """Remove a source address from the store, the journal and every backup; what it did stays, as nobody's."""
    try:
        wanted = str(ipaddress.ip_address(address))
    except ValueError:
        raise CommandError(f"{address!r} is no IP address") from None
    folder, settings = open_folder(data)
    change = nobody(wanted)
    with explained(), console_err.status("store") as shown:
        store = open_store(folder.store_url(settings.store.url))
        try:
            sessions = forget_in_store(store, wanted)
        finally:
            store.close()
        shown.update("journal")
        journal = rewrite_archives(folder, change)
        vault = Vault(folder, settings)

        def apply(inside: DataFolder, its_store: Store) -> None:
            forget_in_store(its_store, wanted)
            rewrite_archives(inside, change)

        changed, closed = vault.rework(apply, lambda name: shown.update(f"backups: {name}"))
        shown.update("the journal's copies")
        uncopied = vault.copy_again()
    lines = [f"{sessions:,} sessions, {journal.events:,} events of the journal, {changed:,} backups changed"]
    if closed:
        lines.append(
            f"{closed} backups could not be opened, were kept, and may still hold the address: name their secret key "
            "in backup.age_identity_file and run this again, or delete them once a newer backup is verified"
        )
    if uncopied:
        lines.append(
            f"{len(uncopied)} pieces of the journal's copy could not be made again and may still hold the address, "
            f"e.g. {uncopied[0]}; the next backup drops them"
        )
    if journal.left:
        lines.append(
            "the segments that are being written were left out; stop urltrap, run this again, and start it: "
            "then the address is gone from there, too"
        )
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
    if closed or uncopied or journal.left:
        raise CommandError(f"{wanted} is not gone from everywhere yet: see above")

"""The shipper's process: puts the parts together for a data folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from urltrap.journal.shipping.chunk import sensor_name
from urltrap.journal.shipping.https import HttpsTransport
from urltrap.journal.shipping.keeping import Keeper
from urltrap.journal.shipping.nats import NatsTransport
from urltrap.journal.shipping.shipper import Shipper
from urltrap.journal.shipping.spool import Spool
from urltrap.journal.shipping.state import ShippingState
from urltrap.journal.shipping.transport import Transport
from urltrap.model.fleet_settings import ShipSettings
from urltrap.quarantine import Quarantine

STATE = "shipping.json"
"""The shipper's file beside the journals."""


def own_name(settings: ShipSettings) -> str:
    """The name of this sensor, with which its token begins. ValueError, with what to do, where there is no token."""
    name, dot, secret = settings.ship_token.get_secret_value().partition(".")
    if not (dot and secret):
        raise ValueError("journal.ship_token is not what `urltrap fleet add NAME` printed on the collector")
    return sensor_name(name)


def make_transport(settings: ShipSettings, stream: str) -> Transport:
    """The way that `journal.ship` names. ValueError, with what to do, where the settings cannot be used."""
    name, token = own_name(settings), settings.ship_token.get_secret_value()
    if settings.ship.startswith("nats://"):
        return NatsTransport(settings.ship, name, token, stream, settings.ship_ca)
    return HttpsTransport(settings.ship, token, stream, settings.ship_fingerprint, settings.ship_ca)


async def run_shipper(
    settings: ShipSettings, data: Path, ready: Callable[[], None], stop: asyncio.Event
) -> None:
    """Ship the journals of a data folder until `stop`. ValueError where the settings cannot be used."""
    journal = data / "journal"
    state = await asyncio.to_thread(ShippingState, journal / STATE)
    spool = Spool(journal)
    transport = make_transport(settings, state.stream)
    quarantine = await asyncio.to_thread(Quarantine, data / "quarantine")
    shipper = Shipper(own_name(settings), spool, state, Keeper(spool, state, settings), quarantine, transport)
    try:
        await shipper.run(stop, ready)
    finally:
        await transport.close()

"""What a NATS broker is told: who there is, and which subjects each may use."""

from __future__ import annotations

from collections.abc import Iterable

from urltrap.journal.shipping.broker import FROM, TO, BrokerKey
from urltrap.journal.shipping.chunk import MAX_ENCODED
from urltrap.pipeline.fleet.accounts import Account

_COLLECTOR = """\
    {{ # the collectors of this installation
      nkey: {nkey}
      permissions: {{
        publish: ["{to}.>", "$JS.API.>", "$JS.ACK.>"]
        subscribe: ["{from_}.>", "_INBOX.>"]
      }}
    }}
"""

_SENSOR = """\
    {{ # {name}
      nkey: {nkey}
      permissions: {{ publish: "{from_}.{name}.>", subscribe: "{to}.{name}" }}
    }}
"""


def broker_configuration(collector: BrokerKey, sensors: Iterable[Account]) -> str:
    """Lines for nats-server's configuration. A sensor may publish below its own name and hear its own subject only."""
    users = _COLLECTOR.format(nkey=collector.public, to=TO, from_=FROM) + "".join(
        _SENSOR.format(name=account.name, nkey=account.nkey, to=TO, from_=FROM) for account in sensors
    )
    return (
        "# Add to nats-server's configuration, beside tls { cert_file, key_file } and jetstream { store_dir }.\n"
        f"max_payload: {MAX_ENCODED}\n"
        f"authorization {{\n  users: [\n{users}  ]\n}}\n"
    )

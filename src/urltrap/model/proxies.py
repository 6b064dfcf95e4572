"""Proxies in front of the site, as settings name them."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator

_LARGEST = {4: 2**24, 6: 2**64}
"""Addresses of a network that may be named: 10.0.0.0/8 is one house's, and an IPv6 /64 is one cable's."""


def _proxy(text: str) -> str:
    """Somebody who may say for whom he asks. A name, or everybody, would let strangers claim any address."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        why = f" ({error})" if "/" in text else ""
        raise ValueError(
            f"{text!r} is no address or network of a proxy{why}; write for example 127.0.0.1 or 10.0.0.0/24"
        ) from error
    if network.num_addresses > _LARGEST[network.version]:
        raise ValueError(
            f"{text!r} is too large: whoever is in it could claim any address; name the proxy's own, or its network"
        )
    return text


Proxy = Annotated[str, AfterValidator(_proxy)]

"""A test's own database server comes up whoever has its port meanwhile."""

from __future__ import annotations

import socket
import threading

import pytest
from tests.support.databases import TemporaryServer, run_sql


def listening(port: int) -> socket.socket:
    """Somebody else on this port."""
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", port))
    taken.listen()
    return taken


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_port_that_was_taken_meanwhile_is_changed_at_first_and_waited_for_later(kind: str) -> None:
    server = TemporaryServer(kind)
    try:
        with listening(server.port) as taken:
            server.start()
            assert server.port != taken.getsockname()[1]
            run_sql(server.url, "SELECT 1")
        url = server.url
        server.stop()
        taken = listening(server.port)
        noticed = threading.Event()
        real = server._try

        def tried(deadline: float) -> str | None:
            said = real(deadline)
            if said is not None:
                taken.close()  # it was refused once
                noticed.set()
            return said

        server._try = tried  # type: ignore[method-assign]
        server.start()
        assert noticed.is_set() and server.url == url
        run_sql(url, "SELECT 1")
    finally:
        server.remove()

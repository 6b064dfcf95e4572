"""Choosing algorithms and the host key as OpenSSH does, where asyncssh does something else."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from asyncssh.connection import SSHServerConnection


def _up_to_an_empty_name(names: Sequence[bytes]) -> Sequence[bytes]:
    # OpenSSH stops reading a list there (match.c, match_list).
    return names[: names.index(b"")] if b"" in names else names


class NegotiatingConnection(SSHServerConnection):
    """The choices of a key exchange."""

    def _choose_alg(self, alg_type: str, local_algs: Sequence[bytes], remote_algs: Sequence[bytes]) -> bytes:
        return super()._choose_alg(alg_type, local_algs, _up_to_an_empty_name(remote_algs))

    def choose_server_host_key(self, peer_host_key_algs: Sequence[bytes]) -> bool:
        """The first of the client's kinds of host keys that the profile has.

        The pair is this connection's own: how an RSA key signs is kept in it, and others sign in between.
        """
        for name in _up_to_an_empty_name(peer_host_key_algs):
            ours = self._server_host_key_algs or ()
            pair = self._server_host_keys.get(name) if name in ours else None
            if pair is not None:
                self._server_host_key = copy.copy(pair)
                if name != pair.algorithm:
                    self._server_host_key.set_sig_algorithm(name)
                return True
        return False

    @property
    def host_key_blob(self) -> bytes:
        """The host key of this connection's key exchange, as it goes over the wire."""
        return self._server_host_key.public_data if self._server_host_key is not None else b""

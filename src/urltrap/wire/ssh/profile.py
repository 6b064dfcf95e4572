"""A profile: everything about one recorded server build that a client can see before the shell."""

from __future__ import annotations

from fnmatch import fnmatchcase

from pydantic import Field

from urltrap.model.base import Model
from urltrap.wire.ssh.identification import Identification, read_identification, read_terse


class Profile(Model):
    """One server build: its lists in the order in which it sends them, and its timings.

    `version` is the identification line without its line end. `kex_markers` are the names at the end of the
    key-exchange list that are no algorithms. `banner_delay_ms`: from accepting a connection
    to the first byte; `password_check_ms`: what checking a password cost the recorded machine; `password_refusal_ms`:
    how long PAM waits on average before it refuses one.
    `root_signals`: whether a client that is logged in as root may signal its commands (OpenSSH from 9.9 on).
    `whole_refusals`: whether a refused identification is answered in one piece, so that its line end arrives before a
    reset; `takes_ext_info`: whether the client may send EXT_INFO.
    `mute`: whether it closes without a word where OpenSSH says why (Dropbear); `speaks_first`: whether it offers its
    algorithms before it has heard the client (Dropbear); `random_padding`: whether packets in the clear are padded by
    chance rather than with zeros.
    Source: a capture of the named package on its own distribution.
    """

    name: str
    version: str = Field(pattern=r"^SSH-2\.0-[\x21-\x7e]+( [\x20-\x7e]*)?$")
    kex: list[str]
    kex_markers: list[str] = []
    host_keys: list[str]
    ciphers: list[str]
    macs: list[str]
    compressions: list[str]
    signature_algorithms: list[str]
    extensions: list[tuple[str, str]] = []
    auth_methods: list[str]
    accepted_env: list[str] = []
    channel_window: int = Field(default=2_097_152, ge=1)
    channel_packet: int = Field(default=32_768, ge=1)
    root_signals: bool = False
    mute: bool = False
    speaks_first: bool = False
    random_padding: bool = False
    whole_refusals: bool = False
    takes_ext_info: bool = False
    max_sessions: int = Field(default=10, ge=1)
    banner_delay_ms: float = Field(default=0.0, ge=0)
    password_check_ms: float = Field(default=0.0, ge=0)
    password_refusal_ms: float = Field(default=0.0, ge=0)

    @property
    def software(self) -> str:
        """The identification line behind ``SSH-2.0-``."""
        return self.version.removeprefix("SSH-2.0-")

    @property
    def answers_pings(self) -> bool:
        """Whether it knows PING and PONG (OpenSSH from 9.4 on); it then takes its message numbers from 192 for good."""
        return any(name == "ping@openssh.com" for name, _ in self.extensions)

    def identify(self, buffer: bytes) -> Identification:
        """What this server makes of the bytes that a client has sent until now."""
        return (
            read_terse(buffer)
            if self.mute
            else read_identification(buffer, whole_refusals=self.whole_refusals)
        )

    def extension_info(self) -> list[tuple[bytes, bytes]]:
        """The pairs of the EXT_INFO message, in order (RFC 8308)."""
        pairs = list(self.extensions)
        if self.signature_algorithms:
            pairs.insert(0, ("server-sig-algs", ",".join(self.signature_algorithms)))
        return [(name.encode("ascii"), value.encode("ascii")) for name, value in pairs]

    def accepts_env(self, name: bytes) -> bool:
        """True where a client may set this environment variable (AcceptEnv of sshd_config)."""
        text = name.decode("latin-1")
        return any(fnmatchcase(text, pattern) for pattern in self.accepted_env)


def load_profile(data: bytes) -> Profile:
    """The profile of a file's content; pydantic.ValidationError says which field of it is wrong."""
    return Profile.model_validate_json(data)

"""The settings' types: one frozen tree, parsed once (`ops.settings`) and handed down. Defaults are the safe ones."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from urltrap.model.base import Model

ListenAddress = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]*\]|[^\[\]:\s]*):\d{1,5}$")]
"""``HOST:PORT``, IPv6 in brackets, an empty host for all addresses; port 0 takes a free one (tests)."""


class SshSettings(Model):
    """The SSH sensor."""

    enabled: bool = True
    listen: list[ListenAddress] = ["0.0.0.0:2222"]
    login_grace_seconds: float = Field(default=120, gt=0)
    idle_seconds: float = Field(default=900, gt=0, description="a session without input ends after this")
    max_auth_tries: int = Field(default=6, ge=1)


class TelnetSettings(Model):
    """The Telnet sensor."""

    enabled: bool = True
    listen: list[ListenAddress] = ["0.0.0.0:2323"]
    login_grace_seconds: float = Field(default=60, gt=0)
    idle_seconds: float = Field(default=900, gt=0)


class SensorSettings(Model):
    """All sensors, and what they share."""

    ssh: SshSettings = SshSettings()
    telnet: TelnetSettings = TelnetSettings()
    workers: int = Field(default=0, ge=0, description="trap processes; 0: one per core")
    max_connections: int = Field(default=2000, ge=1, description="per trap process")
    max_connections_per_address: int = Field(default=50, ge=1)


class CredentialSettings(Model):
    """Who gets in: a set that always does, else after a number of tries; an address keeps what it got."""

    accept: list[str] = Field(default=[], description='"user:password" pairs, "*" for any')
    after_tries: tuple[int, int] = Field(default=(1, 3), description="let in between the m-th and n-th try, by address")
    refuse: list[str] = Field(default=[], description="passwords never accepted, beside the known accept-all probes")


class SessionLimits(Model):
    """Budgets of one session; what meets one is slowed or ended and says so in one event."""

    seconds: float = Field(default=3600, gt=0)
    commands: int = Field(default=10_000, ge=1)
    output_bytes: int = Field(default=16_000_000, ge=1)
    input_bytes: int = Field(default=64_000_000, ge=1)
    line_bytes: int = Field(default=1_048_576, ge=1)
    steps_per_command: int = Field(default=2_000_000, ge=1, description="interpreter steps of one command line")
    memory_bytes: int = Field(default=32_000_000, ge=1, description="estimate of what the machine holds for it")
    overlay_bytes: int = Field(default=32_000_000, ge=1)
    upload_bytes: int = Field(default=32_000_000, ge=1)
    processes: int = Field(default=64, ge=1)


class MachineSettings(Model):
    """The machine behind the sensors."""

    kind: Literal["emulated", "sandbox"] = "emulated"
    keep_overlay_hours: float = Field(default=24, ge=0, description="an attacker's changes are kept this long")
    limits: SessionLimits = SessionLimits()


class EgressSettings(Model):
    """The only door out."""

    mode: Literal["fetch", "record"] = "fetch"
    proxy: str = Field(default="", description="http://HOST:PORT through which everything goes; empty: direct")
    max_bytes: int = Field(default=32_000_000, ge=1)
    total_seconds: float = Field(default=60, gt=0)
    connect_seconds: float = Field(default=10, gt=0)
    max_redirects: int = Field(default=5, ge=0)
    window_seconds: float = Field(default=600, ge=0, description="a URL is fetched once within this time")
    per_host_per_minute: int = Field(default=20, ge=1)
    total_per_minute: int = Field(default=300, ge=1)
    concurrent: int = Field(default=16, ge=1)


class JournalSettings(Model):
    """The durable record."""

    segment_bytes: int = Field(default=64_000_000, ge=65_536)
    sync_milliseconds: float = Field(default=50, gt=0)
    sync_bytes: int = Field(default=262_144, ge=1)
    keep_days: float = Field(default=365, gt=0, description="archived segments older than this are deleted")


class StoreSettings(Model):
    """The database. Empty: SQLite in the data folder."""

    url: str = ""


class IntelSettings(Model):
    """Enrichment and reputation."""

    geo_dir: str = Field(default="", description="folder of the mmdb files; empty: where the set-up put them")
    urlhaus_dump: str = Field(default="", description="path of a URLhaus CSV dump to look URLs up in")


class PublishSettings(Model):
    """What may leave as a feed."""

    min_confidence: int = Field(default=60, ge=0, le=100)
    delay_minutes: tuple[int, int] = Field(
        default=(30, 720), description="a URL that one source showed waits a random while between these"
    )


class SiteSettings(Model):
    """The operator's site. It does not live on a sensor's public address."""

    enabled: bool = True
    listen: ListenAddress = "127.0.0.1:8080"


class MetricsSettings(Model):
    """Prometheus metrics."""

    listen: ListenAddress = "127.0.0.1:9464"


class SupervisorSettings(Model):
    """The processes."""

    user: str = Field(default="", description="user to become after binding, when started as root; empty: nobody")


class TestingSettings(Model):
    """Only for tests and benchmarks; `urltrap doctor` warns where one is set."""

    __test__ = False

    public_networks: list[str] = Field(default=[], description="networks that count as public in this run")


class Settings(Model):
    """The whole tree: `urltrap.toml`, then the environment."""

    sensors: SensorSettings = SensorSettings()
    credentials: CredentialSettings = CredentialSettings()
    machine: MachineSettings = MachineSettings()
    egress: EgressSettings = EgressSettings()
    journal: JournalSettings = JournalSettings()
    store: StoreSettings = StoreSettings()
    intel: IntelSettings = IntelSettings()
    publish: PublishSettings = PublishSettings()
    site: SiteSettings = SiteSettings()
    metrics: MetricsSettings = MetricsSettings()
    supervisor: SupervisorSettings = SupervisorSettings()
    testing: TestingSettings = TestingSettings()

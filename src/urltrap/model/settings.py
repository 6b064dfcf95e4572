"""The settings' types: one frozen tree, parsed once (`ops.settings`) and handed down. Defaults are the safe ones."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from urltrap.model.admission_settings import AdmissionSettings
from urltrap.model.analysis_settings import AnalysisSettings as AnalysisSettings
from urltrap.model.base import Model
from urltrap.model.fleet_settings import FleetSettings, ShipSettings
from urltrap.model.intel_settings import IntelSettings as IntelSettings
from urltrap.model.output_settings import OutputSettings
from urltrap.model.proxies import Proxy
from urltrap.model.public_settings import PublicSettings, stands_on
from urltrap.model.sandbox_settings import SandboxSettings
from urltrap.model.watch_settings import AlertSettings, CanarySettings, MetricsSettings

ListenAddress = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]*\]|[^\[\]:\s]*):\d{1,5}$")]
"""``HOST:PORT``, IPv6 in brackets, an empty host for all addresses; port 0 takes a free one (tests)."""


class SshSettings(Model):
    """The SSH sensor."""

    enabled: bool = Field(default=True, description="whether this sensor runs")
    listen: list[ListenAddress] = Field(
        default=["0.0.0.0:2222"], description='addresses to listen on, e.g. ["0.0.0.0:22", "[::]:2222"]'
    )
    login_grace_seconds: float = Field(
        default=120, gt=0, description="time to log in before the line is dropped"
    )
    idle_seconds: float = Field(default=900, gt=0, description="a session without input ends after this")
    max_auth_tries: int = Field(default=6, ge=1, description="failed log-in tries per connection")


class TelnetSettings(Model):
    """The Telnet sensor."""

    enabled: bool = Field(default=True, description="whether this sensor runs")
    listen: list[ListenAddress] = Field(default=["0.0.0.0:2323"], description="addresses to listen on")
    login_grace_seconds: float = Field(
        default=60, gt=0, description="time to log in before the line is dropped"
    )
    idle_seconds: float = Field(default=900, gt=0, description="a session without input ends after this")


class SensorSettings(Model):
    """What all sensors share."""

    ssh: SshSettings = SshSettings()
    telnet: TelnetSettings = TelnetSettings()
    workers: int = Field(default=0, ge=0, le=64, description="trap processes; 0: one per core")
    max_connections: int = Field(default=2000, ge=1, description="open connections per trap process")
    max_connections_per_address: int = Field(
        default=50, ge=1, description="open connections per source address"
    )
    admission: AdmissionSettings = AdmissionSettings()


class CredentialSettings(Model):
    """Who gets in: a set that always does, else after some tries; an address keeps the credential that got it in."""

    accept: list[str] = Field(
        default=[], description='pairs that always get in, as "user:password"; "*" for any'
    )
    after_tries: tuple[int, int] = Field(
        default=(1, 3), description="others get in between the m-th and the n-th try, fixed per address"
    )
    refuse: list[str] = Field(
        default=[], description="passwords never accepted, beside the known accept-all probes"
    )


class SessionLimits(Model):
    """Budgets of one attacker session; what meets one is ended or refused, and says so in one event."""

    seconds: float = Field(default=3600, gt=0, description="length of a session")
    commands: int = Field(default=10_000, ge=1, description="command lines")
    output_bytes: int = Field(default=16_000_000, ge=1, description="bytes sent to the attacker")
    input_bytes: int = Field(default=64_000_000, ge=1, description="bytes taken from the attacker")
    line_bytes: int = Field(default=1_048_576, ge=1, description="length of one command line")
    steps_per_command: int = Field(
        default=2_000_000,
        ge=1,
        description="interpreter steps (about microseconds) of one command line; one that goes on is ended there",
    )
    barren_steps: int = Field(
        default=300_000,
        ge=1,
        description="steps of these of which nothing comes (no data read, no program started), as in an endless loop",
    )
    memory_bytes: int = Field(
        default=32_000_000, ge=1, description="estimate of what the machine holds for it"
    )
    overlay_bytes: int = Field(default=32_000_000, ge=1, description="files of one attacker's machine")
    upload_bytes: int = Field(default=32_000_000, ge=1, description="size of one uploaded file")
    processes: int = Field(default=64, ge=1, description="processes at once on one attacker's machine")


class MachineSettings(Model):
    """The machine behind the sensors."""

    kind: Literal["emulated", "sandbox"] = Field(
        default="emulated",
        description='"sandbox": commands run for real, in a throw-away box whose network leads to urltrap alone;'
        " needs root, crun and nft",
    )
    sandbox: SandboxSettings = SandboxSettings()
    keep_overlay_hours: float = Field(
        default=24, ge=0, description="an attacker's changes are kept this long"
    )
    limits: SessionLimits = SessionLimits()


class EgressSettings(Model):
    """The only door out: what the fetcher may do. `urltrap egress off` shuts it at once."""

    mode: Literal["fetch", "record"] = Field(
        default="fetch", description='"record": nothing is resolved or fetched, everything is written down'
    )
    proxy: str = Field(
        default="", description="http://HOST:PORT through which everything goes; empty: direct"
    )
    max_bytes: int = Field(
        default=32_000_000, ge=1, description="size of one payload; of larger ones the beginning is kept"
    )
    total_seconds: float = Field(default=60, gt=0, description="time for one fetch")
    connect_seconds: float = Field(default=10, gt=0, description="time to connect")
    max_redirects: int = Field(
        default=5, ge=0, description="redirects followed, each checked as the first address"
    )
    window_seconds: float = Field(
        default=600,
        ge=0,
        description="a URL is fetched once per client within this time; all get the same bytes",
    )
    per_host_per_minute: int = Field(default=20, ge=1, description="requests to one host")
    total_per_minute: int = Field(default=300, ge=1, description="requests in total")
    concurrent: int = Field(default=64, ge=1, description="fetches at once")
    retry_seconds: list[Annotated[float, Field(ge=0)]] = Field(
        default=[300, 1800, 7200],
        max_length=16,
        description="pauses before a server that could not be reached is tried again; empty: it is not",
    )
    other_clients: bool = Field(
        default=True,
        description="whether wget, curl and BusyBox wget are tried where one of them got no file",
    )
    siblings: int = Field(
        default=16,
        ge=0,
        le=32,
        description="files for other architectures asked for beside a captured one; 0: none",
    )
    sibling_seconds: float = Field(default=10, ge=0, description="time between two such requests of one URL")
    refuse_networks: list[str] = Field(
        default=[], description="networks never contacted, for example your own public addresses behind NAT"
    )


class JournalSettings(ShipSettings):
    """The durable record of events."""

    segment_bytes: int = Field(default=64_000_000, ge=65_536, description="size at which a segment is closed")
    segment_hours: float = Field(default=24, gt=0, description="a segment is closed after this long, too")
    sync_milliseconds: float = Field(
        default=50, gt=0, description="at most this long until an event is on the disk"
    )
    sync_bytes: int = Field(default=262_144, ge=1, description="or at most this many bytes")
    keep_days: float = Field(default=365, gt=0, description="archived segments older than this are deleted")
    free_bytes_reserve: int = Field(
        default=200_000_000, ge=0, description="writing stops before less than this is free"
    )


class StoreSettings(Model):
    """The database."""

    url: str = Field(default="", description="SQLAlchemy URL; empty: SQLite in the data folder")


class PublishSettings(Model):
    """What may leave as a feed."""

    min_confidence: int = Field(default=60, ge=0, le=100, description="entries below are not published")
    delay_minutes: tuple[int, int] = Field(
        default=(30, 720), description="a URL that one source showed waits a random while between these"
    )
    operator_addresses: list[str] = Field(
        default=[],
        description="addresses or networks that you test from: their sessions and URLs stay out of feeds",
    )


class RetentionSettings(Model):
    """How long what was recorded is kept; figures, URLs, captures and artifacts stay."""

    events_days: float = Field(
        default=180, gt=0, description="raw events and terminal recordings in the store"
    )
    sessions_days: float = Field(default=365, gt=0, description="sessions with their log-ins and commands")
    addresses_days: float = Field(
        default=30,
        gt=0,
        description="whole source addresses; afterwards their /24 or /48, in archives and backups too",
    )


class BackupSettings(Model):
    """Backups of everything, made and verified by a process of their own."""

    enabled: bool = Field(default=True, description="whether backups are made")
    folder: str = Field(default="", description="where they are kept; empty: backups/ in the data folder")
    targets: list[str] = Field(
        default=[], description='further places, as fsspec names them, e.g. ["s3://bucket/trap-1"]'
    )
    target_options: dict[str, str] = Field(
        default={},
        description='options of the targets, e.g. {endpoint_url = "https://…"}; keys: better the environment',
    )
    every_minutes: float = Field(default=60, gt=0, description="time between two backups")
    keep_hourly: int = Field(default=24, ge=1, description="backups kept: the newest of so many hours")
    keep_daily: int = Field(default=14, ge=0, description="and of so many days")
    keep_weekly: int = Field(default=8, ge=0, description="and of so many weeks")
    keep_monthly: int = Field(default=12, ge=0, description="and of so many months")
    age_recipient: str = Field(
        default="", description="public key (age1…) to encrypt with; empty: not encrypted"
    )
    age_identity_file: str = Field(
        default="",
        description="file of the secret key, for the daily whole verification; empty: only hashes are verified",
    )
    journal_seconds: float = Field(
        default=5, gt=0, le=60, description="the journal's newest events are copied this often"
    )


class SiteSettings(Model):
    """The operator's site. Keep it off every address that a sensor listens on: it would unmask the sensor."""

    enabled: bool = Field(default=True, description="whether the site runs")
    listen: ListenAddress = Field(default="127.0.0.1:8080", description="address to listen on")
    names: list[str] = Field(
        default=[], description='further names that it is called by, e.g. ["trap.example"] behind a proxy'
    )
    trusted_proxies: list[Proxy] = Field(
        default=[],
        description='proxies (addresses or exact networks) whose X-Forwarded-For and -Proto count: ["127.0.0.1"]',
    )
    idle_minutes: float = Field(default=480, gt=0, description="a log-in that is not used ends after this")
    login_days: float = Field(default=14, gt=0, description="and every one after this")


class SupervisorSettings(Model):
    """The processes."""

    user: str = Field(
        default="",
        description="user to become after binding when started as root; empty: urltrap, which `urltrap init` makes",
    )


class TestingSettings(Model):
    """Only for tests and benchmarks; `urltrap doctor` warns where one is set."""

    __test__ = False

    public_networks: list[str] = Field(default=[], description="networks that count as public in this run")


class Settings(Model):
    """The whole tree: urltrap.toml, then the environment."""

    sensors: SensorSettings = SensorSettings()
    credentials: CredentialSettings = CredentialSettings()
    machine: MachineSettings = MachineSettings()
    egress: EgressSettings = EgressSettings()
    journal: JournalSettings = JournalSettings()
    store: StoreSettings = StoreSettings()
    intel: IntelSettings = IntelSettings()
    analysis: AnalysisSettings = AnalysisSettings()
    publish: PublishSettings = PublishSettings()
    public: PublicSettings = PublicSettings()
    retention: RetentionSettings = RetentionSettings()
    backup: BackupSettings = BackupSettings()
    outputs: OutputSettings = OutputSettings()
    metrics: MetricsSettings = MetricsSettings()
    alerts: AlertSettings = AlertSettings()
    canary: CanarySettings = CanarySettings()
    site: SiteSettings = SiteSettings()
    fleet: FleetSettings = FleetSettings()
    supervisor: SupervisorSettings = SupervisorSettings()
    testing: TestingSettings = TestingSettings()

    @model_validator(mode="after")
    def _apart(self) -> Settings:
        """The site for everyone on a sensor's address would tell everyone that the sensor is one."""
        public = self.public
        if public.enabled and not public.allow_sensor_address:
            listens = [sensor.listen for sensor in (self.sensors.ssh, self.sensors.telnet) if sensor.enabled]
            where = stands_on(public.listen, [address for addresses in listens for address in addresses])
            if where:
                raise ValueError(
                    f"public.listen is {public.listen}, where a sensor listens too ({where}): the site for everyone "
                    "would unmask it. Listen on 127.0.0.1 behind a proxy elsewhere, or export it with "
                    "`urltrap publish DIR`; if you mean it, set public.allow_sensor_address"
                )
        return self

    @model_validator(mode="before")
    @classmethod
    def _thin(cls, tree: Any) -> Any:
        """A thin sensor has no store: there is nothing to back up, and nobody to complain that it is not."""
        if isinstance(tree, dict) and isinstance(tree.get("journal"), dict) and tree["journal"].get("ship"):
            backup = tree.get("backup", {})
            if isinstance(backup, dict):
                return {**tree, "backup": {**backup, "enabled": False}}
        return tree

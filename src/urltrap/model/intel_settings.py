"""Settings of enrichment and reputation. Nothing outside is asked before `intel.online` is set."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, SecretStr, SerializationInfo, WithJsonSchema, model_validator

from urltrap.model.base import Model

REVEAL = {"secrets": "reveal"}
"""Serialisation context that writes secrets out: only for handing settings to a process of ours over its pipe."""


def _dump(value: SecretStr, info: SerializationInfo) -> str:
    context: Any = info.context
    if isinstance(context, dict) and context.get("secrets") == "reveal":
        return value.get_secret_value()
    return "**********" if value.get_secret_value() else ""


Secret = Annotated[SecretStr, PlainSerializer(_dump), WithJsonSchema({"type": "string", "writeOnly": True})]
"""A key: asterisks in `repr`, dumps, logs and errors."""

_NONE = SecretStr("")

SubmittedVerdict = Literal["malicious-confirmed", "malicious-observed", "suspicious", "unknown"]
Visibility = Literal["private", "unlisted", "public"]


class IntelKeys(Model):
    """Keys of providers; who has one is asked. In the environment: URLTRAP_INTEL__KEYS__VIRUSTOTAL."""

    virustotal: Secret = Field(default=_NONE, description="VirusTotal, public or other API key")
    abuse_ch: Secret = Field(default=_NONE, description="abuse.ch: URLhaus, ThreatFox and MalwareBazaar")
    phishtank: Secret = Field(default=_NONE, description="PhishTank application key")
    safe_browsing: Secret = Field(default=_NONE, description="Google Safe Browsing (non-commercial use only)")
    abuseipdb: Secret = Field(default=_NONE, description="AbuseIPDB v2")
    otx: Secret = Field(default=_NONE, description="AlienVault OTX")
    greynoise: Secret = Field(default=_NONE, description="GreyNoise community")
    spamhaus: Secret = Field(
        default=_NONE, description="Spamhaus DQS; without it the public zones by your own resolver"
    )
    urlscan: Secret = Field(default=_NONE, description="urlscan.io, for submissions only: searches need none")


class ListSettings(Model):
    """Context lists: research scanners, IP-check sites, CDNs and so on."""

    misp: str = Field(
        default="https://raw.githubusercontent.com/MISP/misp-warninglists/main/lists/{name}/list.json",
        description="where a MISP warninglist is, {name} standing for its folder",
    )
    misp_names: list[str] = Field(default=[], description="warninglists taken; empty: the chosen ones")
    mass_scanners: str = Field(
        default="https://raw.githubusercontent.com/stamparm/maltrail/master/trails/static/mass_scanner.txt",
        description="maltrail's list of mass scanners; empty: none",
    )
    research: str = Field(
        default="https://isc.sans.edu/api/threatcategory/research?json",
        description="SANS ISC's list of research scanners (needs intel.contact); empty: none",
    )
    hours: float = Field(default=24, ge=1, description="downloaded again after this long")
    expire_days: float = Field(
        default=14, gt=0, description="labels of a list that could not be renewed for this long are dropped"
    )


class DumpSettings(Model):
    """What providers offer whole, looked up without asking them. {key} in an address stands for intel.keys.abuse_ch."""

    urlhaus: str = Field(
        default="https://urlhaus.abuse.ch/downloads/csv_recent/",
        description="URLhaus CSV; with a key: https://urlhaus-api.abuse.ch/v2/files/exports/{key}/recent.csv",
    )
    threatfox: str = Field(
        default="https://threatfox.abuse.ch/export/csv/recent/", description="ThreatFox CSV; empty: none"
    )
    openphish: str = Field(
        default="https://raw.githubusercontent.com/openphish/public_feed/refs/heads/main/feed.txt",
        description="OpenPhish community feed (non-commercial use only); empty: none",
    )
    phishtank: str = Field(
        default="https://data.phishtank.com/data/online-valid.csv", description="PhishTank CSV; empty: none"
    )
    tweetfeed: str = Field(
        default="https://raw.githubusercontent.com/0xDanielLopez/TweetFeed/master/month.csv",
        description="TweetFeed CSV of researchers' posts, which count as reports and confirm nothing; empty: none",
    )
    maltrail: str = Field(
        default="https://raw.githubusercontent.com/stamparm/maltrail/master/trails/static/malware/{name}.txt",
        description="where a maltrail trail is; empty: none",
    )
    maltrail_names: list[str] = Field(
        default=[
            "elf_mirai", "elf_gafgyt", "elf_mozi", "elf_hajime", "elf_xorddos", "elf_coinminer", "elf_billgates",
            "elf_kaiji", "elf_tsunami", "elf_moobot",
        ],
        description="trails taken",
    )  # fmt: skip
    hours: float = Field(default=1, ge=0.1, description="downloaded again after this long (OpenPhish: 12)")
    max_bytes: int = Field(default=200_000_000, ge=1, description="size of one download, unpacked too")


class SubmitSettings(Model):
    """Submitting URLs to services that look at them: it tells third parties, and is done only where you ask for it."""

    automatic: bool = Field(
        default=False, description="whether published URLs are submitted without being asked for each one"
    )
    providers: list[Literal["urlscan", "virustotal", "urlhaus"]] = Field(
        default=[], description='to whom that is: ["urlscan", "virustotal", "urlhaus"]; empty: nobody'
    )
    verdicts: list[SubmittedVerdict] = Field(
        default=["malicious-confirmed", "malicious-observed"],
        description='verdicts of URLs that may be submitted at all; you may add "suspicious" and "unknown"',
    )
    urlscan_visibility: Visibility = Field(
        default="private",
        description='who sees the scan at urlscan.io: "private" you, "unlisted" its paying customers, "public" '
        "everybody, whoever runs the attack included",
    )
    again_days: float = Field(
        default=30, gt=0, description="days before the same URL is submitted to the same service again"
    )

    @model_validator(mode="after")
    def _to_somebody(self) -> SubmitSettings:
        if self.automatic and not self.providers:
            raise ValueError(
                'automatic is on, but providers names nobody; for example providers = ["urlscan"]'
            )
        return self


class IntelSettings(Model):
    """Enrichment and reputation."""

    online: bool = Field(
        default=False,
        description="whether anything outside is asked: lists and dumps, reverse DNS, DNS and HTTP providers",
    )
    contact: str = Field(
        default="", description="your e-mail address, told to providers that want to know who asks"
    )
    skip: list[str] = Field(
        default=["cymru", "spamhaus"],
        description="providers never asked (Team Cymru wants to be told before it is asked automatically; Spamhaus "
        "answers no public or cloud resolver)",
    )
    limits: list[str] = Field(
        default=[], description='what a provider allows, where you know better: ["virustotal day 20000"]'
    )
    virustotal_user: str = Field(
        default="", description="your user name at VirusTotal: the quota of your key is then read from it"
    )
    resolvers: list[str] = Field(
        default=[], description="addresses of DNS servers to ask; empty: this machine's"
    )
    ip_api: bool = Field(
        default=False,
        description="ask ip-api.com where the files know no place (unencrypted; 45 addresses a minute)",
    )
    geo_dir: str = Field(default="", description="folder of the mmdb files; empty: where the set-up put them")
    urlhaus_dump: str = Field(default="", description="path of a URLhaus CSV dump to look URLs up in")
    keys: IntelKeys = IntelKeys()
    submit: SubmitSettings = SubmitSettings()
    lists: ListSettings = ListSettings()
    dumps: DumpSettings = DumpSettings()

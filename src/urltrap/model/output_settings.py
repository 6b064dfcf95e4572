"""Settings of the live outputs."""

from __future__ import annotations

from pydantic import Field, SecretStr

from urltrap.model.base import Model
from urltrap.model.intel_settings import Secret


class OutputSettings(Model):
    """Every event, live, to others who collect it; empty ones are off."""

    cowrie_log: str = Field(default="", description="file that grows as Cowrie's cowrie.json would")
    syslog: str = Field(default="", description="udp://host:514, tcp://…, tls://… or unix:///dev/log")
    webhook: Secret = Field(
        default=SecretStr(""), description="https://… that takes JSON arrays of events; treated as a secret"
    )
    webhook_secret: Secret = Field(
        default=SecretStr(""), description="signs each request: X-Urltrap-Signature, HMAC-SHA256 of the body"
    )
    hpfeeds: str = Field(default="", description="broker as host:port")
    hpfeeds_ident: str = Field(default="", description="account at the broker")
    hpfeeds_secret: Secret = Field(default=SecretStr(""), description="its secret")
    hpfeeds_channel: str = Field(
        default="cowrie.sessions", description="channel to publish ended sessions in"
    )

    @property
    def any(self) -> bool:
        """Whether one is on."""
        return bool(self.cowrie_log or self.syslog or self.webhook.get_secret_value() or self.hpfeeds)

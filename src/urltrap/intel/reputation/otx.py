"""AlienVault OTX: pulses that name an indicator. Source: otx.alienvault.com/api. In effect it needs a key."""

from __future__ import annotations

from urllib.parse import quote

from urltrap.intel.reputation.asked import Answer, Asked, Subject, Tools
from urltrap.intel.reputation.reading import moment, number, section, text, texts

_PATHS = {"url": "url", "host": "hostname", "sha256": "file"}


class Otx(Asked):
    """`GET /api/v1/indicators/KIND/VALUE/general`, key in a header."""

    name = "otx"
    tier = "metered"
    kinds = frozenset({"url", "host", "ip", "sha256"})
    key = "otx"
    key_needed = True
    limits = {"minute": 20, "day": 5000}
    default_base = "https://otx.alienvault.com/api/v1"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked. What OTX itself validated as known good (`validation`) is not listed, whoever names it."""
        kind = _PATHS.get(subject.kind) or ("IPv6" if ":" in subject.value else "IPv4")
        reply = await tools.ask(
            "GET",
            f"{self.base}/indicators/{kind}/{quote(subject.value, safe='')}/general",
            headers={"X-OTX-API-KEY": tools.key(self.key)},
            accept=frozenset({404}),
        )
        if reply.status == 404:
            reply.object()
            return Answer(listed=False, detail="unknown there")
        body = reply.object()
        info = section(body, "pulse_info")
        count = number(info.get("count"))
        if count is None:
            section(info, "count")
        validated = bool(body.get("validation"))
        found = info.get("pulses")
        pulses = [pulse for pulse in found if isinstance(pulse, dict)] if isinstance(found, list) else []
        tags = dict.fromkeys(tag for pulse in pulses[:20] for tag in texts(pulse.get("tags"), 8))
        page = f"https://otx.alienvault.com/indicator/{kind.lower()}/{quote(subject.value, safe='')}"
        detail = f"{count or 0} pulses" + (", known good there" if validated else "")
        return Answer(
            bool(count) and not validated,
            detail,
            tuple(text(tag, 60) for tag in list(tags)[:12]),
            page,
            min((at for pulse in pulses if (at := moment(pulse.get("created")))), default=None),
        )

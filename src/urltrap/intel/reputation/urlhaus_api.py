"""URLhaus' interface: URL, host and payload. Source: urlhaus-api.abuse.ch. Numbers come as texts."""

from __future__ import annotations

from urltrap.intel.reputation.abuse_ch import AbuseCh, found
from urltrap.intel.reputation.asked import Answer, Subject, Tools
from urltrap.intel.reputation.reading import moment, number, text, texts

_ASKED = {
    "url": ("url", "url"),
    "host": ("host", "host"),
    "ip": ("host", "host"),
    "sha256": ("payload", "sha256_hash"),
}


class UrlhausApi(AbuseCh):
    """`POST /v1/{url,host,payload}/`; a key for abuse.ch is needed."""

    name = "urlhaus-api"
    kinds = frozenset({"url", "host", "ip", "sha256"})
    default_base = "https://urlhaus-api.abuse.ch/v1"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked."""
        path, name = _ASKED[subject.kind]
        reply = await tools.ask(
            "POST", f"{self.base}/{path}/", form={name: subject.value}, headers=self.headers(tools)
        )
        body = found(reply)
        if body is None:
            return Answer(listed=False)
        reference = text(body.get("urlhaus_reference"))
        if subject.kind == "url":
            return Answer(
                True,
                f"this URL, {text(body.get('url_status'), 20) or 'status unknown'}",
                (text(body.get("threat"), 40), *texts(body.get("tags"))),
                reference,
                moment(body.get("date_added")),
            )
        if subject.kind == "sha256":
            signature = text(body.get("signature"), 80)
            return Answer(
                True, f"this payload, {signature or 'no family'}",
                (signature, text(body.get("file_type"), 20)), reference, moment(body.get("firstseen")),
            )  # fmt: skip
        return Answer(
            True, f"{number(body.get('url_count')) or 'some'} URLs of this host", (), reference,
            moment(body.get("firstseen")),
        )  # fmt: skip

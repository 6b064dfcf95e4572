"""PhishTank's checkurl. Source: phishtank.org/api_info.php. A few questions a day without a key; HTTP 509 when over."""

from __future__ import annotations

from urltrap.intel.http import Reply
from urltrap.intel.reputation.asked import Allowance, Answer, Asked, Subject, Tools
from urltrap.intel.reputation.reading import moment, number, section, text


class PhishTank(Asked):
    """`POST /checkurl/`; wants to know who asks."""

    name = "phishtank-api"
    tier = "metered"
    kinds = frozenset({"url"})
    key = "phishtank"
    contact_needed = True
    limits = {"minute": 2, "day": 20}
    default_base = "https://checkurl.phishtank.com/checkurl/"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked. Reported is not yet listed: it takes a verification that says it is phishing."""
        form = {"url": subject.value, "format": "json"}
        if key := tools.key(self.key):
            form["app_key"] = key
        reply = await tools.ask(
            "POST", self.base, form=form, headers={"User-Agent": f"phishtank/{tools.settings.contact}"}
        )
        results = section(reply.object(), "results")
        if results.get("in_database") is not True:
            return Answer(listed=False)
        verified, valid = results.get("verified") is True, results.get("valid") is True
        page = text(results.get("phish_detail_page"))
        if not (verified and valid):
            return Answer(
                False, "reported, not verified" if not verified else "verified as no phishing", (), page
            )
        return Answer(True, "verified phishing", ("phishing",), page, moment(results.get("verified_at")))

    def from_headers(self, reply: Reply) -> list[Allowance]:
        """X-Request-Limit and X-Request-Count, where the interval is a known one."""
        headers = {name.lower(): value for name, value in reply.headers.items()}
        most = number(headers.get("x-request-limit"))
        interval = text(headers.get("x-request-limit-interval"), 40).lower()
        if most is None or ("day" not in interval and "24" not in interval):
            return []
        return [Allowance("day", most, number(headers.get("x-request-count")))]

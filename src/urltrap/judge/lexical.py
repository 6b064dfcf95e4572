"""What a URL's own spelling says of it: few, old and readable signs, none of which decides anything alone."""

from __future__ import annotations

import re
from functools import lru_cache

_ARCHITECTURE = re.compile(
    r"(?i)(?:^|[/._-])(?:mips(?:el|eb|64)?|mpsl|arm[4-8]?(?:v?\dt?l?|l|n|eb)?|aarch64|sh4|superh|ppc(?:-440fp)?|powerpc|"
    r"m68k?|spc|sparc|i[3-6]86|x86(?:_(?:32|64))?|arc(?:le)?|armv\dl)(?:[._-]|$)"
)
_BINARY = re.compile(r"(?i)(?:^|/)(?:bins?(?:/|\.sh)|mozi\.[am]$|[a-z]{1,2}$|i$|bin\.sh$)")
_SCRIPT = re.compile(r"(?i)\.(?:sh|pl|py|elf|bin|ps1|exe|bat|vbs|hta|msi|dll|apk|jar)(?:$|\?)")
_FREE = (
    ".github.io", ".gitbook.io", ".vercel.app", ".netlify.app", ".pages.dev", ".workers.dev", ".web.app",
    ".firebaseapp.com", ".weebly.com", ".weeblysite.com", ".wixsite.com", ".wixstudio.com", ".webflow.io",
    ".blogspot.com", ".r2.dev", ".herokuapp.com", ".000webhostapp.com", ".duckdns.org", ".ngrok.io",
    ".ngrok-free.app", ".repl.co", ".glitch.me", ".surge.sh", ".godaddysites.com", ".square.site", ".framer.app",
    ".typedream.app", ".mystrikingly.com", ".dweb.link", ".ipfs.io", ".azurewebsites.net", ".onrender.com",
    ".teachable.com", ".lovable.app", ".canva.site", ".backblazeb2.com", ".contaboserver.net", ".plesk.page",
    ".cprapid.com", ".sviluppo.host", ".appspot.com",
)  # fmt: skip
_LURES = re.compile(
    r"(?i)log-?in|sign-?in|secure|verif|account|update|wallet|support|webmail|bank|paypal|apple|amazon|microsoft|office|"
    r"netflix|facebook|instagram|whats?app|telegram|metamask|ledger|trezor|coinbase|uniswap|roblox|claim|airdrop|bonus|"
    r"authenticat|confirm|signup|recover|password|mail|att-|-att|usps|dhl"
)
_COMMON = frozenset(
    {"com", "org", "net", "edu", "gov", "io", "de", "uk", "jp", "fr", "nl", "eu", "ca", "au", "ch", "it"}
)
_CHEAP = frozenset(
    {"top", "xyz", "click", "shop", "online", "site", "icu", "live", "buzz", "cfd", "sbs", "cyou", "bond", "rest",
     "lat", "tk", "ml", "ga", "cf", "gq", "pw", "cc", "ws", "su", "club", "vip", "fun", "store", "space",
     "website", "life", "digital", "world", "cloud", "dev", "app", "help", "support", "lol", "monster", "quest",
     "my", "in", "ru", "cn"}
)  # fmt: skip


@lru_cache(maxsize=8192)
def signs(scheme: str, host: str, port: int, path: str, is_address: bool) -> frozenset[str]:
    """Names of the signs that a canonical URL shows; their weights are in `fitted`."""
    found = set()
    bare = path in ("", "/")
    name = path.partition("?")[0].rstrip("/").rpartition("/")[2]
    if is_address:
        found.add("address")
        if port not in (80, 443, 21, 69):
            found.add("address-odd-port")
    elif port not in (80, 443, 21, 69):
        found.add("odd-port")
    if scheme in ("ftp", "tftp"):
        found.add("ftp")
    if scheme == "http" and not is_address:
        found.add("plain-http")
    if not bare and (_ARCHITECTURE.search(path) or (is_address and _BINARY.search(path))):
        found.add("architecture")
    if _SCRIPT.search(path):
        found.add("program-name")
    if not is_address:
        _of_name(host, path, bare, name, found)
    return frozenset(found)


def _of_name(host: str, path: str, bare: bool, name: str, found: set[str]) -> None:
    labels = host.split(".")
    main = max(labels[:-1], key=len, default="")
    found.add("home-page" if bare else "page")
    if len(labels) >= 4:
        found.add("deep-name")
    if labels[0] == "www":
        found.add("www")
    if host.endswith(_FREE):
        found.add("free-hosting")
    if main.count("-") >= 2:
        found.add("hyphens")
    elif "-" in main:
        found.add("hyphen")
    if sum(character.isdigit() for character in main) >= 3:
        found.add("digits")
    if len(main) >= 18:
        found.add("long-name")
    if labels[-1] in _CHEAP:
        found.add("cheap-domain")
    elif labels[-1] not in _COMMON:
        found.add("other-domain")
    if "xn--" in host:
        found.add("punycode")
    if _LURES.search(host):
        found.add("lure-in-name")
    if not bare and _LURES.search(path):
        found.add("lure-in-path")
    if not bare and (name.endswith((".php", ".html", ".htm")) or "wp-" in path):
        found.add("web-file")
    if path.count("/") >= 4:
        found.add("deep-path")

"""Homes of tools that honest people and attackers share: abuse of the tool is no hosting of malware."""

from __future__ import annotations

_HOMES = (
    "github.com/xmrig/", "github.com/robertdavidgraham/masscan", "github.com/zmap/", "github.com/projectdiscovery/",
    "github.com/nmap/", "github.com/vanhauser-thc/thc-hydra", "github.com/fatedier/frp", "github.com/ginuerzh/gost",
    "github.com/jpillora/chisel", "github.com/shadowsocks/", "github.com/tsl0922/ttyd", "github.com/docker/",
    "github.com/hellcatz/", "github.com/doktor83/", "github.com/trexminer/", "github.com/rplant8/", "get.docker.com/",
    "raw.githubusercontent.com/docker/", "download.docker.com/", "bun.sh/", "sh.rustup.rs/", "deb.nodesource.com/",
    "raw.githubusercontent.com/nvm-sh/", "bootstrap.pypa.io/", "go.dev/dl/", "nodejs.org/dist/", "get.pnpm.io/",
    "install.python-poetry.org/", "raw.githubusercontent.com/ohmyzsh/", "get.acme.sh/", "nmap.org/dist/",
)  # fmt: skip


def is_tool(host: str, path: str) -> bool:
    """Whether a URL lies in a tool's own home (host and path of its canonical form)."""
    return f"{host}{path or '/'}".startswith(_HOMES)

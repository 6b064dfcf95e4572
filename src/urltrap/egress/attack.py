"""A GET that is itself an attack on somebody: recorded by the fetcher, never sent.

Attackers who run on a honeypot also attack onward with ``wget`` and ``curl``. Sending such a request would make us the
attacker's tool, so what has an exploit's shape is withheld. Payload URLs must pass: a rule looks for what
an exploit needs (a command behind a separator, a traversal to a known file, a known vulnerable entry point with its
trigger), never for a word alone.

Sources of the shapes: the published exploits that router and web botnets carry (JAWS /shell, Netgear setup.cgi, GPON,
D-Link HNAP, ThinkPHP, PHPUnit eval-stdin, Log4Shell, Struts OGNL, Spring4Shell, Shellshock, Exchange, Citrix, F5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

_DECODINGS = 3
"""Percent-decodings looked through: servers and frameworks between them rarely undo more than two."""

_DOWNLOADERS = r"wget|curl|tftp|ftpget|ftp|busybox|lwp-download|aria2c|fetch"
_COMMANDS = (
    rf"{_DOWNLOADERS}|chmod|rm|sh|ash|bash|dash|zsh|nc|ncat|netcat|cat|echo|printf|id|whoami|uname|hostname|ping|cd|sleep|"
    r"python[23]?|perl|php|ruby|kill|killall|pkill|telnetd|telnet|mkfifo|nohup|ls|dir|pwd|ps|env|ifconfig|ipconfig|"
    r"nslookup|type|net|cmd(?:\.exe)?|powershell|certutil|reboot|passwd|useradd|base64|touch|mount|cp|mv"
)
_BIN = r"(?:/?(?:usr/)?(?:local/)?s?bin/)?"

_PHP = r"<\?(?:php|=)|php://(?:input|filter)|(?:expect|phar)://"
_JNDI = r"\$\{\s*(?:(?:jndi|lower|upper|env|sys|java|main|ctx|date|base64)\s*[:-]|::-)"
_SHELLSHOCK = r"\(\s*\)\s*\{[^}]{0,80};"
_SUBSTITUTION = r"\$\([^)]{1,400}\)?|`[^`]{2,400}`|\$\{?ifs\b"
_EXPRESSION = (
    r"[%$#*]\{[^}]{0,200}(?:\(|@java|#context|#_memberaccess|getruntime|processbuilder)|\bt\(java\.lang|"
    r"class\.module\.classloader|@java\.lang\.runtime|getruntime\(|_memberaccess|java\.lang\.processbuilder"
)

_RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.DOTALL))
    for name, pattern in (
        (
            "command injection",
            rf"(?:[;|\n]|&&)\s*{_BIN}(?:{_COMMANDS})(?=[\s;|&`'\"<>$)]|%20|\+|$)(?!\s*=)|"
            rf"(?:^|[^&])&\s*{_BIN}(?:{_COMMANDS})\s+[-/.'\"a-z0-9$]|"
            rf"[=(,'\"]\s*(?:{_DOWNLOADERS})\s+(?:-\S+\s+)*(?:https?|ftp|tftp)://|"
            rf"[=(,'\"]\s*(?:{_DOWNLOADERS})\s+(?:-\S+\s+)+\S|"
            r"\|\s*(?:/bin/)?(?:ba|a|da|z)?sh\b|\brm\s+-rf\s|\bcd\s+/(?:tmp|var|dev|mnt)\b|/bin/(?:ba)?sh\s+-c\b|"
            r"\bchmod\s+(?:[+0-7][0-7rwxs]+)\s|\bpowershell(?:\.exe)?\s+-|\bcmd(?:\.exe)?\s*/c\b",
        ),
        ("command substitution", _SUBSTITUTION),
        ("shellshock", _SHELLSHOCK),
        (
            "path traversal",
            r"(?:\.\.[/\\]){3,}|(?:\.\.;/)|(?:\.\.|=|=file:/*)[/\\](?:[^?]*[/\\])?(?:etc[/\\](?:passwd|shadow|hosts|group)\b|"
            r"proc[/\\]self|windows[/\\](?:win\.ini|system32)|boot\.ini|winnt[/\\]|bin[/\\](?:ba)?sh\b|\.ssh[/\\])",
        ),
        (
            "code in the request",
            _PHP + r"|<%[=@!\s]|<script[\s>]|\beval\(|\bassert\(|base64_decode\(|allow_url_include",
        ),
        ("Log4Shell", _JNDI),
        ("expression injection", _EXPRESSION),
        (
            "SQL injection",
            r"\bunion\s+(?:all\s+|distinct\s+)?select\b|'\s*(?:or|and)\s+'?\d+'?\s*=\s*'?\d+|"
            r"\binto\s+(?:out|dump)file\b|\bxp_cmdshell\b|\bwaitfor\s+delay\b|\bbenchmark\s*\(\s*\d|"
            r"\b(?:pg_)?sleep\s*\(\s*\d+\s*\)|\b(?:extractvalue|updatexml)\s*\(|\binformation_schema\b|;\s*drop\s+table\b",
        ),
        (
            "ThinkPHP",
            r"think\\+(?:app|container|request|module|config|view|template)|invokefunction|call_user_func(?:_array)?\b|"
            r"method=__construct",
        ),
        (
            "known vulnerable entry point",
            r"^/shell\?.*(?:\s|\+|;|/)|/setup\.cgi\?.*(?:todo=|next_file=)|/gponform\b|^/hnap1\b|"
            r"/tmunblock\.cgi|/hndunblock\.cgi|/board\.cgi\?cmd|/login\.cgi\?cli=|/(?:ping|diag|apply|sysinfo)\.cgi\?.*[;|`$]|"
            r"/boaform/|/goform/|/ctrlt/deviceupgrade|/wanipcn\.xml|/picsdesc\.xml|/device\.rsp\?opt=|"
            r"/nas_sharing\.cgi|/system\.ini\?loginuse|/get_status\.cgi\?loginuse|/cgi-bin/luci/;stok|"
            r"/cgi-bin/(?:.*/)?(?:\.|%2e){2}/|/language/swedish|"
            r"/eval-stdin\.php|/_ignition/execute-solution|/wls-wsat/|/_async/asyncresponse|/actuator/(?:gateway|env|heapdump)|"
            r"/mgmt/tm/util/bash|/api/jsonws/invoke|/solr/.*(?:stream\.body|dataimport|velocity)|/remote/fgt_lang\?|"
            r"/autodiscover\.json\?.*@|/ecp/.*\.js\?|/dana-na/.*\.\./|/vpns?/.*\.\./|/manager/(?:html|text)/|"
            r"/wp-admin/admin-ajax\.php\?.*(?:revslider|img=\.\.)|/jmx-console/|/invoker/jmxinvoker|/druid/indexer|"
            r"/ws_utc/|/console/(?:css|images)/(?:\.|%252e)|/containers/create|/\.env$|/\.git/(?:config|head)$|/\.aws/credentials",
        ),
    )
)

_SCRIPT = re.compile(r"\.(?:php[0-9]?|phtml|jspx?|aspx?|ashx|cfm|cgi|pl)(?:/[^?]*)?$")
_SHELL_FILE = re.compile(
    r"/(?:c99|c100|r57|wso[0-9.]*|b374k|alfa(?:shell|_data)?|web-?shell|shell[0-9]*|cmd|antichat|china|tiny|"
    r"backdoor|simple-backdoor|p0wny|behinder|godzilla|weevely)\.(?:php[0-9]?|phtml|jspx?|aspx?|ashx|cfm)$"
)
_SHELL_PARAMETERS = frozenset(
    [
        "cmd",
        "command",
        "exec",
        "execute",
        "shell",
        "system",
        "passthru",
        "eval",
        "popen",
        "shell_exec",
        "cmdline",
        "pcmd",
    ]
)
_KIT_VERB = re.compile(
    r"_?[a-z]+(?:[-_][a-z]+)+|_?(?:login|submit|signin|download|view|show|start|open|get|home)"
)
"""What phishing kits and shops put behind ``cmd=`` (``login_submit``, ``_xclick``): a page's name, not a command."""
_COMMAND_VALUE = re.compile(
    rf"\s*{_BIN}(?:id|whoami|uname|pwd|ls|ps|w|ifconfig|ipconfig|hostname)(?:\s+-?[a-z/.]+)*\s*|"
    rf"\s*{_BIN}(?:{_COMMANDS})\s+\S.*|\s*/(?:usr/)?s?bin/\S.*|.*\b(?:system|exec|passthru|phpinfo|eval|popen)\s*\(.*",
    re.DOTALL,
)

_HEADER_RULES = tuple(
    (name, re.compile(pattern, re.DOTALL))
    for name, pattern in (
        ("shellshock", _SHELLSHOCK),
        ("Log4Shell", _JNDI),
        ("code in the request", _PHP),
        ("expression injection", _EXPRESSION),
        ("command substitution", _SUBSTITUTION),
    )
)

_OTHER_TCP = frozenset(
    {
        *(
            7,
            9,
            13,
            17,
            19,
            20,
            21,
            22,
            23,
            25,
            37,
            42,
            43,
            53,
            79,
            110,
            111,
            113,
            119,
            123,
            135,
            137,
            138,
            139,
            143,
        ),
        *(161, 179, 445, 465, 512, 513, 514, 515, 993, 995),
    }
)
_OTHER_UDP = frozenset((1900, 3702, 5060, 5353, 11211))


def other_service(scheme: str, port: int) -> str | None:
    """Why a request with `scheme` to `port` would only disturb a service of another kind, or None.

    Mail, log-in and name servers are not asked in HTTP or FTP: no payload comes of it, and an attacker could scan with
    us. UDP services that answer strangers with more than they were sent get no TFTP request. What web servers are found
    on in practice (81, 389, 587 …) passes.
    """
    if scheme == "tftp":
        taken = port in _OTHER_UDP or (port < 1024 and port != 69)
    else:
        taken = port in _OTHER_TCP and not (scheme in ("ftp", "ftps") and port == 21)
    return f"port {port} belongs to another service than {scheme}" if taken else None


def attack_shape(path: str, *, headers: Iterable[tuple[bytes, bytes]] = ()) -> str | None:
    """The name of the attack whose shape the request has, or None where it looks like a download.

    `path` is the request's target: path and query, percent-encoded or not, as it would be sent. `headers` are those
    that would be sent besides (a User-Agent can carry an exploit too).
    """
    views = _views(path)
    for name, rule in _RULES:
        if any(rule.search(view) for view in views):
            return name
    if _calls_web_shell(path):
        return "web shell"
    for _, value in headers:
        text = value.decode("utf-8", "replace").lower()
        for name, rule in _HEADER_RULES:
            if rule.search(text):
                return f"{name} in a header"
    return None


def _decode(text: str) -> str:
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")


def _views(path: str) -> list[str]:
    """The text as the server, a framework and a second framework would read it, lower case, comments as blanks."""
    views: list[str] = []
    text = path
    for _ in range(_DECODINGS):
        target, mark, query = text.partition("?")
        # A plus is a blank only in the query, and only as it was sent.
        view = target + mark + query.replace("+", " ")
        view = view.lower().replace("/**/", " ").replace("\x00", "")
        if view not in views:
            views.append(view)
        decoded = _decode(text)
        if decoded == text:
            break
        text = decoded
    return views


def _calls_web_shell(path: str) -> bool:
    target, mark, query = path.partition("?")
    target = _decode(target).lower()
    if not mark or not query:
        return False
    if _SHELL_FILE.search(target):
        return True
    if not _SCRIPT.search(target):
        return False
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        name = _decode(name).lower().removesuffix("[]")
        value = _decode(value.replace("+", " ")).lower()
        if not value.strip():
            continue
        if name in _SHELL_PARAMETERS and not _KIT_VERB.fullmatch(value):
            return True
        if len(name) <= 5 and _COMMAND_VALUE.fullmatch(value):
            return True
    return False

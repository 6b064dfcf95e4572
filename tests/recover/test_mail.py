"""Mails as input: their parts are decoded, what can be clicked is told from what is only shown."""

from __future__ import annotations

import base64
from email.message import EmailMessage

import pytest

from urltrap import recover
from urltrap.recover import Context

HTML = """<html><head><base href="http://evil.cc/in/"><meta http-equiv="refresh" content="0; url='http://meta.cc/m'"></head>
<body><!-- http://comment.cc/ --><a href="http://click.cc/a?x=1&amp;y=2">here</a> <a href='rel.php'>there</a>
<form action=http://form.cc/login><input></form><img src="http://pixel.cc/p.gif">
<a href="https://go.cc/r?to=http%3A%2F%2Ftarget.cc%2Fpage&amp;k=1">redirected</a><a href="mailto:a@b.cc">mail</a>
also hxxp://defanged[.]cc/d</body></html>"""


def mail(plain: str = "", html: str = "", **options: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@sender.cc", "b@victim.cc", "hello"
    message["Message-ID"] = "<1@sender.cc>"
    message.set_content(plain, **options)
    if html:
        message.add_alternative(html, subtype="html", **options)
    return message.as_bytes()


def sure(text: bytes, context: Context | None = None) -> set[str]:
    return {item.url for item in recover.urls(text, context) if item.confidence >= 60}


@pytest.mark.parametrize("cte", ["7bit", "quoted-printable", "base64"])
def test_the_urls_of_a_mail_come_out_of_every_encoding(cte: str) -> None:
    data = mail(
        "Pay at http://plain.cc/invoice?id=1&long=" + "x" * 200, HTML, cte=cte if cte != "7bit" else "8bit"
    )
    found = sure(data)
    assert "http://plain.cc/invoice?id=1&long=" + "x" * 200 in found
    assert {"http://click.cc/a?x=1&y=2", "http://evil.cc/in/rel.php", "http://form.cc/login", "http://meta.cc/m",
            "http://target.cc/page", "http://defanged.cc/d"} <= found  # fmt: skip


def test_what_a_mail_only_shows_is_no_sure_find_and_comments_are_none() -> None:
    items = {item.url: item.confidence for item in recover.urls(mail("x", HTML))}
    assert items["http://pixel.cc/p.gif"] < 60
    assert not any("comment.cc" in url for url in items)


def test_a_mail_is_known_by_its_headers_whatever_it_is_read_as() -> None:
    data = mail("http://plain.cc/a")
    assert sure(data) == sure(data, Context(language="text")) == {"http://plain.cc/a"}


def test_a_mail_inside_a_mail_and_a_foreign_character_set_are_read() -> None:
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"] = "a@b.cc", "c@d.cc", "forwarded"
    inner = EmailMessage()
    inner["From"], inner["To"], inner["Subject"] = "e@f.cc", "g@h.cc", "first"
    inner.set_content("see http://inner.cc/ä", charset="latin-1")
    outer.set_content("look")
    outer.add_attachment(inner)
    assert "http://inner.cc/%C3%A4" in sure(outer.as_bytes())


def test_a_page_that_is_attached_is_read_and_other_attachments_are_not() -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@b.cc", "c@d.cc", "x"
    message.set_content("open it")
    message.add_attachment(b"<html><a href=http://page.cc/x>", maintype="application", subtype="octet-stream")
    message.add_attachment(b"http://noise.cc/y", maintype="application", subtype="pdf")
    assert sure(message.as_bytes()) == {"http://page.cc/x"}


@pytest.mark.parametrize(
    "text",
    [
        b"From: a\nTo: b\nSubject: c\nContent-Type: text/html; charset=nonsense\n\n<a href=http://a.cc/x>",
        b"From: a\nTo: b\nSubject: c\nContent-Transfer-Encoding: base64\n\n" + base64.b64encode(b"http://a.cc/") + b"!",
        b"From: a\nTo: b\nSubject: c\nContent-Type: multipart/mixed\n\nhttp://a.cc/x",
    ],
)  # fmt: skip
def test_damaged_mails_are_read_as_far_as_they_go(text: bytes) -> None:
    assert isinstance(recover.urls(text), list)


def test_a_shell_text_with_colons_is_no_mail() -> None:
    assert sure(b"PATH: x\nwget http://1.2.3.9/a") == {"http://1.2.3.9/a"}


@pytest.mark.shared_data
def test_real_mails_give_what_can_be_clicked(shared_data) -> None:  # type: ignore[no-untyped-def]
    import json

    from urltrap.model.url import UrlError, canonical

    wanted = missed = 0
    for line in (shared_data / "eml_index.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        found = sure((shared_data / row["file"]).read_bytes())
        for url in row["clickable_urls"]:
            try:
                wanted, missed = wanted + 1, missed + (canonical(url) not in found)
            except UrlError:
                continue
    assert wanted > 100
    assert missed <= 0.02 * wanted

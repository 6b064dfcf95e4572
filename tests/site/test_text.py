from __future__ import annotations

import pytest

from urltrap.site.text import Span, marked, plain, visible


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"plain", "plain"),
        (b"\x1b[31m", r"\x1b[31m"),
        (b"a\nb\tc\r", r"a\nb\tc\r"),
        ("\u202etxt".encode(), r"\u202etxt"),
        ("a\u00a0b\u00adc".encode(), r"a\xa0b\xadc"),
        ("\u3164\u115f\u2800".encode(), r"\u3164\u115f\u2800"),
        ("\U000e0041".encode(), r"\U000e0041"),
        (b"\xc3\x28\xff", r"\xc3(\xff"),
        ("Grüße 你好 مرحبا".encode(), "Grüße 你好 مرحبا"),
        (b"back\\slash", "back\\slash"),
        ("e\u0301e\u0301\u0301\u0301\u0301".encode(), "e\u0301e\u0301\u0301\\u0301\\u0301"),
    ],
)
def test_what_cannot_be_seen_is_shown_as_an_escape(value: bytes, shown: str) -> None:
    assert plain(value) == shown


def test_markup_is_escaped_and_escapes_are_told_from_typed_ones() -> None:
    assert visible(b"<b>\x1b") == '<bdi dir="ltr">&lt;b&gt;<span class="esc">\\x1b</span></bdi>'
    assert visible(b"\\x1b") == '<bdi dir="ltr">\\x1b</bdi>'


def test_blocks_keep_their_lines() -> None:
    assert "a\n\tb" in visible(b"a\n\tb\r", lines=True)


def test_long_text_is_cut_and_the_rest_counted_but_a_few_characters_more_are_shown() -> None:
    assert "… 900 more" in visible(b"x" * 1000, 100)
    assert "more" not in visible(b"x" * 120, 100)
    assert plain(b"x" * 101, 100) == "x" * 100 + "…"


def test_spans_are_marked_and_linked() -> None:
    html = marked(b"wget http://a/ && x", [Span(5, 14, "/urls/1")])
    assert html == '<bdi dir="ltr">wget <mark><a href="/urls/1">http://a/</a></mark> &amp;&amp; x</bdi>'


def test_overlapping_and_impossible_spans_are_left_out() -> None:
    html = marked(b"0123456789", [Span(2, 5), Span(4, 8), Span(-1, 3), Span(9, 99), Span(6, 6)])
    assert html.count("<mark>") == 1 and "<mark>234</mark>" in html


def test_a_far_span_is_shown_with_its_surroundings() -> None:
    text = b"a" * 50_000 + b"http://far.example/" + b"b" * 50_000
    html = marked(text, [Span(50_000, 50_019)], 1000)
    assert "<mark>http://far.example/</mark>" in html
    assert html.count("more") >= 2 and len(html) < 2000


def test_a_span_may_begin_inside_a_character_of_several_bytes() -> None:
    assert "<mark>" in marked("ü".encode(), [Span(1, 2)])

"""ZAP's report, read: what is none is refused in words, and texts move nobody's cursor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.security.zaproxy.report import check_url, parse_report, plain


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "no whole JSON"),
        (b"\xff\xfe", "no whole JSON"),
        (b"[" * 200_000, "no whole JSON"),
        (b"[]", "no report"),
        (b'{"site": []}', "no report"),
        (b'{"@version": "2", "site": 3}', "no report"),
        (b"<html></html>", "no whole JSON"),
    ],
)
def test_what_is_no_report_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_report(data)


@given(st.text(max_size=200))
def test_plain_text_moves_no_cursor(text: str) -> None:
    assert not any(ord(char) < 32 and char != "\n" for char in plain(f"<p>{text}"))


@pytest.mark.parametrize("url", ["http://web/", "https://web:8443/a?b=c", "http://[::1]:8080/", "http://10.0.0.1"])
def test_a_url_of_a_service(url: str) -> None:
    assert check_url(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "web",
        "ftp://web/",
        "http://",
        "http://a b/",
        "http://x/\n",
        "http://u:p@x/",
        "http://x:99999/",
        "http://x:0/",
        "http://ü/",
    ],
)
def test_no_url_of_a_service(url: str) -> None:
    assert check_url(url)

"""SPDY/3.1: frames survive any cutting of the bytes, and no bytes do harm."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.localcluster.apiserver.http.streaming import spdy
from aegis.localcluster.apiserver.http.streaming.spdy import Data, Opened, Ping, ProtocolError, Reader, Reset, Writer

names = st.text(st.characters(codec="ascii", min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
headers = st.dictionaries(names.map(str.lower), st.text(max_size=20), max_size=5)


def test_the_dictionary_is_that_of_the_specification() -> None:
    assert (len(spdy.DICTIONARY), zlib.adler32(spdy.DICTIONARY)) == (1423, 0xE3C6A7C2)


@given(st.lists(headers, max_size=4), st.binary(max_size=200), st.lists(st.integers(1, 40), min_size=1))
def test_frames_survive_any_cutting(blocks: list[dict[str, str]], payload: bytes, cuts: list[int]) -> None:
    writer, reader = Writer(), Reader()
    sent = b"".join(writer.open(2 * n + 1, block, fin=not n % 2) for n, block in enumerate(blocks))
    sent += spdy.data(1, payload, fin=True) + spdy.pong(7) + spdy.reset(3) + spdy.go_away(1)
    found: list[spdy.Frame] = []
    at = 0
    while at < len(sent):
        step = cuts[at % len(cuts)]
        found += reader.feed(sent[at : at + step])
        at += step
    opened = [Opened(stream=2 * n + 1, headers=block, fin=not n % 2) for n, block in enumerate(blocks)]
    assert found == [
        *opened,
        Data(stream=1, data=payload, fin=True),
        Ping(number=7),
        Reset(stream=3),
        spdy.GoAway(),
    ]


@given(st.binary(max_size=300))
def test_no_bytes_are_a_surprise(noise: bytes) -> None:
    reader = Reader()
    try:
        frames = list(reader.feed(noise))
    except ProtocolError:
        return
    assert all(isinstance(frame, spdy.Frame) for frame in frames)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"\x80\x02\x00\x01\x00\x00\x00\x00", "another version"),
        (b"\x00\x00\x00\x01\x00\xff\xff\xff", "a frame of"),
        (b"\x80\x03\x00\x01\x00\x00\x00\x02ab", "malformed"),
        (b"\x80\x03\x00\x01\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00zz", "malformed"),
    ],
)
def test_what_is_not_spdy_is_refused(sent: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        list(Reader().feed(sent))


def test_headers_that_inflate_beyond_all_bounds_are_refused() -> None:
    bomb = Writer().open(1, {"a": "x" * 1_000_000})
    with pytest.raises(ProtocolError, match="beyond all bounds"):
        list(Reader().feed(bomb))

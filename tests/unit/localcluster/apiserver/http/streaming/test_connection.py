"""A SPDY connection answers what opens, and bounds what a client may pile up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from aegis.localcluster.apiserver.http.streaming import spdy
from aegis.localcluster.apiserver.http.streaming.carrier import Gone
from aegis.localcluster.apiserver.http.streaming.connection import Connection, Stream


class Wire:
    """A carrier whose other end is the test."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces, self.sent, self.lost = pieces, b"", False

    async def pieces(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self.lost:
            raise Gone

    async def send(self, payload: bytes) -> None:
        self.sent += payload


async def test_a_stream_is_accepted_and_read_to_its_end() -> None:
    client = spdy.Writer()
    wire = Wire(client.open(1, {"streamType": "stdin"}), spdy.data(1, b"one "), spdy.data(1, b"two", fin=True))
    opened: list[Stream] = []
    await Connection(wire, opened.append).run()
    (stream,) = opened
    assert stream.headers == {"streamtype": "stdin"}
    assert b"".join([piece async for piece in stream.pieces()]) == b"one two"
    assert wire.sent.startswith(b"\x80\x03\x00\x02"), "a SYN_REPLY"


@pytest.mark.parametrize("lost", [False, True])
async def test_an_end_in_the_middle_ends_every_stream(lost: bool) -> None:
    client = spdy.Writer()
    wire = Wire(client.open(1, {}), client.open(3, {}), spdy.data(3, b"half"))
    wire.lost = lost
    opened: list[Stream] = []
    await Connection(wire, opened.append).run()
    async with asyncio.timeout(5):
        assert [[piece async for piece in stream.pieces()] for stream in opened] == [[], [b"half"]]


async def test_noise_ends_the_connection() -> None:
    await Connection(Wire(b"GET / HTTP/1.1\r\n\r\n" * 9, b"more"), lambda _: None).run()


async def test_a_ping_is_sent_back() -> None:
    wire = Wire(spdy.pong(9))
    await Connection(wire, lambda _: None).run()
    assert wire.sent == spdy.pong(9)


async def test_streams_beyond_the_bound_and_numbers_used_before_are_reset() -> None:
    client = spdy.Writer()
    numbers = [*range(1, 600, 2), 5]
    wire = Wire(*(client.open(number, {}) for number in numbers))
    opened: list[Stream] = []
    await Connection(wire, opened.append).run()
    assert len(opened) == 256
    answers = list(spdy.Reader().feed(wire.sent.partition(spdy.reset(513))[1]))
    assert answers == [spdy.Reset(stream=513)]
    assert wire.sent.endswith(spdy.reset(5))


async def test_what_is_sent_goes_in_bounded_frames_and_ends_once() -> None:
    wire = Wire(spdy.Writer().open(1, {}))
    opened: list[Stream] = []
    await Connection(wire, opened.append).run()
    wire.sent = b""
    await opened[0].send(b"x" * (spdy.DATA_MAX + 1))
    await opened[0].finish()
    await opened[0].finish()
    frames = list(spdy.Reader().feed(wire.sent))
    assert [len(frame.data) for frame in frames if isinstance(frame, spdy.Data)] == [spdy.DATA_MAX, 1, 0]

"""SPDY/3.1 frames: what kubectl's exec, attach and port-forward speak after an upgrade. Pure.

```
frame   = control | data
control = 1 version(15 bits) type(16) flags(8) length(24) payload
data    = 0 stream(31 bits) flags(8) length(24) payload
```
Header blocks are one zlib stream a direction, primed with the specification's dictionary. There is no flow control:
the library at the other end (moby/spdystream) has none.
Source: the SPDY Protocol draft 3.1, sections 2.2, 2.6 and 2.6.10.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

FIN = 0x01
DATA_MAX = 32 * 1024
"""Bytes of one data frame that is sent."""

_VERSION = 3
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_HEADER = struct.Struct(">II")
_CONTROL, _LENGTH, _STREAM = 0x80000000, 0xFFFFFF, 0x7FFFFFFF
_FRAME_MAX = 1 << 20
_HEADERS_MAX = 64 * 1024
_PRIORITY_BYTES = 6

_NAMES = (
    "options,head,post,put,delete,trace,accept,accept-charset,accept-encoding,accept-language,accept-ranges,age,allow,"
    "authorization,cache-control,connection,content-base,content-encoding,content-language,content-length,"
    "content-location,content-md5,content-range,content-type,date,etag,expect,expires,from,host,if-match,"
    "if-modified-since,if-none-match,if-range,if-unmodified-since,last-modified,location,max-forwards,pragma,"
    "proxy-authenticate,proxy-authorization,range,referer,retry-after,server,te,trailer,transfer-encoding,upgrade,"
    "user-agent,vary,via,warning,www-authenticate,method,get,status,200 OK,version,HTTP/1.1,url,public,set-cookie,"
    "keep-alive,origin"
)
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack(">I", len(name)) + name.encode() for name in _NAMES.split(",")) + _REST.encode()


class ProtocolError(Exception):
    """What came is not SPDY/3.1, or beyond all bounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The other end opened a stream."""

    stream: int
    headers: Mapping[str, str]
    fin: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Bytes of a stream; with `fin` the last ones."""

    stream: int
    data: bytes
    fin: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """The other end gave a stream up."""

    stream: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """To be sent back as it is."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GoAway:
    """The other end opens no more streams."""


Frame = Opened | Data | Reset | Ping | GoAway


class Reader:
    """From the bytes of a connection, in pieces of any size, to frames."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now; such as mean nothing here are left out.

        Raises:
            ProtocolError: this is no SPDY/3.1.
        """
        self._rest += data
        while len(self._rest) >= _HEADER.size:
            first, second = _HEADER.unpack_from(self._rest)
            length = second & _LENGTH
            if length > _FRAME_MAX:
                raise ProtocolError(f"a frame of {length} bytes")
            end = _HEADER.size + length
            if len(self._rest) < end:
                return
            payload = bytes(self._rest[_HEADER.size : end])
            del self._rest[:end]
            flags = second >> 24
            if first & _CONTROL:
                frame = self._control(first, flags, payload)
            else:
                frame = Data(stream=first & _STREAM, data=payload, fin=bool(flags & FIN))
            if frame is not None:
                yield frame

    def _control(self, first: int, flags: int, payload: bytes) -> Frame | None:
        if first >> 16 & 0x7FFF != _VERSION:
            raise ProtocolError("another version of SPDY")
        kind = first & 0xFFFF
        try:
            match kind:
                case 1:  # SYN_STREAM
                    stream = struct.unpack_from(">I", payload)[0] & _STREAM
                    headers = self._headers(payload[4 + _PRIORITY_BYTES :])
                    return Opened(stream=stream, headers=headers, fin=bool(flags & FIN))
                case 3:  # RST_STREAM
                    return Reset(stream=struct.unpack_from(">I", payload)[0] & _STREAM)
                case 6:  # PING
                    return Ping(number=struct.unpack_from(">I", payload)[0])
                case 7:  # GOAWAY
                    return GoAway()
                case 8:  # HEADERS
                    # Headers after the first ones mean nothing here, but belong to the one compressed stream.
                    self._headers(payload[4:])
                case _:
                    return None
        except (struct.error, zlib.error, UnicodeDecodeError) as error:
            raise ProtocolError(f"a malformed frame of type {kind}: {error}") from None
        return None

    def _headers(self, block: bytes) -> dict[str, str]:
        raw = self._inflate.decompress(block, _HEADERS_MAX)
        if self._inflate.unconsumed_tail:
            raise ProtocolError("headers beyond all bounds")
        (count,), at = struct.unpack_from(">I", raw), 4
        headers: dict[str, str] = {}
        for _ in range(count):
            name, at = _text(raw, at)
            value, at = _text(raw, at)
            headers[name.lower()] = value
        return headers


class Writer:
    """From frames to bytes; header blocks must be sent in the order in which they were made."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def reply(self, stream: int) -> bytes:
        """Accept a stream of the other end."""
        block = self._block({})
        return _control_frame(_SYN_REPLY, 0, struct.pack(">I", stream) + block)

    def open(self, stream: int, headers: Mapping[str, str], *, fin: bool = False) -> bytes:
        """Open a stream of one's own."""
        payload = struct.pack(">IIH", stream, 0, 0) + self._block(headers)
        return _control_frame(_SYN_STREAM, FIN if fin else 0, payload)

    def _block(self, headers: Mapping[str, str]) -> bytes:
        raw = struct.pack(">I", len(headers))
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                raw += struct.pack(">I", len(text)) + text
        return self._deflate.compress(raw) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def data(stream: int, payload: bytes, *, fin: bool = False) -> bytes:
    """Bytes of a stream (at most `DATA_MAX`)."""
    return _HEADER.pack(stream, (FIN if fin else 0) << 24 | len(payload)) + payload


def pong(number: int) -> bytes:
    """The answer to a ping."""
    return _control_frame(_PING, 0, struct.pack(">I", number))


def reset(stream: int) -> bytes:
    """Give a stream up (status CANCEL)."""
    return _control_frame(_RST_STREAM, 0, struct.pack(">II", stream, 5))


def go_away(last: int) -> bytes:
    """No more streams are taken after this one."""
    return _control_frame(_GOAWAY, 0, struct.pack(">II", last, 0))


def _control_frame(kind: int, flags: int, payload: bytes) -> bytes:
    return _HEADER.pack(_CONTROL | _VERSION << 16 | kind, flags << 24 | len(payload)) + payload


def _text(raw: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">I", raw, at)
    end = at + 4 + length
    if end > len(raw):
        raise ProtocolError("headers that end in the middle")
    return raw[at + 4 : end].decode(), end

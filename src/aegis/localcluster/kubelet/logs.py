"""Container output on disk: one file a run in the CRI's format, rotated by size, read whole or followed.

A line of a file is `TIME STREAM F|P TEXT`; P marks a part of a longer line (containerd splits at 16 KiB).
Source: the Kubernetes design document "CRI: Log Management for Container stdout/stderr streams".
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from aegis.localcluster.api import LogRequest

SEGMENT_MAX = 10 * 1024 * 1024
LINE_MAX = 16 * 1024
_READ = 65_536
_SEGMENTS = 2
_FIRST_TURN = 256
_TAP_PIECES = 256


class LogFile:
    """The output of one run of a container, being written or complete.

    Attributes:
        changed: set at the next change, and then replaced by another.
        written: set when the output is complete.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments = 0
        self._size = 0
        self._out: IO[bytes] | None = None
        self._open_pipes = 0
        self._taps: list[Tap] = []
        self.changed = asyncio.Event()
        self.written = asyncio.Event()
        folder.mkdir(parents=True, exist_ok=True)
        self._next_segment()

    def capture(self, stream: str) -> int:
        """The write end of a pipe whose lines are kept under this stream's name; the caller's to close."""
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        self.record(read_end, stream)
        return write_end

    def record(self, fd: int, stream: str) -> None:
        """Keep what comes from a descriptor, and close it at its end."""
        os.set_blocking(fd, False)
        self._open_pipes += 1
        loop = asyncio.get_running_loop()
        loop.add_reader(fd, self._pump, _Pipe(fd=fd, stream=stream.encode()), loop)

    def tap(self, stream: str) -> Tap:
        """What comes on a stream from now on, as it comes; to be given back with `untap`."""
        tap = Tap(stream.encode())
        if self.complete:
            tap.put(b"")
        self._taps.append(tap)
        return tap

    def untap(self, tap: Tap) -> None:
        """Nobody reads a tap any more."""
        self._taps.remove(tap)

    @property
    def complete(self) -> bool:
        """Whether nothing will be added any more."""
        return self._open_pipes == 0

    @property
    def first(self) -> int:
        """The number of the oldest segment that is still there."""
        return max(1, self._segments - _SEGMENTS + 1)

    @property
    def newest(self) -> int:
        """The number of the segment that is written to."""
        return self._segments

    def segment(self, number: int) -> Path:
        """Where a segment lies."""
        return self._folder / f"{number}.log"

    def close(self) -> None:
        """Stop writing, for good."""
        if self._out is not None:
            self._out.close()
            self._out = None
        for tap in self._taps:
            tap.put(b"")
        self.written.set()
        self._tell()

    def _pump(self, pipe: _Pipe, loop: asyncio.AbstractEventLoop) -> None:
        try:
            data = os.read(pipe.fd, _READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._write(pipe.lines(data))
        for tap in self._taps:
            if tap.stream == pipe.stream:
                tap.put(data)
        if not data:
            loop.remove_reader(pipe.fd)
            os.close(pipe.fd)
            self._open_pipes -= 1
            if self.complete:
                self.close()

    def _write(self, lines: Iterator[bytes]) -> None:
        if self._out is None:
            deque(lines, maxlen=0)
            return
        for line in lines:
            if self._size + len(line) > SEGMENT_MAX:
                self._next_segment()
            self._out.write(line)
            self._size += len(line)
        self._out.flush()
        self._tell()

    def _next_segment(self) -> None:
        if self._out is not None:
            self._out.close()
        self._segments += 1
        self._size = 0
        self._out = self.segment(self._segments).open("wb")
        self.segment(self._segments - _SEGMENTS).unlink(missing_ok=True)

    def _tell(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Tap:
    """The raw bytes of a stream for one reader; who falls too far behind is cut off, since a container waits for none."""

    def __init__(self, stream: bytes) -> None:
        self.stream = stream
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self._over = False

    def put(self, data: bytes) -> None:
        """Add a piece; an empty one is the end."""
        if not self._over:
            self._over = not data or self._pieces.qsize() >= _TAP_PIECES
            self._pieces.put_nowait(b"" if self._over else data)

    async def pieces(self) -> AsyncIterator[bytes]:
        """What comes, until the stream's end."""
        while data := await self._pieces.get():
            yield data


@dataclass(slots=True, kw_only=True)
class _Pipe:
    fd: int
    stream: bytes
    rest: bytes = b""
    last: int = field(default=0)

    def lines(self, data: bytes) -> Iterator[bytes]:
        """Whole lines of the file for what was read; at the end of the pipe what was left of a line too."""
        *whole, self.rest = (self.rest + data).split(b"\n")
        for line in whole:
            yield from self._split(line)
        if len(self.rest) >= LINE_MAX:
            cut = len(self.rest) // LINE_MAX * LINE_MAX
            for start in range(0, cut, LINE_MAX):
                yield self._record(b"P", self.rest[start : start + LINE_MAX])
            self.rest = self.rest[cut:]
        if not data and self.rest:
            yield self._record(b"P", self.rest)
            self.rest = b""

    def _split(self, line: bytes) -> Iterator[bytes]:
        while len(line) > LINE_MAX:
            yield self._record(b"P", line[:LINE_MAX])
            line = line[LINE_MAX:]
        yield self._record(b"F", line)

    def _record(self, mark: bytes, text: bytes) -> bytes:
        self.last = max(time.time_ns(), self.last + 1)
        seconds, nanoseconds = divmod(self.last, 1_000_000_000)
        moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return b" ".join((f"{moment}.{nanoseconds:09d}Z".encode(), self.stream, mark, text)) + b"\n"


class LogStore:
    """Every container's output: of its present run, and of the one before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: dict[tuple[str, str], deque[LogFile]] = {}

    def open(self, pod_uid: str, container: str, run: int) -> LogFile:
        """The file for a new run; only the run before is kept beside it."""
        runs = self._runs.setdefault((pod_uid, container), deque())
        log = LogFile(self._folder / pod_uid / container / str(run))
        runs.append(log)
        if len(runs) > 2:  # noqa: PLR2004 - this run and the one before
            runs.popleft().close()
            with contextlib.suppress(OSError):
                shutil.rmtree(self._folder / pod_uid / container / str(run - 2))
        return log

    def find(self, pod_uid: str, container: str, *, previous: bool) -> LogFile | None:
        """The newest run's output, or that of the one before."""
        runs = self._runs.get((pod_uid, container), deque())
        if previous:
            return runs[-2] if len(runs) > 1 else None
        return runs[-1] if runs else None

    def tail(self, pod_uid: str, container: str, size: int, lines: int) -> str:
        """The last lines of the newest run, for a termination message."""
        log = self.find(pod_uid, container, previous=False)
        if log is None:
            return ""
        kept = deque((text for _, text in _records(log, log.first)), maxlen=lines)
        return b"".join(kept)[-size:].decode("utf-8", "replace")

    def forget(self, pod_uid: str) -> None:
        """Drop all output of a pod."""
        for key in [key for key in self._runs if key[0] == pod_uid]:
            for log in self._runs.pop(key):
                log.close()
        shutil.rmtree(self._folder / pod_uid, ignore_errors=True)


async def read(log: LogFile, request: LogRequest) -> AsyncIterator[bytes]:
    """What a request asks of one run's output: pieces that together are its lines."""
    left, begins = request.limit_bytes, True
    async for stamp, text in _wanted(log, request):
        line = stamp + b" " + text if request.timestamps and begins else text
        begins = text.endswith(b"\n")
        if left is not None:
            line = line[:left]
            left -= len(line)
        yield line
        if left is not None and left <= 0:
            return


async def _wanted(log: LogFile, request: LogRequest) -> AsyncIterator[tuple[bytes, bytes]]:
    since = b"" if request.since is None else _stamp(request.since)
    place = _Place(segment=log.first)
    start = [record for record in _records_from(log, place) if record[0] >= since]
    if request.tail_lines is not None:
        start = start[-request.tail_lines :] if request.tail_lines else []
    for number, record in enumerate(start):
        if number % _FIRST_TURN == _FIRST_TURN - 1:
            await asyncio.sleep(0)
        yield record
    while request.follow:
        changed, complete = log.changed, log.complete
        for record in _records_from(log, place):
            yield record
        if complete:
            return
        await changed.wait()


@dataclass(slots=True, kw_only=True)
class _Place:
    segment: int
    offset: int = 0


def _records(log: LogFile, segment: int) -> Iterator[tuple[bytes, bytes]]:
    return _records_from(log, _Place(segment=segment))


def _records_from(log: LogFile, place: _Place) -> Iterator[tuple[bytes, bytes]]:
    """Records after a place, which moves along; a line in parts counts as several until its last part is there."""
    place.offset = 0 if place.segment < log.first else place.offset
    place.segment = max(place.segment, log.first)
    while True:
        with contextlib.suppress(FileNotFoundError):
            yield from _segment(log.segment(place.segment), place)
        if place.segment >= log.newest:
            return
        place.segment, place.offset = place.segment + 1, 0


def _segment(path: Path, place: _Place) -> Iterator[tuple[bytes, bytes]]:
    with path.open("rb") as file:
        file.seek(place.offset)
        for line in file:
            place.offset += len(line)
            stamp, _, mark, text = line.split(b" ", 3)
            yield stamp, text if mark == b"F" else text.rstrip(b"\n")


def _stamp(moment: float) -> bytes:
    whole = datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{round(moment % 1 * 1e9):09d}Z".encode()

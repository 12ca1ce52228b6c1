"""Alerts of a file or of stdin, and of the pods of Falco: as sources that are asked like any other."""

from __future__ import annotations

import asyncio
import os
import stat
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

from aegis.errors import Unavailable, UsageError
from aegis.evidence.falco import AlertLog, FalcoPlace, Seen, Sentry, find_falco
from aegis.falco.alert import LONGEST_LINE, Alert
from aegis.falco.lines import alerts_in
from aegis.falco.query import AlertQuery
from aegis.ports import AlertBatch, ClusterReader

_AT_ONCE: Final = 8
_USUAL: Final = timedelta(hours=24)


class FileAlerts:
    """The alerts of a file, in its order; other lines are passed over.

    Args:
        file: its path, or an open stream that is read to its end once.
    """

    name = "file"

    def __init__(self, file: Path | BinaryIO) -> None:
        self._file = file
        self._read_to = (0, 0)

    async def read(self, query: AlertQuery, limit: int) -> AlertBatch:
        """The last alerts of the file that are asked for; asked again, what was written since (a line may come twice).

        Raises:
            UsageError: if it cannot be read.
        """
        kept: deque[Alert] = deque(maxlen=limit)
        try:
            if isinstance(self._file, Path):
                with self._file.open("rb", buffering=0) as file:
                    self._read_to = _begin(file, self._read_to)
                    count = _fill(kept, file, query)
            else:
                count = _fill(kept, self._file, query)
        except OSError as error:
            raise UsageError(f"cannot read {self._file}: {error.strerror}") from error
        notes = (f"only the newest {limit} of {count} are shown",) if count > limit else ()
        return AlertBatch(alerts=tuple(kept), notes=notes)


def _begin(file: BinaryIO, read_to: tuple[int, int]) -> tuple[int, int]:
    """Go on where the file was left, or at its begin where it is another one or was cut; up to where it will be read.

    That is the last line break there is now: a line that is not complete is read again.
    """
    status = os.fstat(file.fileno())
    inode, offset = read_to
    if not stat.S_ISREG(status.st_mode):
        return read_to
    if inode != status.st_ino or offset > status.st_size:
        offset = 0
    file.seek(max(offset, status.st_size - LONGEST_LINE))
    tail = file.read(LONGEST_LINE)
    whole = file.tell() - len(tail) + tail.rfind(b"\n") + 1
    file.seek(offset)
    return status.st_ino, max(whole, offset)


def _fill(kept: deque[Alert], file: BinaryIO, query: AlertQuery) -> int:
    count = 0
    for alert in alerts_in(file, query):
        kept.append(alert)
        count += 1
    return count


class PodAlerts:
    """The alerts in the logs of Falco's own pods.

    Args:
        reader: of the cluster.
        place: where Falco is; what is empty is looked for.
    """

    name = "falco"

    def __init__(self, reader: ClusterReader, place: FalcoPlace) -> None:
        self._reader = reader
        self._place = place
        self._logs: dict[str, AlertLog] = {}

    async def read(self, query: AlertQuery, limit: int) -> AlertBatch:
        """The newest alerts that are asked for, the oldest first; without a begin, of the last day.

        What is asked for again is read on from where it was left.

        Raises:
            Unavailable: if there is no Falco.
        """
        found = await find_falco(self._reader, self._place)
        if not found.sentries:
            raise Unavailable(
                "no Falco was found in the cluster",
                hint="Install it, or set security.falco_namespace and falco_label_selector.",
            )
        turns = asyncio.Semaphore(_AT_ONCE)
        since = query.since or datetime.now(UTC) - _USUAL

        async def read(sentry: Sentry) -> None:
            log = self._logs.get(sentry.uid)
            async with turns:
                if log is not None:
                    await log.read_on()
                    return
                log = self._logs[sentry.uid] = AlertLog(self._reader, sentry, since, wanted)
                await log.read()
                await log.check_whole()

        def wanted(seen: Seen) -> bool:
            return query.matches(replace(seen.alert, time_ns=seen.at_ns))

        async with asyncio.TaskGroup() as group:
            for sentry in found.sentries:
                group.create_task(read(sentry))
        # What was told is not told again, and makes room for what comes.
        seen = sorted((one for log in self._logs.values() for one in log.alerts), key=lambda one: one.at_ns)
        for log in self._logs.values():
            log.alerts.clear()
        notes = [fault for log in self._logs.values() for fault in log.faults]
        return AlertBatch(
            alerts=tuple(
                replace(one.alert, time_ns=one.at_ns, hostname=one.alert.hostname or one.node) for one in seen
            )[-limit:],
            notes=tuple(dict.fromkeys(notes)) + ((f"only the newest {limit} are shown",) if len(seen) > limit else ()),
        )

"""Falco's alerts as its own pods logged them: who watches, whether they watched all the time, and what they wrote.

Proof of absence needs all of it: a node without Falco, a restart, a rotated log, a broken line or a dropped event each mean
that something may have gone unseen. Nothing here decides what that amounts to; it is said as lapses, in words.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from aegis.actuator import SHADOW_PREFIX
from aegis.errors import AegisError, NotFound
from aegis.falco.alert import LONGEST_LINE, Alert, looks_like_json, parse_alert, parse_moment
from aegis.model.refs import Json
from aegis.model.signature import is_ready
from aegis.ports import ClusterReader, LogQuery

LABELS: Final = ("app.kubernetes.io/name=falco", "app=falco")
"""How the official chart labels its pods, and how older manifests do."""

CLOCKS: Final = timedelta(seconds=2)
"""By how much the clocks of this machine and of a node may differ unnoticed."""

_CONTAINER: Final = "falco"
_PAGE, _LARGEST_PAGE, _PAGES = 1 << 20, 16 << 20, 256
_HEAD: Final = 4096
_MOST_ALERTS: Final = 5000
_MARGIN: Final = timedelta(seconds=60)
_STARTING: Final = timedelta(seconds=10)
"""Falco writes its first line (its version) within so long of its start."""
_SECOND: Final = 1_000_000_000
_QUARTER: Final = 900 * _SECOND
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOST: Final = ("Outputs queue out of memory", "Falco internal: syscall event drop")
"""What Falco logs, as no alert, when its outputs or it itself cannot keep up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FalcoPlace:
    """Where Falco is; what is empty is looked for."""

    namespace: str = ""
    labels: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentry:
    """One pod of Falco.

    Attributes:
        namespace: its namespace.
        name: its name.
        uid: its uid.
        node: which node it watches.
        container: which of its containers is Falco.
        ready_since: when it last became ready; None: it is not ready.
        started_at: when its present run began; None: it does not run.
        restarts: how often it was restarted.
        image: what runs in that container.
    """

    namespace: str
    name: str
    uid: str
    node: str
    container: str
    ready_since: datetime | None
    started_at: datetime | None
    restarts: int
    image: str = ""

    def lapses(self, since: datetime) -> list[str]:
        """Why it may not have seen all that happened on its node from then on.

        Its times are in whole seconds and by another clock: what is not surely earlier counts as later.
        """
        who = f"{self.namespace}/{self.name}"
        if self.ready_since is None or self.started_at is None:
            return [f"{who} is not ready"]
        if self.started_at > since - CLOCKS:
            return [f"{who} (re)started meanwhile"]
        return [f"{who} was not ready all the time"] if self.ready_since > since - CLOCKS else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Falco in a cluster.

    Attributes:
        sentries: its pods.
        labels: which selectors matched.
    """

    sentries: tuple[Sentry, ...] = ()
    labels: tuple[str, ...] = ()

    def on(self, node: str) -> list[Sentry]:
        """Those that watch a node."""
        return [one for one in self.sentries if one.node == node]

    def __str__(self) -> str:
        places = sorted({one.namespace for one in self.sentries})
        return f"{len(self.sentries)} pods in {', '.join(places)} ({', '.join(self.labels)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One alert in a log.

    Attributes:
        alert: what it says.
        at_ns: nanoseconds since 1970 of the event; a text gives no date, so there it is found from the line's own time.
        node: on which node it was seen.
    """

    alert: Alert
    at_ns: int
    node: str

    @property
    def at(self) -> datetime:
        """The same, to the microsecond."""
        return datetime.fromtimestamp(self.at_ns // 1000 / 1e6, UTC)


async def find_falco(reader: ClusterReader, where: FalcoPlace | None = None) -> Found:
    """The pods of Falco, wherever they are (never one in a shadow: its labels are the workload's words).

    Raises:
        PermissionDenied: if they may not be listed.
        Unavailable: if the cluster does not answer.
    """
    place = where or FalcoPlace()
    sentries: dict[str, Sentry] = {}
    matched = []
    for labels in (place.labels,) if place.labels else LABELS:
        found = list(_sentries(await reader.list("v1", "Pod", namespace=place.namespace, labels=labels)))
        if found:
            matched.append(labels)
        sentries |= {one.uid: one for one in found}
    return Found(sentries=tuple(sentries.values()), labels=tuple(matched))


@dataclass(slots=True)
class AlertLog:
    """The log of one pod of Falco, which can be read on from where it was left.

    Args:
        reader: of the cluster.
        sentry: whose log.
        since: alerts of earlier events are left out.
        wanted: which alerts are kept.

    Attributes:
        alerts: those that were kept so far.
        lines: how many lines were read so far.
    """

    reader: ClusterReader
    sentry: Sentry
    since: datetime
    wanted: Callable[[Seen], bool]
    alerts: list[Seen] = field(default_factory=list)
    lines: int = 0
    _faults: dict[str, None] = field(default_factory=dict)
    _unread: str = ""
    _position: _Position = field(init=False)

    def __post_init__(self) -> None:
        self._position = _Position(moment=self.since - _MARGIN)

    @property
    def faults(self) -> list[str]:
        """Why there may be more than was read, in words; a log that cannot be read is one of them."""
        return [*self._faults, *([self._unread] if self._unread else [])]

    async def read(self) -> None:
        """Read what has been written: of the run before too, where Falco was restarted meanwhile."""
        if self.sentry.restarts and self.sentry.started_at and self.sentry.started_at > self.since - CLOCKS:
            await self._trying(self._pages(_Position(moment=self.since - _MARGIN), previous=True))
        await self.read_on()

    async def read_on(self) -> None:
        """Read what has been written since; what could not be read is asked for again the next time."""
        await self._trying(self._pages(self._position))

    async def check_whole(self) -> None:
        """Find out whether the log still holds the whole time: what was rotated away cannot be read."""
        await self._trying(self._check_head())

    async def _trying(self, reading: Coroutine[None, None, None]) -> None:
        try:
            await reading
        except AegisError as error:
            self._unread = f"the log of {self._who} cannot be read: {error.message}"
        else:
            self._unread = ""

    async def _check_head(self) -> None:
        head = await self._ask(since=None, limit=_HEAD, previous=False)
        first = parse_moment(head.partition(" ")[0])
        began = self.sentry.started_at
        if first is None or began is None or first <= nanoseconds(self.since):
            return
        if first > nanoseconds(began + _STARTING):
            self._fault(f"the log of {self._who} was rotated meanwhile")

    @property
    def _who(self) -> str:
        return f"{self.sentry.namespace}/{self.sentry.name}"

    async def _pages(self, position: _Position, *, previous: bool = False) -> None:
        limit = _PAGE
        for _ in range(_PAGES):
            text = await self._ask(since=position.moment, limit=limit, previous=previous)
            fresh = position.advance(text)
            self.lines += len(fresh)
            for stamp, line in fresh:
                self._take(stamp, line)
            if len(text.encode()) < limit:
                return
            if not fresh and limit >= _LARGEST_PAGE:
                break
            limit = _PAGE if fresh else limit * 4
        self._fault(f"the log of {self._who} is longer than can be read")

    async def _ask(self, *, since: datetime | None, limit: int, previous: bool) -> str:
        query = LogQuery(
            container=self.sentry.container, since=since, limit_bytes=limit, previous=previous, timestamps=True
        )
        try:
            return await self.reader.logs(self.sentry.namespace, self.sentry.name, query)
        except NotFound:
            self._fault(f"{self._who} has no log{' of its run before' if previous else ''}")
            return ""

    def _take(self, stamp: int | None, line: str) -> None:
        alert = parse_alert(line)
        if alert is None:
            if looks_like_json(line) or stamp is None or len(line) > LONGEST_LINE:
                self._fault(f"the log of {self._who} has lines that cannot be read")
            elif stamp >= nanoseconds(self.since) and any(words in line for words in _LOST):
                self._fault(f"Falco dropped events on {self.sentry.node}")
            return
        at = alert.time_ns if alert.time_ns is not None else _event_time(alert.clock_ns, stamp)
        if at is None or at < nanoseconds(self.since - CLOCKS):
            return
        if alert.tells_of_loss:
            self._fault(f"Falco dropped events on {self.sentry.node}")
        seen = Seen(alert=alert, at_ns=at, node=self.sentry.node)
        if alert.is_internal or not self.wanted(seen):
            return
        if len(self.alerts) < _MOST_ALERTS:
            self.alerts.append(seen)
        else:
            self._fault(f"more than {_MOST_ALERTS} alerts on {self.sentry.node}")

    def _fault(self, words: str) -> None:
        self._faults[words] = None


@dataclass(slots=True, kw_only=True)
class _Position:
    """How far a log was read.

    The server takes whole seconds, and two streams of one container may swap places by a little: so the last seconds are
    asked for again, and what was read of them is left out.
    """

    moment: datetime
    _last: int = 0
    _read: dict[str, int] = field(default_factory=dict)

    def advance(self, text: str) -> list[tuple[int | None, str]]:
        """The lines that are new, each with the node's time of it; one that is not complete yet comes next time."""
        fresh = []
        for raw in text.split("\n")[:-1]:
            if raw in self._read:
                continue
            stamp, line = _stamped(raw)
            self._last = max(self._last, stamp or 0)
            self._read[raw] = stamp or self._last
            fresh.append((stamp, line))
        if self._last:
            again = (self._last // _SECOND - 1) * _SECOND
            self.moment = max(self.moment, datetime.fromtimestamp(again // _SECOND, UTC))
            self._read = {raw: stamp for raw, stamp in self._read.items() if stamp >= again}
        return fresh


def _stamped(raw: str) -> tuple[int | None, str]:
    stamp, _, line = raw.partition(" ")
    moment = parse_moment(stamp)
    return (None, raw) if moment is None else (moment, line)


def _sentries(pods: Iterable[Json]) -> Iterator[Sentry]:
    for pod in pods:
        metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
        images = {str(one.get("name")): str(one.get("image") or "") for one in spec.get("containers") or []}
        container = _CONTAINER if _CONTAINER in images else next(iter(images)) if len(images) == 1 else ""
        over = status.get("phase") in {"Succeeded", "Failed"}
        if over or not container or str(metadata.get("namespace")).startswith(SHADOW_PREFIX):
            continue
        run: Json = next((one for one in status.get("containerStatuses") or [] if one.get("name") == container), {})
        running = (run.get("state") or {}).get("running") or {}
        ready = is_ready(pod) and not metadata.get("deletionTimestamp")
        yield Sentry(
            namespace=str(metadata.get("namespace")),
            name=str(metadata["name"]),
            uid=str(metadata.get("uid")),
            node=str(spec.get("nodeName") or ""),
            container=container,
            ready_since=_time(_ready_condition(status).get("lastTransitionTime")) if ready else None,
            started_at=_time(running.get("startedAt")),
            restarts=int(run.get("restartCount") or 0),
            image=images[container],
        )


def _ready_condition(status: Json) -> Json:
    return next((one for one in status.get("conditions") or [] if one.get("type") == "Ready"), {})


def _time(text: object) -> datetime | None:
    moment = parse_moment(str(text))
    return None if moment is None else datetime.fromtimestamp(moment // _SECOND, UTC)


def _event_time(clock: int | None, stamp: int | None) -> int | None:
    """When an event happened of which only the time of day is known: the last such moment before its line was written.

    Falco writes local time, and zones differ by quarters of an hour: so only what is left of one counts.
    """
    if clock is None or stamp is None:
        return stamp
    latest = stamp + _span(CLOCKS)
    return latest - (latest - clock) % _QUARTER


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since 1970 of a moment, exactly."""
    return _span(moment - _EPOCH)


def _span(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000

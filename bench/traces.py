"""One simulated trial: when the pods of both arms are down, and what the same requests meet in C and in G.

Times are nominal seconds. What is assumed, of all rules alike:

* five pods an arm; a crashed pod waits as the kubelet makes it wait (10, 20, 40, 80, 160, 300 s, anew after ten minutes of
  running) and takes three seconds to be ready; C starts up to 30 s later than R;
* one request a second to each arm, on a ready pod; it fails where no pod is ready, where its pod crashes within the second,
  and at the arm's own rate of errors;
* latencies are log-normal; half the story is noise of each request, the rest is load that both arms share and that goes on
  for half a minute, and pods that are a little slower than others;
* memory is read every ten seconds: it grows while the program starts, then stays or leaks;
* each pod logs each of three rare complaints with a chance of 30 %, in every arm.

Each part has a generator of its own, seeded by its name: no rule's looking changes what another one sees.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from aegis.shadow.comparison import Answers, Lines

PODS, HORIZON, START, LAG = 5, 2400.0, 3.0, 30.0
BACK_OFF = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
REQUESTS = 600
"""Requests an arm: one a second for ten minutes."""
LIMIT = 256 * 2.0**20
RARE, CHANCE = 3, 0.3

ALL = range(PODS)

Downs = list[tuple[float, float]]
"""From when until when a pod was down; each began with a crash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is simulated.

    Attributes:
        name: as the table names it.
        seconds: between two crashes of a pod of R.
        factor: how many times as long those of C take; None: they never crash.
        regular: whether a pod crashes after `seconds` (give or take 2 %), or after exponential times of that mean.
        latency: C's median latency over G's.
        noise: the standard deviation of a request's log latency.
        error_rate: of C.
        usual_error_rate: of G.
        leak: after so many seconds C's memory reaches its limit; None: it does not leak.
    """

    name: str
    seconds: float
    factor: float | None
    regular: bool = False
    latency: float = 1.0
    noise: float = 0.5
    error_rate: float = 0.0
    usual_error_rate: float = 0.0
    leak: float | None = None


class Trace:
    """One trial of a cell; lazy, since most rules stop early."""

    def __init__(self, cell: Cell, seed: str) -> None:
        self.cell = cell
        self._seed = seed
        rng = self._rng("crashes")
        self.lag = rng.uniform(0, LAG)
        self.r = [self._downs(rng, cell.seconds) for _ in range(PODS)]
        self.c: list[Downs] = [self._downs(rng, cell.seconds * cell.factor) if cell.factor else [] for _ in range(PODS)]
        self._requests = {"c": self._rng("requests c"), "g": self._rng("requests g")}
        self._answers: dict[str, list[float | None]] = {"c": [], "g": []}

    def _rng(self, part: str) -> random.Random:
        return random.Random(f"{self._seed} {self.cell.name} {part}")

    def _downs(self, rng: random.Random, mean: float) -> Downs:
        now, level = 0.0, 0
        downs: Downs = []
        while True:
            run = mean * rng.uniform(0.98, 1.02) if self.cell.regular else rng.expovariate(1 / mean)
            now += run
            if now > HORIZON:
                return downs
            level = 0 if run > 600 else level
            pause = BACK_OFF[min(level, len(BACK_OFF) - 1)] + START
            downs.append((now, now + pause))
            now, level = now + pause, level + 1

    def ready(self, now: float) -> Sequence[int]:
        """Which pods of C are ready, so long after C has started."""
        return [pod for pod, downs in enumerate(self.c) if not any(begin <= now < end for begin, end in downs)]

    def answers(self, arm: str, count: int) -> list[float | None]:
        """The seconds that the first requests took; None for one that failed."""
        known = self._answers[arm]
        if len(known) < count:
            known.extend(self._more(arm, len(known), count))
        return known[:count]

    def _more(self, arm: str, begin: int, end: int) -> Iterator[float | None]:
        rng, cell = self._requests[arm], self.cell
        crashing = arm == "c" and any(self.c)
        error_rate = cell.error_rate if arm == "c" else cell.usual_error_rate
        median = 0.02 * (cell.latency if arm == "c" else 1.0)
        slower, load = self._pods[arm], self._load
        for second in range(begin, end):
            ready = self.ready(second) if crashing else ALL
            pod = ready[int(rng.random() * len(ready))] if ready else None
            failed = rng.random() < error_rate
            if pod is None or failed or (crashing and any(second < down <= second + 1 for down, _ in self.c[pod])):
                yield None
            else:
                yield median * math.exp(load[second % REQUESTS] + slower[pod] + rng.gauss(0, cell.noise))

    @cached_property
    def _load(self) -> list[float]:
        rng, keep = self._rng("load"), math.exp(-1 / 30)
        step = 0.2 * math.sqrt(1 - keep * keep)
        fresh = [rng.gauss(0, 0.2), *(rng.gauss(0, step) for _ in range(REQUESTS - 1))]
        return list(accumulate(fresh, lambda level, news: keep * level + news))

    @cached_property
    def _pods(self) -> dict[str, list[float]]:
        rng = self._rng("pods")
        return {arm: [rng.gauss(0, 0.05) for _ in range(PODS)] for arm in ("c", "g")}

    def counted(self, arm: str, count: int) -> Answers:
        """How many of the first requests failed."""
        found = self.answers(arm, count)
        return Answers(sent=len(found), failed=found.count(None))

    def seconds(self, arm: str, count: int) -> list[float]:
        """How long those took that were answered."""
        return [answer for answer in self.answers(arm, count) if answer is not None]

    def memory(self, window: float) -> dict[str, Sequence[tuple[float, float]]]:
        """The readings of C's pods."""
        rng, leak = self._rng("memory"), self.cell.leak
        rate = (LIMIT - 100 * 2.0**20) / leak if leak else 0.0

        def used(at: float) -> float:
            return 80 * 2.0**20 + (1 - math.exp(-at / 20)) * 20 * 2.0**20 + rate * at + rng.gauss(0, 2.0**18)

        moments = [10.0 * n for n in range(int(window // 10))]
        return {f"pod-{pod}": [(at, used(at)) for at in moments] for pod in range(PODS)}

    def lines(self, arm: str) -> Lines:
        """What an arm's pods complain of."""
        rng = self._rng(f"lines {arm}")
        seen = {f"rare {kind}": sum(rng.random() < CHANCE for _ in range(PODS)) for kind in range(RARE)}
        return Lines(pods=PODS, seen={line: pods for line, pods in seen.items() if pods})

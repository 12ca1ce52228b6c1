"""How often the judge errs, beside rules that are usual elsewhere, on the same simulated crashes.

Five pods an arm crash after exponential times, with the kubelet's back-off between (10, 20, 40, 80, 160, 300 s, reset after
ten minutes of running). R has the given mean time between crashes; the useless fix has the same, the half fix one ten times
as long, the good fix never crashes. What is printed is the share of trials in which a rule accepts.

* judge: `aegis.shadow.judge`, at its defaults;
* ready 0.8: the mean share of ready pods over five minutes is at least 0.8 (what AEGIS' predecessor did);
* no restart: no pod restarts in five looks a minute apart (an analysis with a failure limit of 0);
* not worse: no more restarts than R in five minutes (a comparison with a baseline that is itself broken).
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

from aegis.model.verdict import Decision, Outcome
from aegis.shadow import judge
from aegis.shadow.judge import Pair, Rules, Tally

PODS, HORIZON = 5, 2400.0
BACK_OFF = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
MEANS = (30.0, 120.0, 300.0, 600.0)
START = 3.0
"""How long a pod takes to be ready again."""

Downs = list[list[tuple[float, float]]]
"""For each pod, from when until when it was down; each began with a crash."""


def arm(rng: random.Random, mean: float | None) -> Downs:
    """One arm's history."""
    return [pod(rng, mean) for _ in range(PODS)] if mean else [[] for _ in range(PODS)]


def pod(rng: random.Random, mean: float) -> list[tuple[float, float]]:
    """One pod's history."""
    now, level = 0.0, 0
    downs: list[tuple[float, float]] = []
    while True:
        run = rng.expovariate(1 / mean)
        now += run
        if now > HORIZON:
            return downs
        level = 0 if run > 600 else level
        pause = BACK_OFF[min(level, len(BACK_OFF) - 1)] + START
        downs.append((now, now + pause))
        now, level = now + pause, level + 1


def crashes(downs: Downs, until: float) -> int:
    """How often the arm crashed."""
    return sum(1 for history in downs for begin, _ in history if begin <= until)


def ready(downs: Downs, at: float) -> float:
    """The share of ready pods."""
    return sum(not any(begin <= at < end for begin, end in history) for history in downs) / PODS


def by_judge(r: Downs, c: Downs) -> bool:
    """AEGIS: looked at whenever something crashes, and every half minute."""
    rules = Rules()
    moments = sorted({begin for history in (*r, *c) for begin, _ in history} | {30.0 * tick for tick in range(1, 80)})
    for now in moments:
        failed = crashes(r, now)
        candidate = Tally(trials=PODS, ready=PODS, crashes=crashes(c, now), available_at=0.0, stable_for=now)
        broken = Tally(trials=PODS, crashes=failed, matching=failed, available_at=0.0)
        seen = Pair(elapsed=now, r=broken, c=candidate)
        results = [rule(seen, rules) for rule in (judge.rollout, judge.reproduction, judge.health)]
        known = [result for result in results if result is not None]
        if len(known) == len(results) or any(result.outcome is not Outcome.PASSED for result in known):
            return judge.decide(known).decision is Decision.ACCEPT
    return False


def by_ready_ratio(_r: Downs, c: Downs) -> bool:
    """The mean of what a look every ten seconds sees."""
    return sum(ready(c, 10.0 * look) for look in range(1, 31)) / 30 >= 0.8


def by_no_restart(_r: Downs, c: Downs) -> bool:
    """No restart in five minutes."""
    return crashes(c, 300.0) == 0


def by_baseline(r: Downs, c: Downs) -> bool:
    """No more restarts than the baseline."""
    return crashes(c, 300.0) <= crashes(r, 300.0)


RULES: dict[str, Callable[[Downs, Downs], bool]] = {
    "judge": by_judge,
    "ready 0.8": by_ready_ratio,
    "no restart": by_no_restart,
    "not worse": by_baseline,
}


def shares(fix: str, mean: float, factor: float | None, trials: int) -> dict[str, float]:
    """In how many percent of the trials each rule accepts."""
    rng = random.Random(f"{fix} {mean}")  # noqa: S311 - a simulation
    accepted = dict.fromkeys(RULES, 0)
    for _ in range(trials):
        r, c = arm(rng, mean), arm(rng, mean * factor if factor else None)
        for name, rule in RULES.items():
            accepted[name] += rule(r, c)
    return {name: 100 * count / trials for name, count in accepted.items()}


def main(trials: int) -> None:
    """Print the table."""
    begun = time.perf_counter()
    print(f"share of {trials} simulated trials in which a rule accepts, in percent\n")
    print(f"{'fix':<9}{'mean time between crashes':>26}" + "".join(f"{name:>12}" for name in RULES))
    for fix, factor in (("useless", 1.0), ("half", 10.0), ("good", None)):
        for mean in MEANS:
            row = "".join(f"{share:>12.1f}" for share in shares(fix, mean, factor, trials).values())
            print(f"{fix:<9}{mean:>24.0f} s{row}")
    print(f"\n{time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)

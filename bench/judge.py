"""How often the judge errs, beside the rules of the field on the same simulated trials: a table and a plot for docs/.

    python bench/judge.py [--trials N] [--seed S] [--write]

`bench/traces.py` says what is simulated, `bench/rivals.py` whose rules these are. AEGIS is `aegis.shadow.judge` and
`aegis.shadow.comparison` at their defaults: the judge looks whenever something crashes and every half minute; once the watch
has found nothing against C, 300 requests an arm are compared, and 600 where that leaves something open. `--write` puts the
table and the plot into docs/; the must-holds are asserted either way, each with its 95 % bound.
"""

from __future__ import annotations

import argparse
import sys
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.plot import plot  # noqa: E402
from bench.rivals import RULES  # noqa: E402
from bench.traces import HORIZON, LIMIT, PODS, Cell, Trace  # noqa: E402

from aegis.model.verdict import Decision, GateResult, Outcome  # noqa: E402 - the bench's folder is found first
from aegis.shadow import comparison, judge  # noqa: E402
from aegis.shadow.judge import Pair, Rules, Tally  # noqa: E402
from aegis.shadow.statistics import clopper_pearson_lower, clopper_pearson_upper  # noqa: E402

SEED = "2026"
PAGE, PICTURE = ROOT / "docs" / "error-rates.md", ROOT / "docs" / "error-rates.svg"
MEANS = (30.0, 60.0, 120.0, 300.0, 600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table.

    Attributes:
        cell: what is simulated.
        group: the table's part.
        at_most: the largest share that AEGIS may accept; None: nothing is promised.
        at_least: the smallest share.
        rejected: the largest share that AEGIS may reject.
        share: of the usual number of trials.
    """

    cell: Cell
    group: str
    at_most: float | None = None
    at_least: float | None = None
    rejected: float | None = None
    share: float = 1.0


def rows() -> list[Row]:
    """The whole table."""
    return [*_useless(), _unseen(), *_half(), *_good(), *_services()]


def _useless() -> list[Row]:
    group = "The fix is useless: C fails as R does"
    named = (("on average after", False), ("every", True))
    return [
        Row(
            group=group,
            at_most=0.01,
            share=2.0 if regular else 20.0,
            cell=Cell(name=f"crashes {how} {mean:.0f} s", seconds=mean, factor=1.0, regular=regular),
        )
        for how, regular in named
        for mean in MEANS
    ]


def _unseen() -> Row:
    """R does not crash in the trial, nor does C: nothing has been shown, whatever the fix is."""
    return Row(
        group="The fault does not show in the trial",
        at_most=0.01,
        cell=Cell(name="neither R nor C crashes", seconds=1e9, factor=1.0),
    )


def _half() -> list[Row]:
    group = "Half a fix: C fails more rarely"
    return [
        Row(group=group, cell=Cell(name=f"{factor:.0f} times as rarely as {mean:.0f} s", seconds=mean, factor=factor))
        for factor in (2.0, 10.0)
        for mean in (60.0, 300.0)
    ]


def _good() -> list[Row]:
    group = "The fix is good: C is as G, R crashes"
    cells = [Cell(name=f"R on average after {mean:.0f} s", seconds=mean, factor=None) for mean in MEANS]
    cells += [Cell(name=f"R every {mean:.0f} s", seconds=mean, factor=None, regular=True) for mean in (30.0, 600.0)]
    return [Row(group=group, cell=cell, at_least=0.95, rejected=0.01, share=2.0) for cell in cells]


def _services() -> list[Row]:
    usual = Cell(name="", seconds=60.0, factor=None)
    same, worse = "C is as G", "C no longer crashes, but is worse than G"
    return [
        Row(group=same, at_least=0.95, rejected=0.01, share=6.0, cell=replace(usual, name="usual noise")),
        Row(group=same, rejected=0.01, share=6.0, cell=replace(usual, name="twice the noise", noise=1.0)),
        Row(group=same, rejected=0.01, share=2.0, cell=replace(usual, name="four times the noise", noise=2.0)),
        Row(
            group=same,
            rejected=0.01,
            share=6.0,
            cell=replace(usual, name="0.5 % errors in both", error_rate=0.005, usual_error_rate=0.005),
        ),
        Row(
            group=same,
            rejected=0.01,
            share=2.0,
            cell=replace(usual, name="5 % errors in both", error_rate=0.05, usual_error_rate=0.05),
        ),
        Row(group=worse, at_most=0.01, share=2.0, cell=replace(usual, name="twice the latency", latency=2.0)),
        Row(
            group=worse,
            at_most=0.01,
            share=2.0,
            cell=replace(usual, name="twice the latency, twice the noise", latency=2.0, noise=1.0),
        ),
        Row(
            group=worse,
            at_most=0.01,
            share=2.0,
            cell=replace(usual, name="twice the latency, four times the noise", latency=2.0, noise=2.0),
        ),
        Row(group=worse, cell=replace(usual, name="1.5 times the latency", latency=1.5)),
        Row(group=worse, cell=replace(usual, name="1.25 times the latency", latency=1.25)),
        Row(group=worse, at_most=0.01, share=2.0, cell=replace(usual, name="5 % errors", error_rate=0.05)),
        Row(group=worse, cell=replace(usual, name="2 % errors", error_rate=0.02)),
        Row(group=worse, cell=replace(usual, name="memory at its limit after 5 min", leak=300.0)),
        Row(group=worse, cell=replace(usual, name="memory at its limit after 30 min", leak=1800.0)),
    ]


# ── AEGIS ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def by_aegis(trace: Trace) -> Decision:
    """The whole verdict: the watch, and what is compared once it has found nothing."""
    gates, watched = _watch(trace)
    if all(gate.outcome is Outcome.PASSED for gate in gates):
        gates += [
            *_load(trace),
            comparison.memory(trace.memory(watched), LIMIT, watched),
            comparison.new_signatures(trace.lines("c"), trace.lines("g")),
        ]
    return judge.decide(gates).decision


def _watch(trace: Trace) -> tuple[list[GateResult], float]:
    """The gates of the watch at the first moment at which they are decided, and for how long C was watched."""
    rules = Rules(give_up=judge.give_up_after(min(trace.cell.seconds, 600.0)))
    r = sorted(begin for downs in trace.r for begin, _ in downs)
    c = sorted(begin + trace.lag for downs in trace.c for begin, _ in downs)
    started = trace.lag + 3.0
    for now in sorted({*r, *c, *(30.0 * tick for tick in range(1, int(HORIZON // 30) + 1))}):
        failed = bisect_right(r, now)
        since = now - started if now >= started else 0.0
        pair = Pair(
            elapsed=now,
            r=Tally(trials=PODS, crashes=failed, matching=failed, matched_at=tuple(r[:failed]), available_at=3.0),
            c=Tally(
                trials=PODS,
                ready=PODS,
                crashes=bisect_right(c, now),
                available_at=started if now >= started else None,
                stable_for=since,
            ),
        )
        gates = [rule(pair, rules) for rule in (judge.rollout, judge.reproduction, judge.health)]
        known = [gate for gate in gates if gate is not None]
        if len(known) == len(gates) or any(gate.outcome is not Outcome.PASSED for gate in known):
            return known, pair.watched
    return [], 0.0


def _load(trace: Trace) -> list[GateResult]:
    """Errors and latency, on twice the requests where the usual number leaves one open."""
    gates: list[GateResult] = []
    for look in range(1, comparison.LOOKS + 1):
        count = look * comparison.REQUESTS
        gates = [
            comparison.errors(trace.counted("c", count), trace.counted("g", count)),
            comparison.latency(trace.seconds("c", count), trace.seconds("g", count)),
        ]
        if any(gate.outcome is Outcome.FAILED for gate in gates) or not any(gate.inconclusive for gate in gates):
            break
    return gates


# ── running ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How often each rule accepted.

    Attributes:
        row: what was simulated.
        trials: how often, for AEGIS.
        accepted: by AEGIS.
        rejected: by AEGIS; the rest was inconclusive.
        others: the share that each other rule accepted, of at most as many trials.
    """

    row: Row
    trials: int
    accepted: int
    rejected: int
    others: dict[str, float]

    def broken(self) -> str:
        """Which promise the counts contradict beyond doubt, or do not bear out; empty where all holds."""
        row = self.row
        if row.at_most is not None and self.accepted > row.at_most * self.trials:
            return f"accepted {self.accepted} of {self.trials}"
        if row.at_least is not None and self.accepted < row.at_least * self.trials:
            return f"accepted only {self.accepted} of {self.trials}"
        if row.rejected is not None and self.rejected > row.rejected * self.trials:
            return f"rejected {self.rejected} of {self.trials}"
        return ""


def run(row: Row, trials: int, seed: str = SEED, *, rivals: bool = True) -> Result:
    """Simulate one row."""
    said: Counter[Decision] = Counter()
    others = dict.fromkeys(RULES, 0)
    count = round(trials * row.share)
    for number in range(count):
        trace = Trace(row.cell, f"{seed} {number}")
        said[by_aegis(trace)] += 1
        if rivals and number < trials:
            for name, rule in RULES.items():
                others[name] += rule(trace)
    return Result(
        row=row,
        trials=count,
        accepted=said[Decision.ACCEPT],
        rejected=said[Decision.REJECT],
        others={name: accepted / min(count, trials) for name, accepted in others.items()} if rivals else {},
    )


def table(results: Sequence[Result]) -> str:
    """As Markdown: shares accepted in percent; of AEGIS with the 95 % bounds, and the share rejected."""
    names = list(RULES)
    lines = []
    group = ""
    for result in results:
        if result.row.group != group:
            group = result.row.group
            lines += ["", f"### {group}", "", f"| | AEGIS accepts | rejects | {' | '.join(names)} |"]
            lines += ["|---|" + "--:|" * (len(names) + 2)]
        low = clopper_pearson_lower(result.accepted, result.trials, confidence=0.975)
        high = clopper_pearson_upper(result.accepted, result.trials, confidence=0.975)
        shares = [f"{100 * share:.1f}" for share in result.others.values()]
        ours = f"**{100 * result.accepted / result.trials:.1f}** ({100 * low:.1f} to {100 * high:.1f})"
        rejected = f"{100 * result.rejected / result.trials:.1f}"
        lines.append(f"| {result.row.cell.name} | {ours} | {rejected} | {' | '.join(shares)} |")
    return "\n".join(lines).strip()


BEGIN, END = "<!-- the table begins -->", "<!-- the table ends -->"


def written(page: str, results: Sequence[Result], trials: int, seed: str) -> str:
    """The page with a new table."""
    head, rest = page.split(BEGIN)
    _, tail = rest.split(END)
    told = f"`python bench/judge.py --trials {trials} --seed {seed} --write`"
    return f"{head}{BEGIN}\nMade by {told}.\n\n{table(results)}\n{END}{tail}"


def main() -> None:
    """Simulate all rows on both cores, print, write, and assert."""
    parser = argparse.ArgumentParser(description="Error rates of the judge, beside the rules of the field.")
    parser.add_argument(
        "--trials", type=int, default=400, help="of each other rule; AEGIS is tried more often where it promises"
    )
    parser.add_argument("--seed", default=SEED)
    parser.add_argument("--write", action="store_true", help="write docs/error-rates.md and .svg")
    chosen = parser.parse_args()
    begun = time.perf_counter()
    every = rows()
    with ProcessPoolExecutor() as pool:
        results = list(pool.map(run, every, [chosen.trials] * len(every), [chosen.seed] * len(every)))
    print(table(results))
    if chosen.write:
        PAGE.write_text(written(PAGE.read_text("utf-8"), results, chosen.trials, chosen.seed), "utf-8")
        PICTURE.write_text(plot(results), "utf-8")
    print(f"\nseed {chosen.seed}, {time.perf_counter() - begun:.0f} s")
    broken = [f"{result.row.group}, {result.row.cell.name}: {why}" for result in results if (why := result.broken())]
    if broken:
        sys.exit("\n".join(("What must hold does not:", *broken)))
    print("every promise holds")


if __name__ == "__main__":
    main()

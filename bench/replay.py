"""Replay of a history through an exception of seven predicates: AEGIS's columns beside DuckDB on Parquet, in one run.

Both are whole processes (start, imports, opening, deciding, naming the alerts that match) over the same synthetic
alerts, take turns, and must name the same alerts; the target is 0.4 of DuckDB's time. Beside it: evaluation of one alert
after the other, encoding, and reading and linting rule files (`FALCO_RULES` names a folder of Falco's default rules;
without it those of `deploy/falco`).

    pip install duckdb
    python bench/replay.py [--rows 10000000] [--runs 5]
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

SEED = 2026
FOLDERS = ("/etc", "/usr/bin", "/var/log", "/home/app", "/srv", "/proc/self", "/opt/load", "/run/secrets")


def distinct() -> dict[str, list[str]]:
    """The values that each field has."""
    return {
        "k8s.ns.name": [f"team-{number}" for number in range(40)],
        "container.image.repository": [f"registry.local/team-{number % 40}/app-{number}" for number in range(400)],
        "proc.name": [
            "bash",
            "sh",
            "cat",
            "curl",
            "python3",
            "node",
            "apt-get",
            "dpkg",
            *(f"p{n}" for n in range(192)),
        ],
        "proc.pname": ["runc", "bash", "containerd-shim", "cron", *(f"q{n}" for n in range(96))],
        "user.name": ["root", "app", "www-data", "nobody"],
        "fd.name": [f"{FOLDERS[number % 8]}/{number}.conf" for number in range(50_000)],
        "proc.cmdline": [f"cmd-{number % 977} --flag {number}" for number in range(200_000)],
    }


CONDITION = (
    "k8s.ns.name in (team-1, team-2, team-3, team-4, team-5, team-6) and container.image.repository contains app- "
    "and proc.name in (bash, sh, cat, curl, python3, apt-get) and proc.pname != cron and user.name = root "
    "and fd.name startswith /etc/ and proc.cmdline contains 7"
)
QUERY = """
SELECT file_row_number FROM read_parquet('{path}', file_row_number = true)
WHERE "k8s.ns.name" IN ('team-1', 'team-2', 'team-3', 'team-4', 'team-5', 'team-6')
  AND contains("container.image.repository", 'app-')
  AND "proc.name" IN ('bash', 'sh', 'cat', 'curl', 'python3', 'apt-get')
  AND "proc.pname" != 'cron' AND "user.name" = 'root'
  AND starts_with("fd.name", '/etc/') AND contains("proc.cmdline", '7')
"""


def main() -> None:
    """Make the alerts, let both decide in turns, and say how long it took."""
    if sys.argv[1:2] == ["--only"]:
        {"aegis": by_aegis, "duckdb": by_duckdb}[sys.argv[2]](Path(sys.argv[3]))
        return
    import argparse

    given = argparse.ArgumentParser()
    given.add_argument("--rows", type=int, default=10_000_000)
    given.add_argument("--runs", type=int, default=5)
    arguments = given.parse_args()
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made(folder, arguments.rows)
        compare(folder, arguments.rows, arguments.runs)
    one_by_one()
    rule_files()


def made(folder: Path, rows: int) -> None:
    """The same alerts as a table of codes and as Parquet, as DuckDB writes it."""
    import duckdb
    import numpy as np

    from aegis.falco.vectorised import Column, Table

    random = np.random.default_rng(SEED)
    columns = {}
    for name, values in distinct().items():
        # Half of all alerts are of a tenth of the values: histories are skewed.
        few = random.integers(0, max(1, len(values) // 10), rows)
        codes = np.where(random.random(rows) < 0.5, few, random.integers(0, len(values), rows)) + 1
        kind = np.uint8 if len(values) < 256 else np.uint16 if len(values) < 1 << 16 else np.uint32
        columns[name] = Column(codes=codes.astype(kind), values=values)
    Table(rows=rows, columns=columns).save(folder / "table")
    con = duckdb.connect()
    codes = {f"c{number}": column.codes for number, column in enumerate(columns.values())}
    picked = ", ".join(f'list_extract(${n + 1}, c{n}) AS "{name}"' for n, name in enumerate(columns))
    path = folder / "alerts.parquet"
    con.execute("CREATE TABLE codes AS SELECT * FROM codes")
    con.execute(f"COPY (SELECT {picked} FROM codes) TO '{path}' (FORMAT parquet)", [*distinct().values()])  # noqa: S608


def by_aegis(folder: Path) -> None:
    """One process: open, decide, tell."""
    import numpy as np

    from aegis.falco.grammar import parse
    from aegis.falco.vectorised import TRUE, opened, truths

    begin = time.perf_counter()
    found = np.flatnonzero(truths(parse(CONDITION), opened(folder / "table")) == TRUE)
    told(found, time.perf_counter() - begin)


def by_duckdb(folder: Path) -> None:
    """One process: open, decide, tell."""
    import duckdb
    import numpy as np

    begin = time.perf_counter()
    found = duckdb.sql(QUERY.format(path=folder / "alerts.parquet")).fetchnumpy()["file_row_number"]
    told(np.sort(np.asarray(found)), time.perf_counter() - begin)


def told(found: Any, seconds: float) -> None:
    import hashlib

    digest = hashlib.sha256(found.astype("int64").tobytes()).hexdigest()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"matches": len(found), "digest": digest, "seconds": seconds, "peak_mib": peak}))


def compare(folder: Path, rows: int, runs: int) -> None:
    """Take turns, so that a drifting machine speed hits both alike."""
    import statistics
    import subprocess

    whole: dict[str, list[float]] = {"aegis": [], "duckdb": []}
    inside: dict[str, list[float]] = {"aegis": [], "duckdb": []}
    peak = {"aegis": 0.0, "duckdb": 0.0}
    sets = set()
    # Compiled files are kept, as they are of what is installed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for run in range(runs + 1):
        for who, times in whole.items():
            command = [sys.executable, __file__, "--only", who, str(folder)]
            begin = time.perf_counter()
            out = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
            seconds = time.perf_counter() - begin
            said = json.loads(out)
            sets.add((said["matches"], said["digest"]))
            if run:
                times.append(seconds)
                inside[who].append(said["seconds"])
                peak[who] = max(peak[who], said["peak_mib"])
    if len(sets) != 1:
        raise SystemExit(f"they do not agree: {sets}")
    print(f"{rows:,} alerts, 7 predicates, {next(iter(sets))[0]:,} match; both name the same")
    for who, times in whole.items():
        mid, query = statistics.median(times), statistics.median(inside[who])
        print(f"{who:<8} whole process {mid:6.3f} s   deciding {query:6.3f} s   peak {peak[who]:6.0f} MiB")
    ratio = statistics.median(one / other for one, other in zip(whole["aegis"], whole["duckdb"], strict=True))
    deciding = statistics.median(one / other for one, other in zip(inside["aegis"], inside["duckdb"], strict=True))
    print(f"ratio    whole process {ratio:6.3f}     deciding {deciding:6.3f}     (target 0.4)")


def one_by_one() -> None:
    """The reference evaluator, and what it costs to make columns."""
    import random

    from aegis.falco.evaluate import compiled
    from aegis.falco.grammar import parse
    from aegis.falco.vectorised import encoded

    choose = random.Random(SEED)
    known = distinct()
    alerts = [{name: choose.choice(values) for name, values in known.items()} for _ in range(50_000)]
    check = compiled(parse(CONDITION))
    begin = time.perf_counter()
    matches = sum(check(fields) is True for fields in alerts)
    print(f"one by one: {len(alerts) / (time.perf_counter() - begin):,.0f} alerts/s ({matches} of {len(alerts)} match)")
    begin = time.perf_counter()
    encoded(alerts)
    print(f"encoding: {(time.perf_counter() - begin) / len(alerts) * 1e6:.1f} us an alert of {len(known)} fields")


def rule_files() -> None:
    """Reading and linting."""
    from aegis.falco.lint import lint
    from aegis.falco.rules import load

    folder = Path(os.environ.get("FALCO_RULES") or Path(__file__).parents[1] / "deploy" / "falco" / "rules")
    order = ("falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")
    paths = sorted(folder.glob("*.yaml"), key=lambda path: (order.index(path.name) if path.name in order else 9, path))
    files = [(path.name, path.read_text(encoding="utf-8")) for path in paths]
    begin = time.perf_counter()
    ruleset = load(files)
    loaded = time.perf_counter()
    lint(ruleset, files)
    count = f"{len(ruleset.rules)} rules of {len(files)} files"
    print(f"{count}: load {loaded - begin:.3f} s, lint {time.perf_counter() - loaded:.3f} s")


if __name__ == "__main__":
    main()

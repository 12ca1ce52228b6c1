"""How long the first word takes: `aegis --help` against `python -c pass`, in one run.

Prints medians of whole processes and the ratio; the target is 5 (docs/architecture.md says why imports are lazy).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 15


def seconds(command: list[str]) -> float:
    """The wall time of one whole process."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main() -> None:
    """Take turns, so that a drifting machine speed hits both alike."""
    python = [sys.executable, "-c", "pass"]
    commands = {
        "aegis --help": [str(Path(sys.executable).with_name("aegis")), "--help"],
        "aegis version": [str(Path(sys.executable).with_name("aegis")), "version"],
    }
    for command in (python, *commands.values()):
        seconds(command)
    base: list[float] = []
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(RUNS):
        base.append(seconds(python))
        for name, command in commands.items():
            taken[name].append(seconds(command))
    print(f"{'python -c pass':<16} {statistics.median(base) * 1000:7.1f} ms   1.0 x")
    for name, times in taken.items():
        ratio = statistics.median(one / other for one, other in zip(times, base, strict=True))
        print(f"{name:<16} {statistics.median(times) * 1000:7.1f} ms   {ratio:.1f} x")


if __name__ == "__main__":
    main()

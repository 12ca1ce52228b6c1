"""How work goes on, one line a step, on stderr."""

from __future__ import annotations

import sys
import time

from aegis.interfaces.cli.output import plain


class StderrProgress:
    """Prints a step as it begins, with the seconds since the start; facts only with `-v`, but for those of a count.

    Args:
        quiet: print nothing.
        verbose: print every fact.
        label: said before each line, where several things go on at once.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, label: str = "") -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._label = label
        self._began = time.monotonic()

    def labelled(self, label: str) -> StderrProgress:
        """The same clock, with another label."""
        other = StderrProgress(quiet=self._quiet, verbose=self._verbose, label=label)
        other._began = self._began
        return other

    def __call__(self, message: str, /, **facts: object) -> None:
        """Say what is happening now."""
        if self._quiet:
            return
        seconds = time.monotonic() - self._began
        told = " ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in facts.items())
        label = f"{self._label}: " if self._label else ""
        line = f"{seconds:6.1f}s  {label}{message}{'  (' + told + ')' if told else ''}"
        sys.stderr.write(plain(line) + "\n")
        sys.stderr.flush()


def _short(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return " ".join(text.split())[:120]

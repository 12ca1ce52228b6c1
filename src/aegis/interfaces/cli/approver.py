"""Ask the person at the terminal; the default is No."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from aegis.flows.tools import Answer, Question
from aegis.model.changes import Risk


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalApprover:
    """Shows the panel and reads one line.

    Attributes:
        links: where to look further.
        yes: answer yes for low and medium risk.
        dry_run: show, and ask nothing.
        no_color: no colours.
        quiet: do not show what is answered without asking.
    """

    links: Mapping[str, str]
    yes: bool = False
    dry_run: bool = False
    no_color: bool = False
    quiet: bool = False

    async def ask(self, question: Question) -> Answer:
        """The answer; None of either where nobody can be asked."""
        risk = question.incident.fix.risk if question.incident.fix else Risk.HIGH
        if self.quiet and self.yes and not self.dry_run and risk is not Risk.HIGH:
            return Answer(yes=True)
        self._show(question)
        if self.dry_run:
            return Answer(yes=None, why="--dry-run: nothing is applied")
        if self.yes and risk is not Risk.HIGH:
            sys.stderr.write(f"Answering yes (--yes, risk {risk.value}).\n")
            return Answer(yes=True)
        if not sys.stdin.isatty():
            why = _unanswered(question) if self.yes else "no terminal to ask at, and no --yes"
            return Answer(yes=None, why=f"{why}: approve with `aegis incident approve {question.incident.id}`")
        return await self._typed(question)

    def _show(self, question: Question) -> None:
        from aegis.interfaces.cli.panel import show_panel

        show_panel(question, self.links, no_color=self.no_color)

    async def _typed(self, question: Question) -> Answer:
        sys.stderr.write(f"Apply this to {question.cluster.context or question.cluster.server}? [y/N] ")
        sys.stderr.flush()
        line = await read_line()
        return Answer(yes=line.strip().lower() in {"y", "yes"}, why="answered No at the terminal")


def _unanswered(question: Question) -> str:
    fix = question.incident.fix
    why = f" ({fix.summary})" if fix is not None and fix.needs else ""
    return f"--yes does not answer for high risk{why}"


async def read_line() -> str:
    """One line of the terminal; the loop goes on meanwhile, and Ctrl-C ends it."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return sys.stdin.readline()

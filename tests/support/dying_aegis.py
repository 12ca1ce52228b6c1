"""Run `aegis` command lines, each in a process of its own that may end itself at a named place.

`python dying_aegis.py` imports everything once, then reads one JSON line an order and forks for it: its arguments, its
environment, where its streams go, and the place at which it shall die (`LABEL#N`: when LABEL is passed for the Nth
time). It answers one JSON line when the child is over. Every place that is passed is written to a file, so that a run
which lives tells all the places there are.

The places lie where a remediation touches something outside itself: each step of the flow, each save of the incident,
each record of the audit log (before it, in the middle of its line, at each sync, after it), each write to the API
server (before it, sent but not answered, answered but not read), each line of progress and the question.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import os
import pkgutil
import re
import resource
import select
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

_HERE: ContextVar[str] = ContextVar("here", default="")
"""Inside which write or record this task is."""
_SYNCS: ContextVar[Iterator[int]] = ContextVar("syncs")
"""Numbers the syncs of one record."""
_REVIEWS = ("selfsubject", "tokenreviews", "subjectaccessreviews")
_Places = Callable[[str], None]


class Fate:
    """Counts the places that are passed, and ends the process at one of them."""

    def __init__(self, die_at: str, number: int, passed: str) -> None:
        self._die_at = die_at
        self._number = number
        self._seen: Counter[str] = Counter()
        self._passed = os.open(passed, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def __call__(self, label: str) -> None:
        place = self._count(label)
        if place == self._die_at:
            os.kill(os.getpid(), self._number)

    def tears(self, label: str) -> bool:
        """Whether the caller shall die half-way through what the label names."""
        return self._count(label) == self._die_at

    def _count(self, label: str) -> str:
        self._seen[label] += 1
        place = f"{label}#{self._seen[label]}"
        os.write(self._passed, place.encode() + b"\n")
        return place


def wire(fate: Fate) -> None:
    """Have every port tell the fate what passes through it."""
    _wire_flow(fate)
    _wire_store(fate)
    _wire_audit(fate)
    _wire_writes(fate)
    _wire_terminal(fate)


def _wire_flow(fate: Fate) -> None:
    from aegis.wiring import System

    original = System.tools

    def tools(self: Any, **arguments: Any) -> Any:
        return original(self, **arguments, checkpoint=lambda place: fate(f"step {place}"))

    System.tools = tools  # type: ignore[method-assign]


def _wire_store(fate: Fate) -> None:
    from aegis.stores.incidents import SqliteIncidentStore

    original = SqliteIncidentStore.save

    async def save(self: Any, incident: Any) -> Any:
        label = f"save {incident.phase.value}{' after roll-back' if incident.rolled_back else ''}"
        fate(f"{label}: before")
        stored = await original(self, incident)
        fate(f"{label}: done")
        return stored

    SqliteIncidentStore.save = save  # type: ignore[method-assign]


def _wire_audit(fate: Fate) -> None:
    from aegis.stores.audit import FileAuditLog

    append, write, fsync = FileAuditLog.append, FileAuditLog._write, os.fsync

    async def told_append(self: Any, **content: Any) -> Any:
        label = f"audit {content['outcome']} {_what(content)}"
        fate(f"{label}: before")
        _SYNCS.set(itertools.count(1))
        with _inside(label):
            record = await append(self, **content)
        fate(f"{label}: done")
        return record

    def told_write(self: Any, file: Any, head: Any, content: Any) -> Any:
        label = _HERE.get() if content["action"] != "audit-recover" else "audit recover"
        if fate.tears(f"{label}: half a line"):
            _tear(self, file, head, content, write)
        return write(self, file, head, content)

    def told_fsync(descriptor: int) -> None:
        fsync(descriptor)
        if _HERE.get().startswith("audit"):
            fate(f"{_HERE.get()}: sync {next(_SYNCS.get())}")

    FileAuditLog.append = told_append  # type: ignore[method-assign]
    FileAuditLog._write = told_write  # type: ignore[method-assign]
    os.fsync = told_fsync  # type: ignore[assignment]


def _what(content: dict[str, Any]) -> str:
    detail = content.get("detail") or {}
    if "purpose" not in detail:
        return str(content["action"]).partition(".")[0]
    return f"{detail['purpose']}{' dry-run' if detail.get('dryRun') else ''}"


def _tear(log: Any, file: Any, head: Any, content: Any, write: Callable[..., Any]) -> None:
    """Half of the line reaches the disk, then the process is no more."""

    class Half:
        def write(self, line: bytes) -> None:
            file.write(line[: len(line) // 2])
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    write(log, Half(), head, content)


def _wire_writes(fate: Fate) -> None:
    import aiohttp

    from aegis.drivers.kubernetes.transport import Transport

    send, write_bytes = Transport._send, aiohttp.ClientRequest.write_bytes

    async def told_send(self: Any, call: Any, limits: Any) -> Any:
        label = _label(call)
        if not label:
            return await send(self, call, limits)
        fate(f"{label}: before")
        with _inside(label):
            answer = await send(self, call, limits)
        fate(f"{label}: answered, not read")
        return answer

    async def told_write_bytes(self: Any, *arguments: Any) -> None:
        await write_bytes(self, *arguments)
        if _HERE.get().startswith("write"):
            fate(f"{_HERE.get()}: sent, not answered")

    Transport._send = told_send  # type: ignore[method-assign]
    aiohttp.ClientRequest.write_bytes = told_write_bytes  # type: ignore[method-assign,assignment]


def _label(call: Any) -> str:
    """Of a request that changes the cluster; empty for any other."""
    if call.method == "GET" or "dryRun" in call.query or any(review in call.path for review in _REVIEWS):
        return ""
    where = "shadow" if "/aegis-shadow-" in call.path or call.path.endswith("/namespaces") else "production"
    return f"write {call.doing.verb} {call.doing.resource} in {where}"


def _wire_terminal(fate: Fate) -> None:
    from aegis.interfaces.cli.approver import TerminalApprover
    from aegis.interfaces.cli.progress import StderrProgress

    say, ask = StderrProgress.__call__, TerminalApprover.ask

    def told_say(self: Any, message: str, /, **facts: object) -> None:
        say(self, message, **facts)
        fate(f"said {re.sub('[0-9]+', 'N', message)}")

    async def told_ask(self: Any, question: Any) -> Any:
        fate("question: before")
        answer = await ask(self, question)
        fate("question: answered")
        return answer

    StderrProgress.__call__ = told_say  # type: ignore[method-assign]
    TerminalApprover.ask = told_ask  # type: ignore[method-assign]


@contextlib.contextmanager
def _inside(label: str) -> Iterator[None]:
    token = _HERE.set(label)
    try:
        yield
    finally:
        _HERE.reset(token)


def import_everything() -> None:
    """What a remediation imports, so that no child has to."""
    import aegis

    for module in pkgutil.walk_packages(aegis.__path__, "aegis."):
        if not module.name.startswith(("aegis.localcluster", "aegis.interfaces.cli.demo")):
            importlib.import_module(module.name)
    for name in ("aiohttp", "lightkube.models.core_v1", "rich.console", "rich.table", "yaml"):
        importlib.import_module(name)


def child(order: dict[str, Any]) -> int:
    """What the forked process does: become a session of its own, and run the command line."""
    os.setsid()
    for descriptor, path, flags in (
        (0, order.get("stdin", "/dev/null"), os.O_RDONLY),
        (1, order["stdout"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, order["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.update(order["environment"])
    if largest := order.get("largest_file"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    wire(Fate(order.get("die_at", ""), order.get("signal", signal.SIGKILL), order["passed"]))
    from aegis.interfaces.cli.main import run

    status = run(order["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def start(order: dict[str, Any]) -> tuple[int, int]:
    """Fork; the child, and a pipe that is closed when it is over."""
    over, held = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            status = child(order)
        except BaseException:  # noqa: BLE001 - the child must end here, whatever it met
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(held)
    return pid, over


def answer(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Take orders until stdin is closed; then end what still runs."""
    import_everything()
    answer(ready=os.getpid())
    running: dict[int, tuple[int, Any]] = {}
    waiting = b""
    while True:
        readable = select.select([0, *running], [], [])[0]
        for pipe in [one for one in readable if one != 0]:
            pid, number = running.pop(pipe)
            os.close(pipe)
            _, how, used = os.wait4(pid, 0)
            answer(number=number, status=os.waitstatus_to_exitcode(how), pid=pid, peak=used.ru_maxrss * 1024)
        if 0 in readable:
            chunk = os.read(0, 1 << 16)
            if not chunk:
                break
            *lines, waiting = (waiting + chunk).split(b"\n")
            for line in lines:
                order = json.loads(line)
                pid, pipe = start(order)
                running[pipe] = (pid, order["number"])
                answer(number=order["number"], started=pid)
    for pid, _ in running.values():
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()

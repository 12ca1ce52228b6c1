"""A sentry in a process of its own, and programs of this machine under its eyes: no cluster, no namespaces."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from aegis.localcluster.kubelet import wire
from aegis.localcluster.kubelet.watch.events import Subject
from aegis.localcluster.kubelet.watch.seccomp import abis

_SENTRY = (
    "import socket, sys\n"
    "from aegis.localcluster.kubelet.watch import sentry\n"
    "sentry.run(socket.socket(fileno=int(sys.argv[1])))\n"
)
_WATCHED = (
    "import os, socket, sys\n"
    "from aegis.localcluster.kubelet.sandbox import linux\n"
    "from aegis.localcluster.kubelet.watch import seccomp\n"
    "if os.geteuid():\n"
    "    linux.unshare(linux.CLONE_NEWUSER)\n"
    "linux.forbid_new_privileges()\n"
    "listener = seccomp.install()\n"
    "with socket.socket(fileno=int(sys.argv[1])) as door:\n"
    "    socket.send_fds(door, [b'.'], [listener])\n"
    "os.close(listener)\n"
    "os.execvp(sys.argv[2], sys.argv[2:])\n"
)
_LAST = "last"
SUBJECT = Subject(
    node="node-1", namespace="shop", pod="checkout-0", container="app", container_id="c0ffee" * 10 + "0123",
    repository="registry.local/shop/checkout", tag="1.4.2",
)  # fmt: skip


class Watching:
    """What the sentry is given, and what it says."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control

    def run(self, *argv: str, subject: Subject = SUBJECT, code: int = 0) -> list[dict[str, Any]]:
        """Run a program under watch to its end: the alerts of it."""
        assert self._run(subject, argv) == code
        return self.alerts()

    def around(self, *servers: tuple[str, int]) -> None:
        """Say where the API server is."""
        wire.send(self._control, {"op": "around", "api_servers": [list(server) for server in servers]})

    def alerts(self) -> list[dict[str, Any]]:
        """All that was not told yet: what one last program brings out is told after it."""
        self._run(replace(SUBJECT, pod=_LAST), ("grep", "-q", "BEGIN PRIVATE", "/dev/null"))
        found: list[dict[str, Any]] = []
        while True:
            received = wire.receive(self._control)
            assert received is not None, "the sentry ended"
            alert = received[0]["alert"]
            if alert["output_fields"]["k8s.pod.name"] == _LAST:
                return found
            found.append(alert)

    def _run(self, subject: Subject, argv: Sequence[str]) -> int:
        mine, theirs = socket.socketpair()
        with mine, theirs:
            wire.send(self._control, {"op": "watch", "subject": subject.to_message()}, [theirs.fileno()])
            told = [sys.executable, "-c", _WATCHED, str(mine.fileno()), *argv]
            return subprocess.run(told, pass_fds=[mine.fileno()], timeout=60, check=False).returncode


@cache
def _may_look() -> bool:
    """Whether this user may read the memory of its own processes, as those of a user namespace of its own."""
    leave = "from aegis.localcluster.kubelet.sandbox import linux; linux.unshare(linux.CLONE_NEWUSER)"
    return not os.geteuid() or not subprocess.run([sys.executable, "-c", leave], check=False).returncode


@pytest.fixture
def watching() -> Iterator[Watching]:
    """A sentry."""
    if not _may_look():
        pytest.skip("an ordinary user watches only what runs in a user namespace, which this machine refuses")
    if not abis(os.uname().machine):
        pytest.skip("no system call numbers are known for this machine")
    mine, theirs = wire.pair()
    mine.settimeout(60)
    with mine:
        sentry = subprocess.Popen([sys.executable, "-c", _SENTRY, str(theirs.fileno())], pass_fds=[theirs.fileno()])
        theirs.close()
        try:
            yield Watching(mine)
        finally:
            mine.close()
            with suppress(subprocess.TimeoutExpired):
                sentry.wait(10)
            sentry.kill()
            sentry.wait()


@pytest.fixture
def subject() -> Subject:
    """Whose programs are watched."""
    return SUBJECT

"""A local cluster in the background: started once, found again, ended without a trace.

```
info = up(ClusterOptions(state=folder), progress=print)     # returns when pods can run
status(folder)                                              # the same, or None
down(folder)                                                # processes, mounts and files are gone
with owned(options) as info: ...                            # for as long as this process lives
```
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from aegis.errors import Refused, Unavailable
from aegis.localcluster.options import ClusterInfo, ClusterOptions
from aegis.localcluster.statefolder import StateFolder

Progress = Callable[[str], None]

_PAUSE = 0.02
_LAST_WORDS = 2000

_started: dict[int, subprocess.Popen[bytes]] = {}
"""The clusters that this very process started: it has to reap them when they end."""


def up(options: ClusterOptions, *, progress: Progress = lambda _: None, timeout: float = 60.0) -> ClusterInfo:
    """Start a cluster in the background, or find the one that runs in this state folder already.

    Args:
        options: what to start; a cluster that runs already stays as it is.
        progress: called with one short sentence for each step.
        timeout: seconds until the start is given up, and whatever was started is ended.

    Raises:
        Unavailable: it did not become ready.
        Refused: the state folder belongs to somebody else.
    """
    folder = StateFolder(options.state)
    folder.prepare()
    deadline = time.monotonic() + timeout
    if folder.holder() is not None:
        return _await_other(folder, deadline)
    return _start(options, folder, deadline=deadline, progress=progress)


@contextmanager
def owned(
    options: ClusterOptions, *, progress: Progress = lambda _: None, timeout: float = 60.0
) -> Iterator[ClusterInfo]:
    """A cluster of this process: it ends with the context, and with the process if that is killed.

    Args:
        options: what to start.
        progress: called with one short sentence for each step.
        timeout: seconds until the start is given up.

    Raises:
        Unavailable: it did not become ready, or does not end.
        Refused: the state folder belongs to somebody else, or a cluster runs there already.
    """
    folder = StateFolder(options.state)
    folder.prepare()
    if (holder := folder.holder()) is not None:
        raise Refused(f"a local cluster (process {holder}) runs in {folder.path} already")
    watched, held = os.pipe()
    try:
        try:
            deadline = time.monotonic() + timeout
            info = _start(options, folder, deadline=deadline, progress=progress, owner_fd=watched)
        finally:
            os.close(watched)
        yield info
    finally:
        os.close(held)
        down(folder.path)


def down(state: Path, *, timeout: float = 30.0) -> bool:
    """End the cluster of a state folder and remove its files; False if none was running.

    Raises:
        Unavailable: the process does not end.
    """
    folder = StateFolder(state)
    pid = folder.holder()
    if pid is not None:
        _signal(pid, signal.SIGTERM)
        if not _gone(folder, pid, timeout):
            _signal(pid, signal.SIGKILL)
            if not _gone(folder, pid, timeout):
                raise Unavailable(f"the local cluster (process {pid}) does not end")
    folder.remove()
    return pid is not None


def status(state: Path) -> ClusterInfo | None:
    """The cluster that runs in a state folder and is ready, or None."""
    return StateFolder(state).info()


def kubeconfig_path(state: Path) -> Path:
    """Where the kubeconfig of a state folder's cluster lies while it runs."""
    return StateFolder(state).kubeconfig


def log_path(state: Path) -> Path:
    """Where a state folder's cluster logs while it runs."""
    return StateFolder(state).log


def _start(
    options: ClusterOptions,
    folder: StateFolder,
    *,
    deadline: float,
    progress: Progress,
    owner_fd: int | None = None,
) -> ClusterInfo:
    process, reports = _spawn(options, folder, owner_fd)
    _started[process.pid] = process
    with ExitStack() as unless_ready:
        unless_ready.callback(_kill, process)
        with reports:
            info = _await_ready(process, reports, folder, deadline=deadline, progress=progress)
        if info.pid == process.pid:
            unless_ready.pop_all()
    return info


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    _reap()


def _spawn(options: ClusterOptions, folder: StateFolder, owner_fd: int | None) -> tuple[subprocess.Popen[bytes], Any]:
    read, write = os.pipe()
    reports = os.fdopen(read, "rb", buffering=0)
    arguments, passed = [*_arguments(options), "--report-fd", str(write)], [write]
    if owner_fd is not None:
        arguments += ["--owner-fd", str(owner_fd)]
        passed.append(owner_fd)
    try:
        with folder.stderr.open("wb") as stderr:
            process = subprocess.Popen(  # noqa: S603 - this interpreter and a module of this package
                [sys.executable, "-m", "aegis.localcluster", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=passed,
                start_new_session=True,
                cwd="/",
            )
    finally:
        os.close(write)
    return process, reports


def _arguments(options: ClusterOptions) -> list[str]:
    arguments = [
        "--state", str(options.state.absolute()), "--nodes", str(options.nodes), "--cpu", options.cpu,
        "--memory", options.memory, "--pods", str(options.pods), "--time-scale", repr(options.time_scale),
        "--port", str(options.port),
    ]  # fmt: skip
    for images in options.images:
        arguments += ["--images", str(images.absolute())]
    if options.isolation is not None:
        arguments += ["--isolation", options.isolation]
    if options.falco:
        arguments.append("--falco")
    return arguments


def _await_ready(
    process: subprocess.Popen[bytes], reports: Any, folder: StateFolder, *, deadline: float, progress: Progress
) -> ClusterInfo:
    for report in _lines(reports, deadline):
        if "progress" in report:
            progress(report["progress"])
        elif "ready" in report:
            return ClusterInfo.from_json(report["ready"])
        elif "held" in report:  # another start was faster
            process.wait()
            return _await_other(folder, deadline)
    if time.monotonic() >= deadline:
        raise Unavailable("the local cluster did not become ready in time", hint=f"see {folder.log}")
    raise Unavailable(f"the local cluster did not start: {_last_words(folder)}", hint=f"see {folder.log}")


def _lines(reports: Any, deadline: float) -> Iterator[dict[str, Any]]:
    """The JSON lines that the new process reports, until it closes the pipe or the time is over."""
    waiting = b""
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([reports], [], [], left)[0]:
            return
        chunk = reports.read(65536)
        if not chunk:
            return
        *lines, waiting = (waiting + chunk).split(b"\n")
        yield from (json.loads(line) for line in lines)


def _await_other(folder: StateFolder, deadline: float) -> ClusterInfo:
    while time.monotonic() < deadline:
        if (info := folder.info()) is not None:
            return info
        if folder.holder() is None:
            raise Unavailable("the local cluster that was starting here ended", hint="start it again")
        time.sleep(_PAUSE)
    raise Unavailable("the local cluster that is starting here does not become ready", hint=f"see {folder.log}")


def _last_words(folder: StateFolder) -> str:
    try:
        text = folder.stderr.read_text(encoding="utf-8", errors="replace")[-_LAST_WORDS:].strip()
    except OSError:
        text = ""
    return text.splitlines()[-1] if text else "it ended without a word"


def _gone(folder: StateFolder, pid: int, timeout: float) -> bool:
    """Wait until the process holds the folder no more, and is no more."""
    end = time.monotonic() + timeout
    while folder.holder() == pid or _exists(pid):
        if time.monotonic() >= end:
            return False
        time.sleep(_PAUSE)
    return True


def _exists(pid: int) -> bool:
    _reap()
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _reap() -> None:
    """Take note of those that ended."""
    for pid, process in list(_started.items()):
        if process.poll() is not None:
            del _started[pid]


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise Refused(f"the local cluster (process {pid}) belongs to another user") from error

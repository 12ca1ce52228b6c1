"""The program between AEGIS and a tool: it ends the tool, and all that the tool began, when either of them is gone.

Run as `python -I -S guardian.py FD PROGRAM ARGUMENT…`; it needs the standard library alone. FD is a socket whose other
end AEGIS holds. What it says there, a line each: `P PID` the tool runs, `X ERRNO WORDS` it could not be run, `S STATUS`
it has ended (negative: by that signal) and nothing of it is left. When the other end closes, since the time is up or AEGIS
was killed, it ends the tool (TERM, then KILL).

Why a process of its own: whoever is killed by SIGKILL cleans up nothing, and what is done between fork and exec of a
program with threads may hang. On Linux it adopts what outlives its parents (PR_SET_CHILD_SUBREAPER), so that a child that
left the process group is found too; and the tool dies with it (PR_SET_PDEATHSIG) should it be killed itself.
Source: prctl(2), Linux 3.4.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from pathlib import Path

GRACE_SECONDS = 2.0
_END_SECONDS = 5.0
_STEP_SECONDS = 0.005
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_CANNOT_RUN = 127
_ENDINGS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
"""Whoever sends these to the guardian means the tool as well."""


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _say(control: int, words: str) -> None:
    with contextlib.suppress(OSError):  # AEGIS is gone
        os.write(control, f"{words}\n".encode(errors="replace"))


def _become(control: int, guardian: int, argv: list[str]) -> None:
    """In the child: turn into the tool. Never returns."""
    try:
        os.setpgid(0, 0)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == guardian:
            for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, *_ENDINGS):
                signal.signal(number, signal.SIG_DFL)
            os.execvpe(argv[0], argv, os.environ)  # noqa: S606, TID251 - what AEGIS gave as the tool's environment
    except OSError as error:
        _say(control, f"X {error.errno} {error.strerror}")
    finally:
        os._exit(_CANNOT_RUN)


def _buried(child: int) -> int | None:
    """Bury whoever has died; the tool's status if it was among them."""
    with contextlib.suppress(ChildProcessError):
        while (met := os.waitpid(-1, os.WNOHANG))[0]:
            if met[0] == child:
                return met[1]
    return None


def _is_closed(control: int) -> bool:
    """Whether the other end is gone; if it never read what was said, that shows as a reset."""
    try:
        return not os.read(control, 1)
    except OSError:
        return True


def _wait(control: int, wake: int, child: int, deadline: float | None) -> int | None:
    """The tool's status as wait(2) gives it; None if the other end closed, or the deadline passed, before it ended."""
    watched = [wake] if deadline is not None else [wake, control]
    while True:
        status = _buried(child)
        if status is not None:
            return status
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select(watched, [], [], left)
        if wake in ready:
            os.read(wake, 512)
        if (control in ready and _is_closed(control)) or not ready:
            return None


def _signal_group(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _children() -> list[int]:
    """Those that were adopted and have not ended; none where the system does not tell."""
    pid = os.getpid()
    try:
        return [int(word) for word in Path(f"/proc/self/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def _end_all(leader: int) -> None:
    """Kill whatever is left below this process, and bury it; nothing cuts that short."""
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    until = time.monotonic() + _END_SECONDS
    while time.monotonic() < until:
        _signal_group(leader, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for pid in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_STEP_SECONDS)


def guard(control: int, argv: list[str]) -> None:
    """Run the tool to its end, or to that of whoever holds the other end of `control`."""
    os.set_inheritable(control, False)  # noqa: FBT003 - it has no other form
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in _ENDINGS:
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    here = os.getpid()
    child = os.fork()
    if not child:
        _become(control, here, argv)
    with contextlib.suppress(PermissionError, ProcessLookupError):  # both do it, so that neither is too early
        os.setpgid(child, child)
    status: int | None = None
    try:
        status = _accompany(control, wake, child)
    finally:
        _end_all(child)
    _say(control, f"S {os.waitstatus_to_exitcode(status) if status is not None else -signal.SIGKILL}")


def _accompany(control: int, wake: int, child: int) -> int | None:
    """The tool's status; None where it had to be killed."""
    _say(control, f"P {child}")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    status = _wait(control, wake, child, None)
    if status is None:
        _signal_group(child, signal.SIGTERM)
        status = _wait(control, wake, child, time.monotonic() + GRACE_SECONDS)
    return status


if __name__ == "__main__":
    guard(int(sys.argv[1]), sys.argv[2:])

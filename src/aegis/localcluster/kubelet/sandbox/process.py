"""Starting one program in a sandbox: fork, namespaces, root, identity, exec; faults come back in words.

The words of a failed start are those of runc and containerd, which people and rules know from real clusters.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import stat
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from aegis.localcluster.kubelet.sandbox import linux, rootfs
from aegis.localcluster.kubelet.sandbox.launch import Identity, Launch
from aegis.localcluster.kubelet.watch import seccomp

SETUP_SECONDS = 20
_OUT_OF_MEMORY_FIRST = "500"
_PID, _FAULT = "p", "f"
_STDIO = 3


class StartError(Exception):
    """A program that could not be started; the message says why, as a container runtime words it."""


def spawn(launch: Launch, given: Sequence[int], base: Path, joined: int | None, *, map_users: bool) -> int:
    """Start a program and wait until it runs; its process id as this process sees it.

    Args:
        launch: what to start.
        given: descriptors of standard input, output and error, and of the sentry's door if it is to be watched.
        base: the sandbox's private folder.
        joined: the process whose namespaces it enters, for a launch without a root of its own.
        map_users: whether several users exist in the sandbox.

    Raises:
        StartError: it does not run.
    """
    read_end, write_end = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.close(read_end)
        _child(launch, given, base, joined, report=write_end, map_users=map_users)
    os.close(write_end)
    with os.fdopen(read_end, encoding="utf-8", errors="replace") as report:
        said = {line[:1]: line[1:] for line in report.read().split("\0")}
    os.waitpid(middle, 0)
    if _FAULT in said or _PID not in said:
        if _PID in said:
            os.waitpid(int(said[_PID]), 0)
        raise StartError(said.get(_FAULT, "the sandbox could not fork"))
    return int(said[_PID])


def spawn_plain(launch: Launch, stdio: Sequence[int]) -> int:
    """Start a program without namespaces and wait until it runs; it ends with this process.

    Raises:
        StartError: it does not run.
    """
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            linux.die_with_parent(signal.SIGKILL)
            _take_stdio(stdio, tty=launch.tty)
            _execute(launch)
        except StartError as error:
            _report(write_end, _FAULT, str(error))
        except BaseException as error:  # noqa: BLE001 - the outermost door of a forked process: it must not return
            _report(write_end, _FAULT, f"failed to start the process: {error}")
        finally:
            os._exit(128)
    os.close(write_end)
    with os.fdopen(read_end, encoding="utf-8", errors="replace") as report:
        fault = report.read()
    if fault:
        os.waitpid(pid, 0)
        raise StartError(fault[1:-1])
    return pid


def _child(
    launch: Launch, given: Sequence[int], base: Path, joined: int | None, *, report: int, map_users: bool
) -> NoReturn:
    """The process between: it enters or leaves the pid namespace, which only takes effect for its own child."""
    try:
        signal.set_wakeup_fd(-1)
        signal.alarm(SETUP_SECONDS)
        spaces = None
        if joined is None:
            linux.unshare(linux.CLONE_NEWNS | (0 if launch.share_pids else linux.CLONE_NEWPID))
        else:
            spaces = _Spaces(base, joined)
            spaces.enter_pids()
        pid = os.fork()
        if pid:
            _report(report, _PID, str(pid))
            os._exit(0)
        signal.alarm(SETUP_SECONDS)
        if spaces is not None:
            spaces.enter_files()
        elif launch.root is not None:
            rootfs.enter(launch.root, base, base / "termination" / launch.key)
        _become(launch, given, spaces, map_users=map_users)
    except StartError as error:
        _report(report, _FAULT, str(error))
    except BaseException as error:  # noqa: BLE001 - the outermost door of a forked process: it must not return
        _report(report, _FAULT, f"failed to create the container's sandbox: {error}")
    finally:
        os._exit(128)


def _report(report: int, kind: str, text: str) -> None:
    os.write(report, f"{kind}{text}\0".encode())


class _Spaces:
    """The namespaces of a running container."""

    def __init__(self, base: Path, pid: int) -> None:
        folder = base / "proc" / str(pid) / "ns"
        own = base / "proc" / "1" / "ns"
        self._pids = os.open(folder / "pid", os.O_RDONLY)
        self._files = os.open(folder / "mnt", os.O_RDONLY)
        same = (folder / "user").stat().st_ino == (own / "user").stat().st_ino
        self._users = None if same else os.open(folder / "user", os.O_RDONLY)

    def enter_pids(self) -> None:
        linux.setns(self._pids, linux.CLONE_NEWPID)

    def enter_files(self) -> None:
        linux.setns(self._files, linux.CLONE_NEWNS)

    def enter_users(self) -> bool:
        """Whether the container has users of its own, which are then these."""
        if self._users is None:
            return False
        linux.setns(self._users, linux.CLONE_NEWUSER)
        return True


def _become(launch: Launch, given: Sequence[int], spaces: _Spaces | None, *, map_users: bool) -> NoReturn:
    stdio, doors = given[:_STDIO], given[_STDIO:]
    _take_stdio(stdio, tty=launch.tty)
    Path("/proc/self/oom_score_adj").write_text(_OUT_OF_MEMORY_FIRST, encoding="utf-8")
    Path(launch.cwd).mkdir(parents=True, exist_ok=True)
    identity = launch.identity
    if map_users:
        _own_stdio(stdio, identity)
    linux.bound_capabilities(frozenset(identity.capabilities))
    for door in doors:
        _be_watched(door)
    if spaces is None or not spaces.enter_users():
        _take_identity(identity, map_users=map_users)
    if identity.no_new_privileges:
        linux.forbid_new_privileges()
    _execute(launch)


def _be_watched(door: int) -> None:
    """Put this process under the sentry's eyes, while it still may: its own user may lack the right."""
    listener = seccomp.install()
    with socket.socket(fileno=door) as sentry:
        socket.send_fds(sentry, [b"\0"], [listener])
    os.close(listener)


def _take_stdio(stdio: Sequence[int], *, tty: bool) -> None:
    os.setsid()
    for number, fd in enumerate(stdio):
        os.dup2(fd, number)
    if tty:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _execute(launch: Launch) -> NoReturn:
    signal.set_wakeup_fd(-1)
    os.umask(0o022)
    program = find_program(launch.argv[0], launch.env.get("PATH", ""), launch.cwd)
    _chdir(launch.cwd)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.alarm(0)
    try:
        os.execve(program, launch.argv, dict(launch.env))  # noqa: S606 - no shell is wanted
    except OSError as error:
        raise StartError(f"exec {program}: {os.strerror(error.errno or 0).lower()}: unknown") from error


def _own_stdio(stdio: Sequence[int], identity: Identity) -> None:
    # A program may open /dev/stdout again: the pipe, or the terminal, then has to be its own user's.
    for fd in stdio:
        if stat.S_ISFIFO(os.fstat(fd).st_mode) or os.isatty(fd):
            try:
                os.fchown(fd, identity.uid, identity.gid)
            except PermissionError:
                return


def _take_identity(identity: Identity, *, map_users: bool) -> None:
    if map_users:
        os.setgroups(identity.groups)
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)
    elif identity.uid or identity.gid:
        linux.unshare(linux.CLONE_NEWUSER)
        for name, line in (
            ("setgroups", "deny"),
            ("uid_map", f"{identity.uid} 0 1"),
            ("gid_map", f"{identity.gid} 0 1"),
        ):
            Path(f"/proc/self/{name}").write_text(line, encoding="utf-8")


def _chdir(cwd: str) -> None:
    try:
        os.chdir(cwd)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise StartError(f'chdir to cwd ("{cwd}") set in config.json failed: {reason}: unknown') from error


def find_program(name: str, path: str, cwd: str) -> str:
    """Where a program lies, in the file system of this process.

    Raises:
        StartError: nowhere, or it may not be executed.
    """
    if "/" not in name:
        for folder in path.split(":"):
            candidate = Path(folder or ".") / name
            if candidate.is_file() and os.access(candidate, os.X_OK, effective_ids=True):
                return str(candidate)
        raise StartError(f'exec: "{name}": executable file not found in $PATH: unknown')
    full = str(Path(cwd) / name)
    try:
        mode = Path(full).stat().st_mode
    except OSError as error:
        reason = os.strerror(error.errno or errno.ENOENT).lower()
        raise StartError(f'exec: "{name}": stat {full}: {reason}: unknown') from error
    if stat.S_ISDIR(mode):
        raise StartError(f'exec: "{name}": is a directory: unknown')
    if not os.access(full, os.X_OK, effective_ids=True):
        raise StartError(f'exec: "{name}": permission denied: unknown')
    return full


def exit_code(status: int) -> int:
    """The exit code that Kubernetes shows for a wait status: 128 and the signal for one that was killed."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code

"""One at a time, across the processes of this machine: a lock that the kernel drops when its holder dies."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aegis.errors import Refused, Unavailable
from aegis.model.refs import ObjectRef

_POLL_SECONDS = 0.05


def private_folder(path: Path, *, ours: bool = True) -> Path:
    """The folder, made (0700) if it is not there, as are the parents that it lacks; those that are there stay as they are.

    Args:
        path: the folder.
        ours: whether only AEGIS uses it, so that it is closed (0700) where it is there and open to others.

    Raises:
        Unavailable: if it cannot be made, or closed.
    """
    try:
        for parent in reversed(path.parents):
            if not parent.exists():
                parent.mkdir(mode=0o700, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        if ours and path.stat().st_mode & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise Unavailable(f"cannot make the private folder {path}: {error.strerror}") from error
    return path


def lock_domain(folder: Path) -> str:
    """Names whoever shares the locks of a folder: the same folder, under the same running kernel.

    A process that holds such a lock knows that another holder of the same domain has ended.

    Raises:
        Unavailable: if the folder cannot be looked at.
    """
    try:
        found = private_folder(folder).stat()
    except OSError as error:
        raise Unavailable(f"cannot look at the folder of locks {folder}: {error.strerror}") from error
    node = os.uname().nodename
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = node  # not Linux
    where = hashlib.sha256(f"{boot}\n{found.st_dev}\n{found.st_ino}".encode()).hexdigest()[:12]
    return f"{node[:63]}/{where}"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file while the block runs, waiting for it.

    For what takes milliseconds: it blocks the thread.
    """
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@asynccontextmanager
async def target_lock(
    folder: Path,
    cluster_uid: str,
    target: ObjectRef,
    *,
    wait: float = 0.0,
    waiting: Callable[[str], object] = lambda _: None,
) -> AsyncIterator[None]:
    """Hold the lock of one target of one cluster while the block runs; the kernel frees it if the process dies.

    Args:
        folder: where the lock files lie.
        cluster_uid: which cluster.
        target: kind, name and namespace count.
        wait: seconds to wait for another holder.
        waiting: told once, in words, for whom it has to wait.

    Raises:
        Refused: if another process still holds it.
    """
    name = hashlib.sha256(f"{cluster_uid}\n{target.kind}\n{target.namespace}\n{target.name}".encode()).hexdigest()[:32]
    descriptor = _open(private_folder(folder) / f"{name}.lock")
    try:
        if wait and not await _acquired(descriptor, 0.0):
            waiting(f"{target} is being worked on by another AEGIS (process {_holder(descriptor)}): waiting")
        if not await _acquired(descriptor, wait):
            raise Refused(
                f"{target} is being worked on by another AEGIS (process {_holder(descriptor)})",
                hint="Wait for it to end, or see `aegis incident list`.",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


async def _acquired(descriptor: int, wait: float) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return True


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Unavailable(f"cannot open the lock {path}: {error.strerror}") from error


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"

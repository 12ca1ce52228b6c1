"""The folder of a local cluster: who may read it, which process holds it, what that process says of itself.

The holder keeps an exclusive lock on the file `aegis-local.lock` and writes its process id there. The
kernel drops the lock when the process ends, however it ends: so a lock that is held is a cluster that lives, and a
stale id misleads nobody. The same file marks the folder as ours: nothing is written or removed in another.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aegis.errors import Refused, Unavailable
from aegis.localcluster.options import ClusterInfo

_LOCK, _INFO, _KUBECONFIG, _PODS = "aegis-local.lock", "cluster.json", "kubeconfig", "pods"
_LOG, _STDERR = "cluster.log", "cluster.err"
_PRIVATE = 0o700
_PAUSE = 0.02
_PROBE = 0.5
"""Seconds for which a new holder tries: somebody's look at the lock holds it for an instant."""


class StateFolder:
    """The files of one local cluster."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.path / _KUBECONFIG

    @property
    def log(self) -> Path:
        """What the running cluster logs."""
        return self.path / _LOG

    @property
    def stderr(self) -> Path:
        """What a cluster in the background wrote before its log was open, or as it died."""
        return self.path / _STDERR

    @property
    def pods(self) -> Path:
        """The kubelet's own folder."""
        return self.path / _PODS

    def prepare(self) -> None:
        """Make the folder, for its owner alone.

        Raises:
            Refused: it belongs to somebody else, or holds something else.
            Unavailable: it cannot be made.
        """
        try:
            self.path.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            found = self.path.stat()
        except OSError as error:
            raise Unavailable(f"the state folder {self.path} cannot be made: {error.strerror}") from error
        if found.st_uid != os.geteuid():
            raise Refused(f"the state folder {self.path} belongs to another user", hint="choose another with --state")
        names = {path.name for path in self.path.iterdir()}  # the lock is the first file that is ever made
        if names and _LOCK not in names:
            raise Refused(f"{self.path} holds other files", hint="choose an empty or a new folder as state folder")
        (self.path / _LOCK).touch(mode=0o600)
        if stat.S_IMODE(found.st_mode) != _PRIVATE:
            self.path.chmod(_PRIVATE)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder: no other cluster uses it meanwhile.

        Raises:
            Refused: another process holds it.
        """
        with (self.path / _LOCK).open("a+", encoding="ascii") as file:
            if not _locked(file.fileno(), fcntl.LOCK_EX, within=_PROBE):
                raise Refused(f"a local cluster runs in {self.path} already")
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def holder(self) -> int | None:
        """The process that holds the folder, or None."""
        end = time.monotonic() + _PROBE
        while True:
            held, pid = self._look()
            if not held or pid is not None or time.monotonic() >= end:
                return pid
            time.sleep(_PAUSE)  # it has just taken the lock, and is about to write

    def _look(self) -> tuple[bool, int | None]:
        """Whether the lock is held, and what stands in it then."""
        try:
            with (self.path / _LOCK).open(encoding="ascii") as file:
                if _locked(file.fileno(), fcntl.LOCK_SH, within=0):
                    return False, None
                text = file.read().strip()
        except FileNotFoundError:
            return False, None
        return True, int(text) if text.isdecimal() else None

    def publish(self, info: ClusterInfo) -> None:
        """Say that the cluster is ready."""
        fresh = self.path / f"{_INFO}.new"
        fresh.write_text(json.dumps(info.to_json()), encoding="utf-8")
        fresh.replace(self.path / _INFO)

    def info(self) -> ClusterInfo | None:
        """What the process that holds the folder published; None while none does, or it is not ready yet."""
        holder = self.holder()
        if holder is None:
            return None
        try:
            info = ClusterInfo.from_json(json.loads((self.path / _INFO).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return info if info.pid == holder else None

    def clear(self) -> None:
        """Remove everything of the cluster but the lock that its holder keeps."""
        for name in (_INFO, _KUBECONFIG):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.pods, ignore_errors=True)

    def remove(self) -> None:
        """Remove the cluster's files, and the folder unless somebody put other files there."""
        if not self._is_ours():
            return
        self.clear()
        for path in [*self.path.glob(f"{_LOG}*"), self.stderr, self.path / _LOCK]:
            path.unlink(missing_ok=True)
        if self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()

    def _is_ours(self) -> bool:
        return (self.path / _LOCK).is_file()


def _locked(descriptor: int, kind: int, *, within: float) -> bool:
    """Try to lock a file until the seconds are over; whether it worked."""
    end = time.monotonic() + within
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= end:
                return False
            time.sleep(_PAUSE)
        else:
            return True

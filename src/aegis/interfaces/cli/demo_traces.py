"""What a demo has made on somebody's cluster, written down before it is made: so that a later run finds it by its uid.

A run is a folder of the state folder, held by a lock that the kernel drops when its process dies. It is gone when
everything that it names is gone.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aegis.errors import Refused, Unavailable
from aegis.model.refs import ObjectRef
from aegis.stores.durable import replace_file
from aegis.stores.locks import private_folder, target_lock

_FILE = "made.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One demo on one cluster.

    Attributes:
        folder: where it is written down; AEGIS's own state of this run lies in it too.
        cluster_uid: of the cluster.
        made: the uid of each namespace by its name; empty between the plan and the answer of the server.
    """

    folder: Path
    cluster_uid: str
    made: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its name: part of the names and labels of what it makes."""
        return self.folder.name

    @property
    def state(self) -> Path:
        """The state folder for its incidents and its audit log."""
        return self.folder / "state"

    def note(self, namespace: str, uid: str = "") -> None:
        """A namespace is about to be made, or was.

        Raises:
            Unavailable: if it cannot be written down.
        """
        self.made[namespace] = uid
        self.write()

    def forget(self, namespace: str) -> None:
        """A namespace is gone.

        Raises:
            Unavailable: if it cannot be written down.
        """
        self.made.pop(namespace, None)
        self.write()

    def end(self) -> None:
        """It is over; nothing is left to be known of it once nothing that it made is left.

        Raises:
            Unavailable: if something is.
        """
        if self.made:
            raise Unavailable(
                f"left behind: {', '.join(self.made)}", hint="The next demo on this cluster deletes what is left."
            )
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self) -> None:
        """Make durable what it names.

        Raises:
            Unavailable: if that cannot be.
        """
        content = {"cluster": self.cluster_uid, "made": self.made}
        try:
            replace_file(self.folder / _FILE, json.dumps(content).encode())
        except OSError as error:
            raise Unavailable(f"cannot write down what the demo makes: {error}") from error


@asynccontextmanager
async def begun(home: Path, cluster_uid: str) -> AsyncIterator[Run]:
    """A new run, held while the block runs.

    Args:
        home: the folder of all runs.
        cluster_uid: of the cluster on which it is.

    Raises:
        Unavailable: if something is left when the block is.
    """
    run = Run(folder=private_folder(home / secrets.token_hex(4)), cluster_uid=cluster_uid)
    async with _held(run):
        run.write()
        try:
            yield run
        finally:
            run.end()


@asynccontextmanager
async def left_over(home: Path, cluster_uid: str) -> AsyncIterator[list[Run]]:
    """The runs on this cluster whose processes died, held while the block runs."""
    async with AsyncExitStack() as holding:
        found = []
        for folder in sorted(home.glob("*")) if home.is_dir() else ():
            run = _read(folder)
            if run is None or run.cluster_uid != cluster_uid:
                continue
            with contextlib.suppress(Refused):  # it is still going on
                await holding.enter_async_context(_held(run))
                found.append(run)
        yield found


@asynccontextmanager
async def _held(run: Run) -> AsyncIterator[None]:
    demo = ObjectRef(api_version="aegis.io/v1", kind="Demo", name=run.id)
    async with target_lock(run.folder / "lock", run.cluster_uid, demo):
        yield


def _read(folder: Path) -> Run | None:
    """A run that was written down; None where there is none, or not yet."""
    try:
        content = json.loads((folder / _FILE).read_bytes())
        made = {str(name): str(uid) for name, uid in content["made"].items()}
        return Run(folder=folder, cluster_uid=str(content["cluster"]), made=made)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None

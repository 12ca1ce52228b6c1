"""Shadows that stand on their own, one small file each: written before the first object of a shadow is made."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aegis.errors import NotFound, Unavailable
from aegis.model.shadow import ShadowSession
from aegis.stores.durable import replace_file, sync_folder
from aegis.stores.locks import locked, private_folder

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_ID: Final = re.compile(r"[a-z0-9]{1,32}")
_LARGEST: Final = 1 << 20


class FileShadowStore:
    """A `ShadowStore` in a folder.

    Args:
        folder: made (0700) when the first shadow is kept.
        cluster_uid: only shadows of this cluster are seen.
    """

    def __init__(self, folder: Path, *, cluster_uid: str) -> None:
        self._folder = folder
        self._cluster_uid = cluster_uid

    def save(self, session: ShadowSession) -> ShadowSession:
        """Keep it durably, over what was kept of it.

        Raises:
            Unavailable: if it cannot be written.
        """
        content = _codec().dump_json(session)
        private_folder(self._folder)
        try:
            with locked(self._folder / "lock"):
                replace_file(self._path(session.id), content)
        except OSError as error:
            raise Unavailable(f"cannot keep the shadow {session.id}: {error.strerror}") from error
        return session

    def forget(self, session_id: str) -> None:
        """Keep it no longer."""
        if not self._folder.is_dir():
            return
        with locked(self._folder / "lock"):
            self._path(session_id).unlink(missing_ok=True)
            sync_folder(self._folder)

    def load(self, words: str) -> ShadowSession:
        """The shadow of this id, or whose id begins so, if only one does.

        Raises:
            NotFound: if there is none, or several begin so.
        """
        known = self.list()
        found = [one for one in known if one.id == words] or [
            one for one in known if words and one.id.startswith(words)
        ]
        if not found:
            raise NotFound(f"there is no shadow {words}", hint="See `aegis shadow list`.")
        if len(found) > 1:
            raise NotFound(f"several shadows begin with {words}", hint="Give more of the id.")
        return found[0]

    def list(self) -> list[ShadowSession]:
        """The shadows of this cluster, the newest first."""
        found = [_read(path) for path in sorted(self._folder.glob("*.json"))]
        here = [one for one in found if one is not None and one.cluster_uid == self._cluster_uid]
        return sorted(here, key=lambda one: (one.created_at, one.id), reverse=True)

    def _path(self, session_id: str) -> Path:
        if not _ID.fullmatch(session_id):
            raise NotFound(f"{session_id!r} is no id of a shadow", hint="See `aegis shadow list`.")
        return self._folder / f"{session_id}.json"


def _read(path: Path) -> ShadowSession | None:
    """What is kept in a file; None where it is gone meanwhile.

    Raises:
        Unavailable: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return _codec().validate_json(file.read(_LARGEST))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"the shadow kept in {path} cannot be read: {' '.join(str(error).split())[:200]}",
            hint="Delete its namespace and then this file.",
        ) from error


@cache
def _codec() -> TypeAdapter[ShadowSession]:
    """Imported here, since pydantic costs 70 ms and most commands keep no shadow."""
    from pydantic import TypeAdapter

    return TypeAdapter(ShadowSession)

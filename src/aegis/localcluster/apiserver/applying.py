"""Server-side apply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.localcluster.apiserver.objects import Object
from aegis.localcluster.apiserver.refusals import Unimplemented
from aegis.localcluster.apiserver.registry import Place
from aegis.localcluster.apiserver.store import Store
from aegis.localcluster.apiserver.writing import WriteOptions, Writer


class Applier:
    """Applies a configuration on behalf of a manager."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._store, self._writer = store, writer

    def apply(
        self, place: Place, given: Mapping[str, Any], options: WriteOptions, *, force: bool
    ) -> tuple[Object, bool]:
        """The object afterwards, and whether it is new.

        Raises:
            Unimplemented: not yet.
        """
        raise Unimplemented(f"server-side apply ({place.name}, {force}, {options.manager}, {len(given)})")

"""Kinds and words to resources: the usual ones by heart, the others asked of the server once."""

from __future__ import annotations

from typing import Final

from aegis.drivers.kubernetes.faults import Doing
from aegis.drivers.kubernetes.resources import (
    USUAL,
    Resource,
    find_kind,
    find_word,
    parse_group_list,
    parse_resource_list,
)
from aegis.drivers.kubernetes.transport import Call, Refusal, Transport
from aegis.errors import NotFound, UsageError
from aegis.model.refs import JsonObject

_MOST_GROUPS: Final = 300
_NOT_FOUND: Final = 404
_USUAL_VERSIONS: Final = frozenset(resource.api_version for resource in USUAL)


class Catalogue:
    """What one server serves, as far as it was asked."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._asked: dict[str, tuple[Resource, ...]] = {}

    async def by_kind(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind; with an empty version that of any group.

        Raises:
            NotFound: if the server serves no such kind.
        """
        usual = find_kind(USUAL, api_version, kind)
        if usual:
            return usual
        if api_version:
            found = find_kind(await self._served(api_version), api_version, kind)
        else:
            found = await self._search_kind(kind)
        if found is None:
            raise NotFound(f"the server serves no kind {kind} of {api_version or 'any version'}")
        return found

    async def by_word(self, word: str) -> Resource:
        """The resource that a user's word means.

        Raises:
            UsageError: if the server has none.
        """
        usual = find_word(USUAL, word)
        if usual:
            return usual
        group = word.lower().partition(".")[2]
        for name, api_version in (await self._groups()).items():
            if group in {"", name} or group.endswith(f".{name}"):
                found = find_word(await self._served(api_version), word)
                if found:
                    return found
        raise UsageError(f"the server has no resource {word!r}", hint="See `kubectl api-resources`.")

    async def _search_kind(self, kind: str) -> Resource | None:
        for api_version in (await self._groups()).values():
            found = find_kind(await self._served(api_version), "", kind)
            if found:
                return found
        return None

    async def _groups(self) -> dict[str, str]:
        groups = parse_group_list(await self._ask("/apis"))
        if len(groups) > _MOST_GROUPS:
            raise UsageError(f"the server serves {len(groups)} API groups", hint="Name the kind as RESOURCE.GROUP.")
        return groups

    async def _served(self, api_version: str) -> tuple[Resource, ...]:
        """What a group version serves; asked again while it serves nothing (a CRD may come)."""
        if not self._asked.get(api_version):
            path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            try:
                self._asked[api_version] = parse_resource_list(await self._ask(path))
            except NotFound:
                return ()
        return self._asked[api_version]

    async def _ask(self, path: str) -> JsonObject:
        call = Call(doing=Doing(verb="get", resource=path), method="GET", path=path, repeatable=True)
        try:
            return await self._transport.json(call)
        except Refusal as refusal:
            raise refusal.translated() from None

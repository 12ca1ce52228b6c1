"""One request to a resource, and the answer to it, apart from any HTTP library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aegis.localcluster.api import Propagation
from aegis.localcluster.apiserver.access import User
from aegis.localcluster.apiserver.deleting import DeleteOptions
from aegis.localcluster.apiserver.refusals import BadRequest
from aegis.localcluster.apiserver.registry import Place, Resource
from aegis.localcluster.apiserver.store import Stored, encode
from aegis.localcluster.apiserver.writing import FieldValidation, WriteOptions

JSON = "application/json"
_TRUE = frozenset({"true", "1", "t", "T", "TRUE", "True"})
_FALSE = frozenset({"", "false", "0", "f", "F", "FALSE", "False"})
_MANAGER_MAX = 128
_PROPAGATIONS: dict[str, Propagation] = {
    "Background": "Background",
    "Foreground": "Foreground",
    "Orphan": "Orphan",
}
_VALIDATIONS: dict[str, FieldValidation] = {"Ignore": "Ignore", "Warn": "Warn", "Strict": "Strict", "": "Warn"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request to a resource.

    Attributes:
        body: the decoded body, or None where there is none.
        agent: the User-Agent's first word: the field manager where none is named.
        warnings: collects what the client is to be told beside the answer.
    """

    user: User
    verb: str
    resource: Resource
    namespace: str | None
    name: str | None
    subresource: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    accept: str = ""
    content_type: str = ""
    body: Any = None
    agent: str = "unknown"
    warnings: list[str] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """The object asked for."""
        return Place(self.resource, self.namespace, self.name or "")

    def flag(self, name: str) -> bool:
        """A boolean of the query.

        Raises:
            BadRequest: it is neither true nor false.
        """
        value = self.query.get(name, "")
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise BadRequest(f"invalid value for query parameter {name}: {value!r}")

    def number(self, name: str) -> int | None:
        """A whole number of the query, or None.

        Raises:
            BadRequest: it is no whole number.
        """
        value = self.query.get(name, "")
        if not value:
            return None
        try:
            return int(value)
        except ValueError:
            raise BadRequest(f"invalid value for query parameter {name}: {value!r}") from None

    def dry_run(self) -> bool:
        """Whether nothing may be stored.

        Raises:
            BadRequest: dryRun is neither absent nor All.
        """
        value = self.query.get("dryRun", "")
        if value not in {"", "All"}:
            raise BadRequest(f'dryRun: Unsupported value: "{value}": supported values: "All"')
        return value == "All"

    def write_options(self, *, dry_run: bool = False) -> WriteOptions:
        """The options of a write, from the query.

        Raises:
            BadRequest: one of them makes no sense.
        """
        manager = self.query.get("fieldManager") or self.agent
        if len(manager) > _MANAGER_MAX or not manager.isprintable():
            raise BadRequest(f"fieldManager: Invalid value: may not be more than {_MANAGER_MAX} printable characters")
        validation = self.query.get("fieldValidation", "")
        if validation not in _VALIDATIONS:
            raise BadRequest(f'fieldValidation: Unsupported value: "{validation}"')
        return WriteOptions(
            manager=manager,
            dry_run=self.dry_run() or dry_run,
            field_validation=_VALIDATIONS[validation],
            subresource=self.subresource,
            user=self.user,
            warnings=self.warnings,
        )

    def delete_options(self) -> DeleteOptions:
        """The options of a deletion, from body and query.

        Raises:
            BadRequest: one of them makes no sense.
        """
        body = self.body or {}
        if not isinstance(body, dict) or body.get("kind") not in {None, "", "DeleteOptions"}:
            raise BadRequest("the body of a deletion must be DeleteOptions")
        return delete_options(body, self)


def delete_options(body: Mapping[str, Any], call: Call) -> DeleteOptions:
    """DeleteOptions from their JSON, completed from the query.

    Raises:
        BadRequest: one of them makes no sense.
    """
    preconditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds")
    if grace is None:
        grace = call.number("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or grace < 0):
        raise BadRequest("gracePeriodSeconds must be a non-negative integer")
    named = body.get("propagationPolicy") or call.query.get("propagationPolicy") or ""
    if named and named not in _PROPAGATIONS:
        raise BadRequest(f'propagationPolicy: Unsupported value: "{named}"')
    propagation = _PROPAGATIONS.get(named)
    if propagation is None and (body.get("orphanDependents") or call.flag("orphanDependents")):
        propagation = "Orphan"
    return DeleteOptions(
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        grace_seconds=grace,
        propagation=propagation,
        dry_run=call.dry_run() or body.get("dryRun") == ["All"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: its status, its body and the warnings that go with it."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    warnings: tuple[str, ...] = ()


def reply(obj: Any, status: int = 200) -> Reply:
    """A JSON answer; a stored object's bytes are encoded once for all who ask."""
    return Reply(status=status, body=obj.wire() if isinstance(obj, Stored) else encode(obj))


def success(*, code: int = 200, details: Mapping[str, Any] | None = None) -> Reply:
    """A Status of success."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if code != 200:  # noqa: PLR2004 - a plain OK carries no code
        return reply({**status, "code": code}, code)
    return reply({**status, **({"details": dict(details)} if details else {})})

"""What admission is asked, and what a step of it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from aegis.localcluster.apiserver.access import User
from aegis.localcluster.apiserver.registry import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One write, as admission sees it; `new` may be changed by the first half of the chain.

    Attributes:
        user: who writes; None for a part of the cluster itself.
        warnings: collects what the client is to be told.
    """

    resource: Resource
    operation: Literal["CREATE", "UPDATE"]
    new: dict[str, Any]
    old: Mapping[str, Any] | None
    dry_run: bool = False
    subresource: str = ""
    user: User | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def namespace(self) -> str | None:
        """The object's namespace."""
        namespace: str | None = self.new["metadata"].get("namespace")
        return namespace

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.new["metadata"]["name"])

    def creates(self, full_name: str) -> bool:
        """Whether it creates an object of this resource."""
        return self.operation == "CREATE" and self.resource.full_name == full_name


class Step(Protocol):
    """One step of admission; either half may do nothing."""

    def mutate(self, request: Request) -> None:
        """Change the object, or refuse it with an `ApiError`."""
        ...

    def judge(self, request: Request) -> None:
        """Refuse the finished and valid object with an `ApiError`."""
        ...

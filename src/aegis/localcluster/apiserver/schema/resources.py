"""Custom objects on their way into the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.localcluster.apiserver.registry import CustomType
from aegis.localcluster.apiserver.schema import structural
from aegis.localcluster.apiserver.schema.checking import faults_of
from aegis.localcluster.apiserver.schema.rules import rule_faults
from aegis.localcluster.status import Cause


def prepare(custom: CustomType, obj: dict[str, Any]) -> list[str]:
    """Prune and complete an object, in place; returns the paths of the fields that were dropped."""
    dropped = structural.prune(custom.schema, obj)
    structural.default(custom.schema, obj)
    return dropped


def validate_custom(custom: CustomType, obj: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[Cause]:
    """Every fault of an object: of its schema, and where there is none, of its rules."""
    return faults_of(custom.schema, obj) or list(rule_faults(custom.schema, obj, old))

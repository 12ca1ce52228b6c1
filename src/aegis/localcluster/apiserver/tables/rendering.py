"""meta/v1 Table documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aegis.localcluster.apiserver.registry import Resource
from aegis.localcluster.apiserver.tables.columns import Column
from aegis.localcluster.apiserver.tables.lookup import columns_of


def table(
    resource: Resource, objects: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any], include: str
) -> dict[str, Any]:
    """A Table of these objects; `include` says what each row carries: None, Metadata (as unnamed) or Object."""
    columns = columns_of(resource)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": dict(metadata),
        "columnDefinitions": [_definition(c) for c in columns],
        "rows": [{"cells": [c.cell(o) for c in columns], **_row_object(o, include)} for o in objects],
    }


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _row_object(obj: Mapping[str, Any], include: str) -> dict[str, Any]:
    if include == "None":
        return {}
    if include == "Object":
        return {"object": obj}
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
    return {"object": partial}

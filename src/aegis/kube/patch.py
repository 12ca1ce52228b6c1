"""Patches of Kubernetes objects: JSON merge patch (RFC 7386) and JSON patch (RFC 6902).

Strategic merge patch stands in `aegis.kube.strategic`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jsonpatch

MAX_OPERATIONS: Final = 10_000
"""Operations of one JSON patch, as the API server limits them."""


def merge_patch(target: Any, patch: Any) -> Any:
    """The target after a JSON merge patch; neither argument is changed, and the result may share parts with both."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


class PatchError(ValueError):
    """A patch that is malformed, or does not apply."""


def apply_json_patch(target: Any, operations: Any) -> Any:
    """The target after a JSON patch; the target is not changed.

    Raises:
        PatchError: an operation is malformed, its path is not there, or a test fails.
    """
    if not isinstance(operations, list):
        raise PatchError("a JSON patch must be a list of operations")
    if len(operations) > MAX_OPERATIONS:
        raise PatchError(f"a JSON patch may have at most {MAX_OPERATIONS} operations")
    try:
        return jsonpatch.apply_patch(target, operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError) as error:
        raise PatchError(str(error) or type(error).__name__) from error

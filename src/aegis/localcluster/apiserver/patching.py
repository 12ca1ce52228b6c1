"""What a patch makes of an object, by its content type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.kube.patch import PatchError, apply_json_patch, merge_patch
from aegis.kube.strategic import strategic_patch
from aegis.localcluster.apiserver.objects import Object
from aegis.localcluster.apiserver.refusals import BadRequest
from aegis.localcluster.apiserver.registry import Resource
from aegis.localcluster.status import ApiError

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class UnprocessablePatch(ApiError):
    """422 for a JSON patch that does not apply."""

    def __init__(self, why: str) -> None:
        super().__init__(422, "Invalid", f"the server rejected our request due to an error in our request: {why}")


def patched(resource: Resource, current: Mapping[str, Any], patch: Any, content_type: str) -> Object:
    """The object after a merge, JSON or strategic patch.

    A merge patch may name a resourceVersion as a precondition; else it applies to whatever stands now.

    Raises:
        BadRequest: the patch is not of its type's form.
        UnprocessablePatch: a JSON patch does not apply.
    """
    metadata = {k: v for k, v in current["metadata"].items() if k != "resourceVersion"}
    loose = {**current, "metadata": metadata}
    if content_type == JSON_PATCH:
        try:
            result = apply_json_patch(current, patch)
        except PatchError as error:
            raise UnprocessablePatch(str(error)) from None
    elif not isinstance(patch, Mapping):
        raise BadRequest("the patch must be an object")
    elif content_type == MERGE:
        result = merge_patch(loose, patch)
    else:
        try:
            result = strategic_patch(resource.kind, loose, patch)
        except PatchError as error:
            raise BadRequest(str(error)) from None
    if not isinstance(result, dict) or not isinstance(result.get("metadata"), dict):
        raise UnprocessablePatch("the patched object is no object with metadata")
    return result

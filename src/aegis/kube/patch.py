"""Patches of Kubernetes objects: JSON merge patch (RFC 7386) and JSON patch (RFC 6902).

Strategic merge patch stands in `aegis.kube.strategic`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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

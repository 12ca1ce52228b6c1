"""Has an object changed since a fix was made for it?"""

from __future__ import annotations

from aegis.model.canonical import digest
from aegis.model.refs import Json

_CONTENT = ("spec", "data", "binaryData", "stringData", "rules", "subjects", "roleRef", "webhooks", "type", "immutable")


def spec_hash(obj: Json, *, autoscaled: bool = False) -> str:
    """The digest of what a person declared of an object: no status, no metadata.

    ConfigMaps and Secrets have no generation, so their content is what tells.

    Args:
        obj: the object as the API server returns it.
        autoscaled: leave `spec.replicas` out, because an autoscaler owns it.
    """
    content = {key: obj[key] for key in _CONTENT if key in obj}
    if autoscaled and isinstance(content.get("spec"), dict):
        content["spec"] = {key: value for key, value in content["spec"].items() if key != "replicas"}
    return digest(content)

"""Claims, volumes and classes: which fits which. Pure.

Source: the Kubernetes API reference and the behaviour of its persistent volume controller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from aegis.kube.quantity import QuantityError, parse_quantity
from aegis.kube.selector import SelectorError, label_selector

Json = Mapping[str, Any]

PROVISIONER: Final = "aegis.local/folder"
"""Makes volumes that are folders of this machine."""
DEFAULT_CLASS: Final = "standard"
IS_DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"
PROVISIONED_BY: Final = "pv.kubernetes.io/provisioned-by"
SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"
CLAIM_HELD: Final = "kubernetes.io/pvc-protection"
VOLUME_HELD: Final = "kubernetes.io/pv-protection"


def default_class(classes: Iterable[Json]) -> str | None:
    """The name of the class for claims that name none: of several marked ones the youngest."""
    marked = [c for c in classes if (c["metadata"].get("annotations") or {}).get(IS_DEFAULT) == "true"]
    marked.sort(key=lambda c: c["metadata"]["name"])
    youngest = max(marked, key=lambda c: str(c["metadata"].get("creationTimestamp")), default=None)
    return None if youngest is None else str(youngest["metadata"]["name"])


def waits_for_consumer(storage_class: Json | None) -> bool:
    """Whether claims of a class are bound only when a pod needs them."""
    return storage_class is not None and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"


def is_bound(claim: Json) -> bool:
    """Whether a claim has its volume."""
    return (claim.get("status") or {}).get("phase") == "Bound"


def claims_of(pod: Json) -> list[str]:
    """The names of the claims that a pod uses."""
    volumes = pod["spec"].get("volumes") or ()
    return [v["persistentVolumeClaim"]["claimName"] for v in volumes if v.get("persistentVolumeClaim")]


def refers(volume: Json, claim: Json) -> bool:
    """Whether a volume is bound to a claim, or kept free for one of its name."""
    reference = volume["spec"].get("claimRef") or {}
    metadata = claim["metadata"]
    named = (reference.get("namespace"), reference.get("name")) == (metadata["namespace"], metadata["name"])
    return named and reference.get("uid") in {None, "", metadata["uid"]}


def best(volumes: Iterable[Json], claim: Json) -> Json | None:
    """The volume for a claim: one that refers to it, else the smallest free one that fits."""
    candidates = [v for v in volumes if not v["metadata"].get("deletionTimestamp")]
    own = next((v for v in candidates if refers(v, claim)), None)
    if own is not None:
        return own
    fitting = [v for v in candidates if not v["spec"].get("claimRef") and _fits(v, claim)]
    return min(fitting, key=lambda v: (_size(v["spec"].get("capacity")), v["metadata"]["name"]), default=None)


def _fits(volume: Json, claim: Json) -> bool:
    offered, wanted = volume["spec"], claim["spec"]
    if (offered.get("storageClassName") or "") != (wanted.get("storageClassName") or ""):
        return False
    if offered.get("volumeMode", "Filesystem") != wanted.get("volumeMode", "Filesystem"):
        return False
    if not set(wanted.get("accessModes") or ()) <= set(offered.get("accessModes") or ()):
        return False
    if _size(offered.get("capacity")) < _size((wanted.get("resources") or {}).get("requests")):
        return False
    return _selected(wanted.get("selector"), volume["metadata"].get("labels") or {})


def _selected(selector: Json | None, labels: Mapping[str, str]) -> bool:
    try:
        return selector is None or label_selector(selector).matches(labels)
    except SelectorError:
        return False


def _size(amounts: Json | None) -> Any:
    try:
        return parse_quantity((amounts or {}).get("storage", "0"))
    except QuantityError:
        return parse_quantity("0")

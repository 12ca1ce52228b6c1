"""From a line of a canonical manifest to a place that stays the same when lines move. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import yaml

from aegis.kube.pod_template import template_path
from aegis.model.canonical import digest

_KEYS: Final = ("name", "key", "mountPath", "containerPort", "port", "topologyKey", "ip")
"""What tells the items of a list apart, as strategic merge does; the first that an item has."""
_MARK: Final = 8


def mark(value: Any) -> str:
    """A few characters that stand for a value, as `#1f0c33ab`: equal for equal values."""
    return f"#{digest(value).removeprefix('sha256:')[:_MARK]}"


def location_at(text: str, first: int, last: int) -> str:
    """The place of the smallest value that holds all of some lines, relative to the pod's spec where it is within one.

    Args:
        text: a canonical manifest: one object, one scalar a line.
        first: line, from 1.
        last: line, from 1.

    Returns:
        As `containers[web].securityContext.privileged`; items of lists by their name, else by what they hold.
    """
    node = _tree(text)
    end = text.count("\n") + 1
    steps: list[str] = []
    while (found := _child(node, first - 1, end)) is not None and last <= found[2]:
        step, node, end = found
        steps.append(step)
    return joined(_within_pod(text, steps))


def joined(steps: list[str]) -> str:
    """The steps as one word."""
    return "".join(step if step.startswith("[") or not number else f".{step}" for number, step in enumerate(steps))


def label(item: Any) -> str:
    """What an item of a list is called: by its name or another key of its own, a scalar by itself, else by its mark."""
    if isinstance(item, Mapping):
        name = next((item[key] for key in _KEYS if isinstance(item.get(key), str | int)), None)
        return f"[{name}]" if name is not None else f"[{mark(item)}]"
    if isinstance(item, str) and len(item) > 60:  # noqa: PLR2004 - a name is not so long
        return f"[{mark(item)}]"
    return f"[{item}]"


@lru_cache(maxsize=1)  # places are asked for file by file, and there may be many
def _tree(text: str) -> Any:
    return yaml.compose(text, Loader=yaml.CSafeLoader)


def _child(node: Any, row: int, end: int) -> tuple[str, Any, int] | None:
    """The child of a node in which a row, from 0, lies: its step, itself, and the row before which it ends."""
    if isinstance(node, yaml.MappingNode):
        pairs = [(str(key.value), key.start_mark.line, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        pairs = [("", value.start_mark.line, value) for value in node.value]
    else:
        return None
    for at, (name, start, value) in enumerate(pairs, 1):
        stop = pairs[at][1] if at < len(pairs) else end
        if start <= row < stop:
            return (name or label(_plain(value)), value, stop)
    return None


def _plain(node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return node.value


def _within_pod(text: str, steps: list[str]) -> list[str]:
    kind = next((line.removeprefix("kind: ") for line in text.splitlines() if line.startswith("kind: ")), "")
    start = [*template_path(kind), "spec"]
    return steps[len(start) :] if steps[: len(start)] == start and len(steps) > len(start) else steps

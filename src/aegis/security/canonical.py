"""Manifests as every scanner reads them alike. Pure.

Whoever proposes a change is not trusted, and a manifest can be written so that one reader sees a privileged pod and
another none: a List, a YAML directive, `privileged: yes`, an anchor, a comment that tells a scanner to look away.
So no tool sees what was written, but what it means: one object a file, block style, no aliases, no comments, none of
the annotations by which scanners are told to skip; a text that no tool could take for a comment in disguise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from aegis.kube.pod_template import template_of, template_path
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.security import SecurityFinding
from aegis.security.block_style import lines
from aegis.security.strict_yaml import Node, NotCanonical, of_value, read

OBJECTS_LIMIT = 10_000
_LIST_DEPTH = 8

_SKIPS = re.compile(
    r"""^(?: checkov\.io/ | bridgecrew\.io/ | cortex\.io/skip | runterrascan\.io/ | datree\.skip/
          | (?:ignore-check\.)?kube-linter\.io/ | kube-score/ | kube-score\.com/
          | polaris\.fairwinds\.com/ | (?:trivy|tfsec|kics|kics-scan|semgrep|nosemgrep|kubesec)(?:\.[\w.-]+)?/
          | (?:container\.)?kubeaudit\.io/ | container\.audit\.kubernetes\.io/
        )""",
    re.VERBOSE | re.IGNORECASE,
)
"""Annotations by which a scanner is told to look away: those that were measured, and their kin."""

_FREE = frozenset({
    "annotations",
    "binaryData",
    "data",
    "driverOptions",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "options",
    "overhead",
    "requests",
    "stringData",
    "volumeAttributes",
})
"""Fields of a pod whose keys are anybody's: `a` and `A` are two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanonicalObject:
    """One object.

    Attributes:
        object: its value, to be read only.
        source: the file it comes from; empty where it was never read from one.
        text: its canonical YAML.
        lines: for each line of `text` its line in `source`; 0 where it has none.
        dropped: the annotations that were taken away.
    """

    object: JsonObject
    source: str = ""
    text: str
    lines: tuple[int, ...]
    dropped: tuple[str, ...] = ()
    tree: Node = field(repr=False, compare=False)

    @property
    def ref(self) -> ObjectRef:
        """Which object it is."""
        return ObjectRef.of(self.object)

    def line_of(self, location: str) -> int:
        """The line in `source` of a place, or of the nearest that encloses it; 0 where there is none.

        Args:
            location: as `spec.template.spec.containers[web].securityContext`, or relative to the pod's spec; items by
                index or by name.
        """
        steps = [key or f"[{item}]" for key, item in _STEP.findall(location)]
        pod_at = (*template_path(str(self.object.get("kind") or "")), "spec")
        as_said, line = _walk(self.tree, steps)
        met, line_in_pod = _walk(self.tree, [*pod_at, *steps])
        return line_in_pod if steps and met - len(pod_at) > as_said else line


@dataclass(frozen=True, slots=True, kw_only=True)
class Canonical:
    """All objects of some manifests, in their order."""

    objects: tuple[CanonicalObject, ...]
    _by_file: Mapping[str, CanonicalObject] = field(init=False, repr=False, compare=False)
    _by_ref: Mapping[ObjectRef, CanonicalObject] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named = {file_name(number, item.object): item for number, item in enumerate(self.objects, 1)}
        object.__setattr__(self, "_by_file", named)
        object.__setattr__(self, "_by_ref", {item.ref: item for item in reversed(self.objects)})

    @property
    def plain(self) -> tuple[Json, ...]:
        """As `aegis.model.scan.Manifests` takes them."""
        return tuple(item.object for item in self.objects)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was taken away, for whoever reads the report."""
        return tuple(
            f"{item.ref}: the annotation {name} is not obeyed" for item in self.objects for name in item.dropped
        )

    def locate(self, finding: SecurityFinding) -> SecurityFinding:
        """The finding with file and line of the original, instead of those of the canonical file that a tool saw."""
        item = self._by_file.get(finding.file.rpartition("/")[2])
        if item is not None and 0 < finding.line <= len(item.lines):
            return replace(finding, file=item.source, line=item.lines[finding.line - 1])
        item = item or self._by_ref.get(finding.subject)
        if item is None or not item.source:
            return finding
        return replace(finding, file=item.source, line=item.line_of(finding.location))


def canonicalise(data: bytes | str, *, source: str = "") -> Canonical:
    """Read YAML or JSON, one document or many, Lists opened.

    Args:
        data: what is written.
        source: the file's name, for errors and for the lines of findings.

    Raises:
        NotCanonical: if it could be read in two ways, is too large, or holds something that is no object.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return _gather(read(raw, source=source), source)


def canonical_objects(objects: Iterable[Json], *, source: str = "") -> Canonical:
    """The same for objects that were read already, as from a cluster.

    Raises:
        NotCanonical: as `canonicalise` does.
    """
    return _gather(map(of_value, objects), source)


def together(parts: Iterable[Canonical]) -> Canonical:
    """Several manifests as one."""
    return Canonical(objects=tuple(item for part in parts for item in part.objects))


def files(objects: Sequence[Json]) -> dict[str, str]:
    """What a tool is given to read: a file name and a canonical text for each object, in their order.

    The names are relative, plain ASCII, and each is its object's alone.
    """
    return {file_name(number, obj): render(obj) for number, obj in enumerate(objects, 1)}


def file_name(number: int, obj: Json) -> str:
    """The file of the object that is the `number`th, from 1, as `0001-deployment-web.yaml`."""
    ref = ObjectRef.of(obj)
    return f"{number:04d}-{_slug(ref.kind)}-{_slug(ref.name)}.yaml"


def render(obj: Json) -> str:
    """The canonical text of one object."""
    return "".join(f"{line}\n" for line, _ in lines(of_value(obj)))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "unnamed"


# ── one object after the other ───────────────────────────────────────────────────────────────────────────────────────


def _gather(documents: Iterable[Node], source: str) -> Canonical:
    objects: list[CanonicalObject] = []
    for document in documents:
        for node in _opened(document, source, "", 0):
            if len(objects) == OBJECTS_LIMIT:
                raise NotCanonical(f"{source or 'the manifest'} holds more than {OBJECTS_LIMIT} objects")
            objects.append(_object(node, source))
    return Canonical(objects=tuple(objects))


def _object(node: Node, source: str) -> CanonicalObject:
    dropped: list[str] = []
    stripped = _stripped(node, dropped)
    plain: JsonObject = stripped.plain()
    _refuse_twins(plain, source)
    written = list(lines(stripped))
    return CanonicalObject(
        object=plain,
        source=source,
        text="".join(f"{text}\n" for text, _ in written),
        lines=tuple(line for _, line in written),
        dropped=tuple(dropped),
        tree=stripped,
    )


def _opened(node: Node, source: str, inferred: str, depth: int) -> Iterator[Node]:
    """The object itself, or those of a List, which name neither kind nor version where the List's kind says it.

    Raises:
        NotCanonical: if it is no object, or a list to some readers only.
    """
    if not isinstance(node.value, dict):
        _refuse(node, source, "it is no object")
    fields = node.value
    kind, version = _word(fields, "kind"), _word(fields, "apiVersion")
    if inferred and not kind:
        version, _, kind = inferred.rpartition(" ")
        node = replace(node, value={"apiVersion": Node(version, node.line), "kind": Node(kind, node.line), **fields})
    if not kind or not version:
        _refuse(node, source, "it has no kind or no apiVersion")
    if "items" not in fields:
        yield _named(node, source)
        return
    items = fields["items"].value
    if not kind.endswith("List") or not (items is None or isinstance(items, list)) or depth >= _LIST_DEPTH:
        _refuse(node, source, f"a {kind} with items is read as a list by some")
    item_kind = kind.removesuffix("List")
    for item in items or ():
        yield from _opened(item, source, f"{version} {item_kind}" if item_kind else "", depth + 1)


def _named(node: Node, source: str) -> Node:
    """The object, with a name: where one is generated, what it begins with.

    Raises:
        NotCanonical: if it has none.
    """
    fields: Any = node.value
    metadata = fields.get("metadata", Node({})).value
    name = _word(metadata, "name") if isinstance(metadata, dict) else ""
    beginning = _word(metadata, "generateName") if isinstance(metadata, dict) else ""
    if name:
        return node
    if not beginning:
        _refuse(node, source, "it has no name")
    named = {"name": Node(beginning.rstrip("-"), node.line), **metadata}
    return replace(node, value={**fields, "metadata": replace(fields["metadata"], value=named)})


def _word(fields: Mapping[str, Node], key: str) -> str:
    value = fields[key].value if key in fields else None
    return value if isinstance(value, str) else ""


def _refuse(node: Node, source: str, why: str) -> NoReturn:
    """Name the place.

    Raises:
        NotCanonical: always.
    """
    place = f"{source or 'the manifest'}:{node.line}" if node.line else source or "an object"
    raise NotCanonical(f"{place}: {why}", hint="Give manifests as the API server takes them.")


def _stripped(node: Node, dropped: list[str]) -> Node:
    if isinstance(node.value, list):
        return replace(node, value=[_stripped(item, dropped) for item in node.value])
    if not isinstance(node.value, dict):
        return node
    kept: dict[str, Node] = {}
    for key, child in node.value.items():
        if key == "annotations" and isinstance(child.value, dict):
            skips = [name for name in child.value if _SKIPS.match(name)]
            dropped += skips
            kept[key] = replace(child, value={name: it for name, it in child.value.items() if name not in skips})
        else:
            kept[key] = _stripped(child, dropped)
    return replace(node, value=kept)


def _refuse_twins(obj: JsonObject, source: str) -> None:
    """Refuse fields of a pod that differ in case alone: the API server reads one of them, tools in Go the last.

    Raises:
        NotCanonical: if there are such.
    """
    if template_of(obj) is None and not any(key.lower() in {"spec", "template"} for key in obj):
        return
    for keys in _structs(obj):
        folded: dict[str, str] = {}
        for key in keys:
            twin = folded.setdefault(key.casefold(), key)
            if twin != key:
                raise NotCanonical(
                    f"{source or 'the manifest'}: {ObjectRef.of(obj)} has both {twin} and {key}",
                    hint="Keep the one that is meant.",
                )


def _structs(value: Any) -> Iterator[Iterable[str]]:
    if isinstance(value, dict):
        yield value
        for key, child in value.items():
            if key not in _FREE:
                yield from _structs(child)
    elif isinstance(value, list):
        for item in value:
            yield from _structs(item)


# ── places ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_STEP = re.compile(r"([^.\[\]]+)|\[([^\]]*)\]")


def _walk(node: Node, steps: Sequence[str]) -> tuple[int, int]:
    """How many steps lead somewhere, and the line where they end."""
    for met, step in enumerate(steps):
        child = _child(node.value, step)
        if child is None:
            return met, node.line
        node = child
    return len(steps), node.line


def _child(value: Any, step: str) -> Node | None:
    if isinstance(value, dict):
        return value.get(step)
    if not isinstance(value, list):
        return None
    name = step.strip("[]")
    named = (item for item in value if isinstance(item.value, dict) and _word(item.value, "name") == name)
    return value[int(name)] if name.isdecimal() and int(name) < len(value) else next(named, None)

"""Logs as files: whose output a file holds, by its marks or by its path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aegis.evidence.files import TextFile
from aegis.model.refs import JsonObject, ObjectRef

_LOG_NAME: Final = re.compile(
    r"(?P<previous>(?:^|[-_./])prev(?:ious)?(?=[-_./]|$))|(?:^|[-_])logs?(?=[-_]|$)", re.IGNORECASE
)
_MARK: Final = re.compile(r"^==== (START|END) logs for container (\S+) of pod (\S+)/(\S+) ====$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The output of one run of a container."""

    pod: ObjectRef
    container: str
    previous: bool
    lines: list[str]


def is_log(file: TextFile) -> bool:
    name = file.path.name.lower()
    return (
        name.endswith(".log")
        or name in {"logs.txt", "log.txt", "previous.txt"}
        or _MARK.match(file.text[:400]) is not None
    )


def logs_of(file: TextFile, pods: list[JsonObject]) -> Iterator[Log]:
    """The output in a file: cluster-info dump marks its parts, else the path says whose it is."""
    lines = file.text.splitlines()
    if any(_MARK.match(line) for line in lines[:5]):
        yield from _marked(lines)
        return
    words = "/".join(file.parts)
    previous = any(match["previous"] for match in _LOG_NAME.finditer(words))
    pod, container = _whose(file, pods)
    if pod is not None:
        yield Log(pod=pod, container=container, previous=previous, lines=lines)


def _marked(lines: list[str]) -> Iterator[Log]:
    part: Log | None = None
    for line in lines:
        match = _MARK.match(line)
        if match and match[1] == "START":
            ref = ObjectRef(api_version="v1", kind="Pod", name=match[4], namespace=match[3])
            part = Log(pod=ref, container=match[2], previous=False, lines=[])
        elif match and part is not None:
            yield part
            part = None
        elif part is not None:
            part.lines.append(line)
    if part is not None:
        yield part


def _whose(file: TextFile, pods: list[JsonObject]) -> tuple[ObjectRef | None, str]:
    """The pod and the container that a path names: of the known pods the one with the longest name in it."""
    words = "/".join((*file.parts[:-1], file.path.stem))
    known = [pod for pod in pods if str(pod["metadata"].get("name") or "\0") in words]
    if known:
        pod = max(known, key=lambda item: len(str(item["metadata"]["name"])))
        rest = words.split(str(pod["metadata"]["name"]), 1)[1].lower()
        names = _containers(pod)
        named = [name for name in names if name.lower() in rest]
        return ObjectRef.of(pod), max(named, key=len) if named else names[0] if len(names) == 1 else ""
    stem = re.sub(r"^(?:logs?|prev(?:ious)?)[-_.]", "", re.sub(r"^logs?[-_.]", "", file.path.stem))
    if len(file.parts) > 3 or (len(file.parts) == 3 and file.parts[-1] in {"logs.txt", "log.txt"}):  # noqa: PLR2004 - NAMESPACE/POD/…
        folders = file.parts[:-1] if file.parts[-1] in {"logs.txt", "log.txt"} else (*file.parts[:-1], stem)
        namespace, pod_name, container = (*folders[-3:], "")[:3] if len(folders) > 2 else (*folders, "")  # noqa: PLR2004
        return ObjectRef(api_version="v1", kind="Pod", name=pod_name, namespace=namespace), container
    return (ObjectRef(api_version="v1", kind="Pod", name=stem), "") if stem else (None, "")


def _containers(pod: JsonObject) -> list[str]:
    spec = pod.get("spec") or {}
    groups = (spec.get("containers") or [], spec.get("initContainers") or [])
    return [str(container.get("name")) for group in groups for container in group if isinstance(container, dict)]

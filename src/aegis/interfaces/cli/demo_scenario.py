"""The scenarios of the demo, as they lie in `examples/incidents`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aegis
from aegis.errors import UsageError
from aegis.model.refs import JsonObject, ObjectRef

FIRST: Final = (
    "missing-env",
    "memory-limit",
    "image-tag",
    "liveness-500",
    "readiness-503",
    "unschedulable",
    "service-selector",
)
"""What `aegis demo` runs without `--scenario`."""

_ORDER: Final = (*FIRST, "shell-in-fix", "useless-fix", "not-reproduced", "drift", "worse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How a scenario must end; None where the table says nothing.

    Attributes:
        phase: of the incident.
        reason: of the incident.
        decision: of the trial.
        exit_status: of `aegis fix`.
        cause: of the diagnosis.
        root_cause: `Kind/name` of the object that must change.
        gate: the gate that must have decided against the fix.
    """

    phase: str
    reason: str
    decision: str
    exit_status: int
    cause: str | None = None
    root_cause: str | None = None
    gate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One incident to try.

    Attributes:
        name: of its folder.
        title: one line.
        namespace: where it happens.
        target: `kind/name`, as a user would type it.
        steps: manifests, in the order in which they are applied; the last one brings the fault.
        changes: a given fix, or None.
        between: what somebody else applies between approval and apply, or None.
        expected: how it must end.
    """

    name: str
    title: str
    namespace: str
    target: str
    steps: tuple[Path, ...]
    changes: Path | None
    between: Path | None
    expected: Expected


def folder() -> Path:
    """Where the scenarios lie: within the installed package, or beside the sources.

    Raises:
        UsageError: if they are in neither place.
    """
    package = Path(aegis.__file__).parent
    for place in (package / "_examples" / "incidents", package.parents[1] / "examples" / "incidents"):
        if place.is_dir():
            return place
    raise UsageError("the scenarios are not installed", hint="Install AEGIS with pip, or run it from its sources.")


def names() -> list[str]:
    """Those that are there, in the order of the table."""
    there = {path.parent.name for path in folder().glob("*/scenario.toml")}
    return [*(name for name in _ORDER if name in there), *sorted(there - set(_ORDER))]


def chosen(word: str | None) -> list[Scenario]:
    """The scenarios for `--scenario`.

    Args:
        word: a name, `all`, or None for the first ones.

    Raises:
        UsageError: if there is no such scenario.
    """
    there = names()
    if word is None:
        return [read(name) for name in there if name in FIRST]
    if word == "all":
        return [read(name) for name in there]
    if word not in there:
        raise UsageError(f"there is no scenario {word}", hint=f"Choose one of: {', '.join(there)}, all.")
    return [read(word)]


def read(name: str) -> Scenario:
    """One scenario.

    Raises:
        UsageError: if its description is not of the right form.
    """
    return read_at(folder() / name)


def read_at(place: Path) -> Scenario:
    """The scenario of a folder.

    Raises:
        UsageError: if its description is not of the right form.
    """
    try:
        data = tomllib.loads((place / "scenario.toml").read_text(encoding="utf-8"))
        return _scenario(place.name, place, data)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise UsageError(f"{place / 'scenario.toml'}: {error}") from error


def _scenario(name: str, place: Path, data: dict[str, Any]) -> Scenario:
    return Scenario(
        name=name,
        title=data["title"],
        namespace=data["namespace"],
        target=data["target"],
        steps=tuple(place / step for step in data["steps"]),
        changes=place / data["changes"] if "changes" in data else None,
        between=place / data["between"] if "between" in data else None,
        expected=Expected(
            phase=data["phase"],
            reason=data["reason"],
            decision=data["decision"],
            exit_status=data["exit"],
            cause=data.get("cause"),
            root_cause=data.get("root_cause"),
            gate=data.get("gate"),
        ),
    )


def moved(scenario: Scenario, namespace: str, into: Path) -> Scenario:
    """The same scenario, written for another namespace.

    Args:
        scenario: as it lies in its folder.
        namespace: where it is to happen.
        into: a folder for the copy, under the scenario's name.
    """
    home, copy = scenario.steps[0].parent, into / scenario.name
    for path in sorted([*home.glob("**/*.yaml"), home / "scenario.toml"]):
        target = copy / path.relative_to(home)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8").replace(scenario.namespace, namespace)
        target.write_text(text, encoding="utf-8")
    return read_at(copy)


def manifests(path: Path) -> list[tuple[ObjectRef, JsonObject]]:
    """The objects of a manifest, in its order."""
    import yaml

    loaded = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    return [(ObjectRef.of(obj), obj) for obj in loaded if obj]

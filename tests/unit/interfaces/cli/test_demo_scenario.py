"""The scenarios are there, whole, and none is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.errors import UsageError
from aegis.interfaces.cli.demo_scenario import FIRST, chosen, folder, manifests, moved, names


@pytest.mark.parametrize("name", names())
def test_every_scenario_can_be_played(name: str) -> None:
    (scenario,) = chosen(name)
    kind, _, target = scenario.target.partition("/")
    objects = [ref for step in scenario.steps for ref, _ in manifests(step)]
    assert any((ref.kind.lower(), ref.name, ref.namespace) == (kind, target, scenario.namespace) for ref in objects)
    assert scenario.expected.exit_status in {0, 1, 3, 4}
    assert {ref.namespace for ref in objects} <= {"", scenario.namespace}, "a scenario keeps to its own namespace"


@pytest.mark.parametrize("name", names())
def test_it_can_be_played_in_another_namespace(name: str, tmp_path: Path) -> None:
    (scenario,) = chosen(name)
    there = moved(scenario, "aegis-elsewhere-1", tmp_path)
    assert (there.namespace, there.expected, there.target) == ("aegis-elsewhere-1", scenario.expected, scenario.target)
    steps = [*there.steps, *([there.between] if there.between else [])]
    assert {ref.namespace for step in steps for ref, _ in manifests(step)} <= {"", "aegis-elsewhere-1"}
    copied = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.*"))
    assert scenario.namespace not in copied
    assert there.changes is None or there.changes.is_relative_to(tmp_path)
    assert len(list((folder() / name).rglob("*.*"))) == len(list((tmp_path / name).rglob("*.*")))


def test_the_default_is_the_first_of_the_table() -> None:
    assert [scenario.name for scenario in chosen(None)] == [name for name in names() if name in FIRST]
    assert [scenario.name for scenario in chosen("all")] == names()


def test_an_unknown_scenario_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no scenario"):
        chosen("nonsense")

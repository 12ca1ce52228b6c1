"""The scenarios are there, whole, and none is forgotten."""

from __future__ import annotations

import pytest

from aegis.errors import UsageError
from aegis.interfaces.cli.demo_scenario import FIRST, chosen, manifests, names


@pytest.mark.parametrize("name", names())
def test_every_scenario_can_be_played(name: str) -> None:
    (scenario,) = chosen(name)
    kind, _, target = scenario.target.partition("/")
    objects = [ref for step in scenario.steps for ref, _ in manifests(step)]
    assert any((ref.kind.lower(), ref.name, ref.namespace) == (kind, target, scenario.namespace) for ref in objects)
    assert scenario.expected.exit_status in {0, 1, 3, 4}
    assert {ref.namespace for ref in objects} <= {"", scenario.namespace}, "a scenario keeps to its own namespace"


def test_the_default_is_the_first_of_the_table() -> None:
    assert [scenario.name for scenario in chosen(None)] == [name for name in names() if name in FIRST]
    assert [scenario.name for scenario in chosen("all")] == names()


def test_an_unknown_scenario_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no scenario"):
        chosen("nonsense")

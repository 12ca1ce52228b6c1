"""The pods that run our own programs: as confined as a namespace may demand, and heard out."""

import json
from typing import Any

import pytest

from aegis.errors import Unavailable
from aegis.ports import Purpose
from aegis.security.scanners.podsecurity import look
from aegis.shadow.isolation import is_probe
from aegis.shadow.probe import Place, config_map, probe_pod, run_script
from aegis.shadow.tools import TrialTools


@pytest.fixture
def place(tools: TrialTools, fake: Any) -> Place:
    fake.put({"kind": "Namespace", "metadata": {"name": "aegis-shadow-x-r"}})
    purpose = Purpose(kind="shadow", incident="i", scope=("aegis-shadow-x-r",))
    return Place(tools=tools, purpose=purpose, arm="r", namespace="aegis-shadow-x-r")


def test_a_probe_meets_the_restricted_standard() -> None:
    pod = probe_pod("ns", "probe", "python:3.12-slim", ["/probe/plan.json"])
    assert look([pod]).findings == ()
    assert is_probe(pod)
    assert not is_probe({"metadata": {}})


def test_a_script_travels_in_a_config_map_with_its_input() -> None:
    made = config_map("ns", "probe", "reach", {"control": []})
    assert "def reaches" in made["data"]["script.py"]
    assert json.loads(made["data"]["plan.json"]) == {"control": []}


async def test_the_last_line_of_its_log_is_its_result(place: Place, fake: Any) -> None:
    fake.log = lambda _: 'warning: slow\n{"a": true}\n'
    assert await run_script(place, name="p", script="reach", plan={}, deadline=5.0) == {"a": True}
    assert ("delete", "Pod", "aegis-shadow-x-r", "p") in fake.calls


@pytest.mark.parametrize("log", ["", "Traceback: boom\n"])
async def test_one_that_says_nothing_usable_is_unavailable(place: Place, fake: Any, log: str) -> None:
    fake.log = lambda _: log
    with pytest.raises(Unavailable, match="nothing usable"):
        await run_script(place, name="p", script="reach", plan={}, deadline=5.0)


async def test_one_that_does_not_end_is_unavailable(place: Place, fake: Any) -> None:
    def hang(pod: dict[str, Any]) -> None:
        pod["status"] = {"phase": "Pending"}

    fake.behaviour = hang
    with pytest.raises(Unavailable, match="did not end"):
        await run_script(place, name="p", script="reach", plan={}, deadline=0.1)

"""Which lines complain, and that they compare from pod to pod."""

from typing import Any

import pytest

from aegis.shadow.complaints import complaints, lines_of
from aegis.shadow.tools import TrialTools


@pytest.mark.parametrize(
    "line", ["ERROR cannot reach db", "ValueError: no", "panic: nil", "Traceback (most recent call last):", "fatal: x"]
)
def test_lines_that_complain(line: str) -> None:
    assert complaints([line], pod="p", namespace="n")


@pytest.mark.parametrize("line", ["GET / 200", "0 errors", "no error", "error=null", "terrors of old"])
def test_lines_that_do_not(line: str) -> None:
    assert not complaints([line], pod="p", namespace="n")


def test_what_varies_is_masked() -> None:
    first = complaints(["2026-01-01T00:00:00Z ERROR 12 of web-1 failed"], pod="web-1", namespace="n")
    assert first == complaints(["2026-02-01T09:00:00Z ERROR 7 of web-2 failed"], pod="web-2", namespace="n")


async def test_each_pod_counts_once(fake: Any, tools: TrialTools, make_well: Any) -> None:
    pods: list[Any] = [
        {"kind": "Pod", "metadata": {"name": f"web-{n}", "namespace": "s"}, "spec": {"containers": [{"name": "web"}]}}
        for n in range(2)
    ]
    for pod in pods:
        make_well(pod)
    fake.put(*pods)
    fake.log = lambda pod: "ERROR x\nERROR x\n" + ("ERROR y\n" if pod["metadata"]["name"] == "web-1" else "")
    found = await lines_of(fake, pods)
    assert (found.pods, found.seen) == (2, {"ERROR x": 2, "ERROR y": 1})

"""What is asked under load, and how strictly the report is read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.model.verdict import Outcome
from aegis.shadow.load import Asked, judged, questions, read_report

HTTP: dict[str, Any] = {
    "name": "Service web:80",
    "scheme": "http",
    "host": "web",
    "port": 80,
    "path": "/",
    "headers": {},
}
TCP: dict[str, Any] = {**HTTP, "name": "port 9", "scheme": "tcp", "path": ""}


def asked(sent: int = 300, failed: int = 0, seconds: float = 0.01) -> Asked:
    spread = tuple(seconds * (1 + (n % 7) / 100) for n in range(sent - failed))
    return Asked(sent=sent, failed=failed, seconds=spread, words={"HTTP 500": failed} if failed else {})


def test_only_what_both_arms_are_asked_alike_is_compared() -> None:
    assert questions([TCP, HTTP], None) == [HTTP, TCP], "those with a path first"
    assert questions([HTTP], [{**HTTP, "path": "/other"}]) == []
    assert questions([HTTP], [{**HTTP, "host": "10.0.0.1"}]) == [HTTP]


def test_as_fast_and_as_good() -> None:
    found = judged({HTTP["name"]: asked()}, {HTTP["name"]: asked()}, [HTTP], "")
    assert {name: gate.outcome for name, gate in found.items()} == dict.fromkeys(["errors", "latency"], Outcome.PASSED)


def test_twice_as_slow_or_failing_is_found_and_told() -> None:
    found = judged({HTTP["name"]: asked(failed=30, seconds=0.02)}, {HTTP["name"]: asked()}, [HTTP], "")
    assert found["latency"].outcome is Outcome.FAILED
    assert found["errors"].outcome is Outcome.FAILED
    assert "30 x HTTP 500" in found["errors"].reason


def test_alone_there_is_no_latency_to_compare() -> None:
    found = judged({HTTP["name"]: asked()}, None, [HTTP], "no last good revision is known")
    assert found["errors"].outcome is Outcome.PASSED
    assert (found["latency"].outcome, found["latency"].reason) == (Outcome.SKIPPED, "no last good revision is known")


def test_of_several_questions_the_worst_counts() -> None:
    other = {**HTTP, "name": "Service api:80"}
    good = {HTTP["name"]: asked(), other["name"]: asked()}
    found = judged({HTTP["name"]: asked(), other["name"]: asked(seconds=0.05)}, good, [HTTP, other], "")
    assert found["latency"].outcome is Outcome.FAILED
    assert found["latency"].coverage.startswith("Service api:80")


GOOD = {"sent": 2, "failed": 1, "seconds": [0.1], "errors": {"x": 1}}


@pytest.mark.parametrize(
    "one",
    [
        {},
        {**GOOD, "sent": 3},
        {**GOOD, "failed": 3},
        {**GOOD, "sent": True},
        {**GOOD, "seconds": [float("nan")]},
        {**GOOD, "seconds": [-1.0]},
        {**GOOD, "seconds": [0.1] * 3},
        {**GOOD, "seconds": "0.1"},
    ],
)
def test_a_report_that_cannot_be_is_refused(one: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_report({"checks": {HTTP["name"]: one}, "stopped": ""}, [HTTP], 2)


def test_a_report_of_a_pod_that_found_no_name_is_no_report() -> None:
    with pytest.raises(ValueError, match="it stopped: web: unknown"):
        read_report({"checks": {HTTP["name"]: GOOD}, "stopped": "web: unknown"}, [HTTP], 2)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "checks"]), inner, max_size=4),
    max_leaves=8,
)


@given(values)
def test_whatever_is_printed_is_counts_or_refused(one: Any) -> None:
    try:
        found = read_report({"checks": {HTTP["name"]: one}}, [HTTP], 10)
    except ValueError:
        return
    assert 0 <= found[HTTP["name"]].failed <= found[HTTP["name"]].sent <= 10

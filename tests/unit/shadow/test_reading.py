"""Reading a failing pod: which log, which events."""

from typing import Any

import pytest

from aegis.errors import NotFound
from aegis.model.symptom import Manner
from aegis.ports import LogQuery
from aegis.shadow.reading import read_signature, was_killed

Json = dict[str, Any]


class Reader:
    """A reader with one pod's events and logs."""

    def __init__(self, logs: dict[bool, str], events: list[Json] | None = None) -> None:
        self.logs_by_run, self.events, self.asked = logs, events or [], []  # type: ignore[var-annotated]

    async def logs(self, namespace: str, pod: str, query: LogQuery) -> str:
        self.asked.append(("log", query.container, query.previous))
        if query.previous not in self.logs_by_run:
            raise NotFound("no such run")
        return self.logs_by_run[query.previous]

    async def list(
        self, api_version: str, kind: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> Any:
        self.asked.append((kind, namespace, fields))
        return self.events


def pod(code: int, *, reason: str = "Error", over: bool = False) -> Json:
    ended = {"terminated": {"exitCode": code, "reason": reason}}
    status = {"name": "web", "restartCount": 1, "state": ended if over else {"running": {}}, "lastState": ended}
    metadata = {"name": "web-1", "namespace": "shop", "uid": "u"}
    return {"metadata": metadata, "spec": {"containers": [{"name": "web"}]}, "status": {"containerStatuses": [status]}}


@pytest.mark.parametrize("over", [True, False])
async def test_the_log_is_that_of_the_run_that_ended(over: bool) -> None:
    reader: Any = Reader({False: "fatal: current\n" if over else "starting\n", True: "fatal: previous\n"})
    signature = await read_signature(reader, pod(1, over=over), [])
    assert signature is not None
    assert (signature.manner, signature.exit_code) == (Manner.CRASH, 1)
    assert signature.line == ("fatal: current" if over else "fatal: previous")
    assert len(reader.asked) == 1


async def test_a_log_that_is_gone_is_no_failure() -> None:
    reader: Any = Reader({})
    signature = await read_signature(reader, pod(1), [])
    assert signature is not None
    assert signature.line == ""


async def test_what_was_killed_for_its_memory_needs_no_log() -> None:
    reader: Any = Reader({True: "x"})
    await read_signature(reader, pod(137, reason="OOMKilled"), [])
    assert reader.asked == []


async def test_events_are_asked_for_where_none_are_given() -> None:
    about = {"kind": "Pod", "name": "web-1", "uid": "u"}
    message = "Liveness probe failed: HTTP probe failed with statuscode: 500"
    reader: Any = Reader({True: "bye\n"}, [{"involvedObject": about, "reason": "Unhealthy", "message": message}])
    signature = await read_signature(reader, pod(143))
    assert signature is not None
    assert signature.line.startswith("Liveness probe failed")
    assert ("Event", "shop", "involvedObject.kind=Pod,involvedObject.name=web-1") in reader.asked


def test_killed() -> None:
    assert was_killed(pod(137))
    assert was_killed(pod(143))
    assert not was_killed(pod(1))

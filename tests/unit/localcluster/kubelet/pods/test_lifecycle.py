"""What a pod's containers do next."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.localcluster.kubelet.pods.lifecycle import plan
from aegis.localcluster.kubelet.pods.state import Container, Running, Terminated, Waiting

NEW = Container()
UP = Container(state=Running(started_at=1), passed_startup=True)
STARTING = Container(state=Running(started_at=1))


def ended(code: int) -> Container:
    how = Terminated(exit_code=code, reason="x", started_at=1, finished_at=2)
    return Container(state=how, ended=how)


def held(code: int) -> Container:
    how = Terminated(exit_code=code, reason="x", started_at=1, finished_at=2)
    return Container(state=Waiting(reason="CrashLoopBackOff"), ended=how)


def pod(
    policy: str = "Always",
    *,
    inits: tuple[str, ...] = (),
    sidecars: tuple[str, ...] = (),
    mains: tuple[str, ...] = ("a",),
) -> dict[str, Any]:
    init = [{"name": name, **({"restartPolicy": "Always"} if name in sidecars else {})} for name in inits]
    return {"spec": {"restartPolicy": policy, "initContainers": init, "containers": [{"name": name} for name in mains]}}


@pytest.mark.parametrize(
    ("policy", "container", "start", "phase"),
    [
        ("Always", NEW, ("a",), "Pending"),
        ("Always", UP, (), "Running"),
        ("Always", ended(0), ("a",), "Running"),
        ("Always", held(1), ("a",), "Running"),
        ("OnFailure", ended(1), ("a",), "Running"),
        ("OnFailure", ended(0), (), "Succeeded"),
        ("Never", ended(0), (), "Succeeded"),
        ("Never", ended(3), (), "Failed"),
    ],
)
def test_one_container(policy: str, container: Container, start: tuple[str, ...], phase: str) -> None:
    made = plan(pod(policy), {"a": container})
    assert (made.start, made.phase) == (start, phase)


def test_a_pod_fails_only_when_all_of_it_is_over() -> None:
    two = pod("Never", mains=("a", "b"))
    assert plan(two, {"a": ended(1), "b": UP}).phase == "Running"
    assert plan(two, {"a": ended(1), "b": ended(0)}).phase == "Failed"


def test_init_containers_run_one_after_the_other() -> None:
    both = pod(inits=("i", "j"))
    assert plan(both, {"i": NEW, "j": NEW, "a": NEW}).start == ("i",)
    assert plan(both, {"i": UP, "j": NEW, "a": NEW}).start == ()
    assert plan(both, {"i": ended(0), "j": NEW, "a": NEW}).start == ("j",)
    assert plan(both, {"i": ended(0), "j": ended(1), "a": NEW}).start == ("j",)
    last = plan(both, {"i": ended(0), "j": ended(0), "a": NEW})
    assert (last.start, last.initialized) == (("a",), True)


def test_a_failed_init_container_fails_a_pod_that_never_restarts() -> None:
    made = plan(pod("Never", inits=("i",)), {"i": ended(1), "a": NEW})
    assert (made.phase, made.start, made.initialized) == ("Failed", (), False)


def test_a_sidecar_has_to_be_up_before_what_follows() -> None:
    beside = pod(inits=("s", "i"), sidecars=("s",))
    assert plan(beside, {"s": NEW, "i": NEW, "a": NEW}).start == ("s",)
    assert plan(beside, {"s": STARTING, "i": NEW, "a": NEW}).start == ()
    assert plan(beside, {"s": UP, "i": NEW, "a": NEW}).start == ("i",)
    assert plan(beside, {"s": ended(1), "i": UP, "a": NEW}).start == ("s",)


def test_a_sidecar_is_restarted_beside_running_containers_and_stopped_after_them() -> None:
    beside = pod("Never", inits=("s",), sidecars=("s",))
    assert plan(beside, {"s": ended(0), "a": UP}).start == ("s",)
    done = plan(beside, {"s": UP, "a": ended(0)})
    assert (done.phase, done.stop) == ("Succeeded", ("s",))

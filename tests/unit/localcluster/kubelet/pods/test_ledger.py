"""What is known of containers, step by step."""

from __future__ import annotations

import pytest

from aegis.localcluster.kubelet.pods.backoff import Backoff
from aegis.localcluster.kubelet.pods.ledger import Ledger
from aegis.localcluster.kubelet.pods.state import CREATING, INITIALIZING, Running, Terminated, Waiting
from aegis.localcluster.kubelet.sandbox.client import Exit


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(["a"], CREATING)


def run_and_end(ledger: Ledger, how: Exit, now: float) -> None:
    ledger.created("a", container_id=f"containerd://{now}", image_id="i")
    ledger.started("a", now)
    ledger.ended("a", how, "why", now + 1)


def test_the_first_run_is_no_restart_and_each_further_one_is(ledger: Ledger) -> None:
    assert ledger.next_run("a") == 0
    for number in range(3):
        assert ledger.next_run("a") == number
        run_and_end(ledger, Exit(code=1), 10 * number)
        assert ledger.containers["a"].restarts == number


def test_a_run_is_remembered_as_the_last_one_only_when_another_follows(ledger: Ledger) -> None:
    run_and_end(ledger, Exit(code=3), 10)
    container = ledger.containers["a"]
    assert isinstance(container.state, Terminated)
    assert (container.state.exit_code, container.state.started_at, container.state.finished_at) == (3, 10, 11)
    assert container.last is None
    ledger.created("a", container_id="containerd://2", image_id="i")
    ledger.started("a", 20)
    container = ledger.containers["a"]
    assert container.state == Running(started_at=20)
    assert container.last == container.ended
    assert container.last is not None
    assert container.last.container_id == "containerd://10"


@pytest.mark.parametrize(
    ("how", "reason"),
    [(Exit(code=0), "Completed"), (Exit(code=2), "Error"), (Exit(code=137, out_of_memory=True), "OOMKilled")],
)
def test_reasons(ledger: Ledger, how: Exit, reason: str) -> None:
    run_and_end(ledger, how, 10)
    state = ledger.containers["a"].state
    assert isinstance(state, Terminated)
    assert (state.reason, state.message) == (reason, "why")


def test_back_off_is_news_once(ledger: Ledger) -> None:
    run_and_end(ledger, Exit(code=1), 10)
    backoff = Backoff(delay=20, updated_at=1)
    assert ledger.held_back("a", backoff, "p_ns(u)")
    assert not ledger.held_back("a", backoff, "p_ns(u)")
    container = ledger.containers["a"]
    words = "back-off 20s restarting failed container=a pod=p_ns(u)"
    assert container.state == Waiting(reason="CrashLoopBackOff", message=words)
    assert container.last == container.ended


def test_a_container_that_does_not_start_counts_as_ended(ledger: Ledger) -> None:
    ledger.created("a", container_id="containerd://1", image_id="i")
    message = ledger.not_started("a", 'exec: "x": not found', 50)
    assert message.endswith('during container init: exec: "x": not found')
    container = ledger.containers["a"]
    assert isinstance(container.state, Waiting)
    assert container.state.reason == "RunContainerError"
    assert container.ended is not None
    assert (container.ended.exit_code, container.ended.reason, container.ended.started_at) == (128, "StartError", 0)
    assert ledger.next_run("a") == 1


def test_probes_are_forgotten_with_the_run(ledger: Ledger) -> None:
    ledger.started("a", 1)
    ledger.probed("a", ready=True, passed_startup=True)
    running = ledger.containers["a"]
    assert running.ready
    ledger.ended("a", Exit(code=0), "", 2)
    over = ledger.containers["a"]
    assert not over.ready
    assert not over.passed_startup


def test_main_containers_are_shown_as_waiting_for_the_init_containers() -> None:
    ledger = Ledger(["init", "a"], CREATING)
    assert ledger.shown(["a"], initialized=False)["a"].state == INITIALIZING
    assert ledger.shown(["a"], initialized=False)["init"].state == CREATING
    assert ledger.shown(["a"], initialized=True)["a"].state == CREATING

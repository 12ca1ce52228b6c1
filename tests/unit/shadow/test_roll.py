"""Who ran in an arm."""

from typing import Any

from aegis.evidence.attribution import containers_of
from aegis.shadow.roll import Roll

FIRST, SECOND, THIRD = "1" * 64, "2" * 64, "3" * 64


def pod(uid: str = "u", node: str = "node-1", **status: Any) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "name": uid}, "spec": {"nodeName": node}, "status": status}


def running(container_id: str, last: str = "") -> dict[str, Any]:
    status = {"name": "web", "containerID": f"containerd://{container_id}", "state": {"running": {}}}
    return status | ({"lastState": {"terminated": {"containerID": f"containerd://{last}"}}} if last else {})


def test_every_run_of_a_container_is_kept() -> None:
    roll = Roll()
    roll.see(pod(containerStatuses=[running(FIRST)]))
    roll.see(pod(containerStatuses=[running(THIRD, last=SECOND)], initContainerStatuses=[]))
    roll.see(pod(node=""))
    assert [roll.find(one) for one in (FIRST, SECOND, THIRD)] == [("u", "web")] * 3
    assert roll.residents["u"].node == "node-1"


def test_short_ids_are_known_and_shorter_ones_are_not_guessed() -> None:
    roll = Roll()
    roll.see(pod(containerStatuses=[running(FIRST)]))
    assert roll.find(FIRST[:12]) == ("u", "web")
    assert roll.find(FIRST[:11]) is None
    assert roll.find("") is None
    assert roll.find(SECOND[:12]) is None


def test_our_own_pods_are_no_reason_to_watch_a_node() -> None:
    roll = Roll(own={"ours"})
    roll.see(pod("ours", node="node-2"))
    roll.see(pod("theirs"))
    roll.see(pod("pending", node=""))
    assert roll.nodes() == {"node-1"}


def test_what_has_no_containers_yet() -> None:
    assert dict(containers_of({"status": {"containerStatuses": [{"name": "web", "state": {"waiting": {}}}]}})) == {}
    assert dict(containers_of({})) == {}

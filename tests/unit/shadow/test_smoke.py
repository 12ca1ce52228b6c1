"""What is asked of a candidate, and what its answers mean."""

from typing import Any

from aegis.shadow.smoke import Candidate, checks, counted
from aegis.shadow.statistics import Sequential

Json = dict[str, Any]


def workload(**container: Any) -> Json:
    spec = {"containers": [{"name": "web", **container}]}
    return {"kind": "Deployment", "spec": {"template": {"metadata": {"labels": {"app": "web"}}, "spec": spec}}}


def candidate(**container: Any) -> Candidate:
    return Candidate(fixed=workload(**container))


def service(*ports: Json, app: str = "web") -> Json:
    return {"kind": "Service", "metadata": {"name": "front"}, "spec": {"selector": {"app": app}, "ports": list(ports)}}


PROBE = {"httpGet": {"path": "/ready", "port": "http", "httpHeaders": [{"name": "X", "value": "1"}]}}
PORTS = [{"name": "http", "containerPort": 8000}, {"name": "dns", "containerPort": 53, "protocol": "UDP"}]


def test_the_probes_path_is_asked_through_the_service() -> None:
    found = checks([candidate(ports=PORTS, readinessProbe=PROBE)], [service({"port": 80, "targetPort": "http"})], [])
    assert found == [
        {
            "name": "Service front:80",
            "scheme": "http",
            "host": "front",
            "port": 80,
            "path": "/ready",
            "headers": {"X": "1"},
        }
    ]


def test_a_port_that_no_probe_asks_is_only_connected_to() -> None:
    found = checks([candidate(ports=PORTS)], [service({"port": 80, "targetPort": 9000})], [])
    assert [(one["scheme"], one["port"]) for one in found] == [("tcp", 80)]


def test_a_fix_that_takes_the_probe_away_does_not_take_the_question_away() -> None:
    front = [service({"port": 80, "targetPort": "http"})]
    cheat = Candidate(fixed=workload(ports=PORTS), broken=workload(ports=PORTS, readinessProbe=PROBE))
    assert [one["path"] for one in checks([cheat], front, [])] == ["/ready"]
    moved = {"httpGet": {"path": "/healthz", "port": 8000}}
    mend = Candidate(
        fixed=workload(ports=PORTS, readinessProbe=moved), broken=workload(ports=PORTS, readinessProbe=PROBE)
    )
    assert [one["path"] for one in checks([mend], front, [])] == ["/healthz"]


def test_services_of_others_and_udp_are_not_asked() -> None:
    others = [service({"port": 80}, app="other"), service({"port": 53, "protocol": "UDP"})]
    assert checks([candidate()], others, []) == []


def test_without_a_service_one_pod_is_asked() -> None:
    pods = [{"status": {"podIP": "10.0.0.5"}}, {"status": {"podIP": "10.0.0.6"}}]
    found = checks([candidate(ports=PORTS, livenessProbe=PROBE)], [], pods)
    assert [(one["host"], one["port"], one["path"]) for one in found] == [("10.0.0.5", 8000, "/ready")]


def test_a_port_without_a_name_of_its_own_leads_to_the_same() -> None:
    found = checks([candidate(readinessProbe={"httpGet": {"port": 8000}})], [service({"port": 8000})], [])
    assert [(one["scheme"], one["path"]) for one in found] == [("http", "/")]


def test_a_named_port_that_is_not_declared_cannot_be_asked() -> None:
    assert checks([candidate()], [service({"port": 80, "targetPort": "gone"})], []) == []


def test_counts_add_up_and_are_judged_as_one() -> None:
    first, again = counted({
        "a": {"requests": 72, "failures": 1, "errors": {"HTTP 500": 1}},
        "b": {"requests": 200, "failures": 0, "errors": {}},
    })
    assert first.standing is Sequential.GO_ON
    both = first.plus(again)
    assert (both.requests, both.failures, both.errors, both.standing) == (272, 1, {"HTTP 500": 1}, Sequential.GOOD)
    assert 0 < again.bound < 0.02

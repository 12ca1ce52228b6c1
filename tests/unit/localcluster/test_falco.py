from __future__ import annotations

from aegis.kube.quantity import parse_quantity
from aegis.localcluster.apiserver.server import ApiServer
from aegis.localcluster.falco import IMAGE, deploy_falco
from aegis.localcluster.kubelet.images.registry import Registry


def test_it_looks_as_the_official_chart_makes_it() -> None:
    api = ApiServer().api
    deploy_falco(api)
    namespace = api.get("namespaces", None, "falco") or {}
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    made = api.get("daemonsets.apps", "falco", "falco") or {}
    template = made["spec"]["template"]
    assert template["metadata"]["labels"]["app.kubernetes.io/name"] == "falco"
    (container,) = template["spec"]["containers"]
    assert container["name"] == "falco"


def test_it_runs_on_every_node_and_takes_next_to_nothing() -> None:
    api = ApiServer().api
    deploy_falco(api)
    spec = (api.get("daemonsets.apps", "falco", "falco") or {})["spec"]["template"]["spec"]
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["priorityClassName"] == "system-node-critical"
    requests = spec["containers"][0]["resources"]["requests"]
    assert parse_quantity(requests["cpu"]) <= parse_quantity("1m")
    assert parse_quantity(requests["memory"]) <= parse_quantity("1Mi")


def test_its_image_is_a_sensor_and_no_other_is() -> None:
    registry = Registry.standard()
    sensors = [name for name in registry.references() if (entry := registry.find(name)) and entry.sensor]
    assert sensors == [IMAGE]

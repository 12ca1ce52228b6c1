"""Services, DNS and NetworkPolicy between real pods."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytestmark = pytest.mark.namespaces

ASK = "wget -q -T 1 -O - http://{} | head -c 15; echo"
ALL_TCP = [{"protocol": "TCP"}]


async def serve(bench: Any, name: str = "web", **labels: str) -> str:
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}
    container = {"name": "app", "image": "nginx:1.27", "ports": [{"name": "http", "containerPort": 80}]}
    bench.create(name, labels={"app": name, **labels}, containers=[{**container, "readinessProbe": probe}])
    return str((await bench.ready(name))["status"]["podIP"])


def service(bench: Any, name: str, addresses: list[str], *, ready: bool = True, **spec: Any) -> str:
    metadata = {"name": name, "namespace": "default"}
    ports = [{"name": "http", "port": 8080, "targetPort": 80}]
    made = bench.api.create("services", {"metadata": metadata, "spec": {"ports": ports, **spec}}, manager="test")
    endpoints = [{"addresses": [address], "conditions": {"ready": ready}} for address in addresses]
    bench.api.create(
        "endpointslices.discovery.k8s.io",
        {
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        },
        manager="test",
    )
    return str(made["spec"]["clusterIP"])


def policy(bench: Any, name: str, app: str | None = None, **spec: Any) -> None:
    selector = {"matchLabels": {"app": app}} if app else {}
    bench.api.create(
        "networkpolicies.networking.k8s.io",
        {"metadata": {"name": name, "namespace": "default"}, "spec": {"podSelector": selector, **spec}},
        manager="test",
    )


async def settle() -> None:
    await asyncio.sleep(0.15)


async def test_a_service_is_reached_by_address_name_and_variables(bench: Any) -> None:
    address = service(bench, "web", [await serve(bench)])
    await settle()
    hosts = (address, "web", "web.default", "web.default.svc", "web.default.svc.cluster.local", "$WEB_SERVICE_HOST")
    out = await bench.ran("client", "; ".join(ASK.format(f"{host}:8080/") for host in hosts))
    assert out.split() == ["<!DOCTYPE", "html>"] * len(hosts)


async def test_a_service_without_ready_endpoints_refuses(bench: Any) -> None:
    address = await serve(bench)
    service(bench, "none", [])
    service(bench, "unready", [address], ready=False)
    await settle()
    out = await bench.ran("client", ASK.format("none:8080") + ";" + ASK.format("unready:8080"))
    assert out.count("Connection refused") == 2


async def test_a_new_service_has_a_name_at_once_in_pods_that_run(bench: Any) -> None:
    script = "until nslookup late >/dev/null 2>&1; do sleep 0.02; done; echo found"
    bench.create(
        "early",
        restartPolicy="Never",
        containers=[{"name": "app", "image": "busybox:1.36", "command": ["sh", "-c", script]}],
    )
    await bench.ready("early")
    service(bench, "late", [])
    await bench.phase("early", "Succeeded")


async def test_a_headless_service_names_its_pods(bench: Any) -> None:
    address = await serve(bench)
    service(bench, "direct", [address], clusterIP="None")
    await settle()
    assert f"Address: {address}" in await bench.ran("client", "nslookup direct")


async def test_the_internet_and_the_machine_are_out_of_reach(bench: Any) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    out = await bench.ran("client", f"nc -z -w 1 127.0.0.1 {port}; nc -z -w 1 192.0.2.1 80; nslookup example.org")
    assert "Connection refused" in out
    assert "No route to host" in out
    assert "NXDOMAIN" in out
    server.close()
    await server.wait_closed()


async def test_default_deny_of_ingress_lets_connections_time_out(bench: Any) -> None:
    address = await serve(bench)
    policy(bench, "deny", policyTypes=["Ingress"])
    await settle()
    assert "timed out" in await bench.ran("client", ASK.format(address))
    assert bench.container("web")["ready"]  # the node's probes are never kept out


async def test_ingress_by_pod_labels_and_named_port(bench: Any) -> None:
    address = await serve(bench)
    friends = [{"podSelector": {"matchLabels": {"role": "friend"}}}]
    policy(bench, "friends", "web", ingress=[{"from": friends, "ports": [{"port": "http"}]}])
    await settle()
    client = {"name": "app", "image": "busybox:1.36", "command": ["sh", "-c", ASK.format(address)]}
    for name, labels in (("friend", {"role": "friend"}), ("stranger", {"role": "stranger"})):
        bench.create(name, labels=labels, restartPolicy="Never", containers=[client])
    await bench.phase("friend", "Succeeded", "Failed")
    await bench.phase("stranger", "Succeeded", "Failed")
    assert (await bench.output("friend")).startswith("<!DOCTYPE")
    assert "timed out" in await bench.output("stranger")


async def test_egress_without_dns_finds_no_name_and_with_it_only_the_service(bench: Any) -> None:
    service(bench, "web", [await serve(bench)])
    to_web = {"to": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": ALL_TCP}
    policy(bench, "client", "client", policyTypes=["Egress"], egress=[to_web])
    await settle()
    client = {"name": "app", "image": "busybox:1.36"}
    script = "getent hosts web || echo no name"
    bench.create(
        "blind",
        labels={"app": "client"},
        restartPolicy="Never",
        dnsConfig={"options": [{"name": "timeout", "value": "1"}, {"name": "attempts", "value": "1"}]},
        containers=[{**client, "command": ["sh", "-c", script]}],
    )
    await bench.phase("blind", "Succeeded")
    assert await bench.output("blind") == "no name\n"
    dns = {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            }
        ],
        "ports": [{"protocol": "UDP", "port": 53}],
    }
    policy(bench, "dns", "client", policyTypes=["Egress"], egress=[dns])
    await settle()
    bench.create(
        "seeing",
        labels={"app": "client"},
        restartPolicy="Never",
        containers=[{**client, "command": ["sh", "-c", ASK.format("web:8080")]}],
    )
    await bench.phase("seeing", "Succeeded")
    assert (await bench.output("seeing")).startswith("<!DOCTYPE")


async def test_a_policy_cuts_connections_that_stand(bench: Any) -> None:
    address = await serve(bench)
    script = (
        "import socket,sys,time\n"
        f"s=socket.create_connection(('{address}',80),30); s.settimeout(2); print('up',flush=True)\n"
        "while True:\n"
        " try:\n"
        "  s.sendall(b'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); s.recv(65536); time.sleep(0.05)\n"
        " except TimeoutError: sys.exit(9)\n"
    )
    container = {"name": "app", "image": "python:3.12-slim", "command": ["python3", "-c", script]}
    bench.create("holder", restartPolicy="Never", containers=[container])
    await bench.until(lambda: bench.container("holder").get("started"))
    await bench.said("holder", "up\n")
    policy(bench, "deny", "web", policyTypes=["Ingress"])
    await bench.phase("holder", "Failed")
    assert bench.container("holder")["state"]["terminated"]["exitCode"] == 9, await bench.output("holder")


async def test_the_api_server_is_reached_only_where_policy_allows(make_bench: Any) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nhello from the api")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with make_bench(api_server=server.sockets[0].getsockname()) as bench:
        if bench.api.get("services", "default", "kubernetes") is None:
            ports = [{"name": "https", "port": 443, "targetPort": 6443}]
            spec = {"clusterIP": "10.96.0.1", "ports": ports}
            bench.api.create(
                "services", {"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": spec}, manager="test"
            )
        await settle()
        ask = "wget -q -T 1 -O - http://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/"
        assert await bench.ran("allowed", ask) == "hello from the api"
        policy(bench, "deny", policyTypes=["Egress"])
        await settle()
        assert "timed out" in await bench.ran("denied", ask)
    server.close()
    await server.wait_closed()

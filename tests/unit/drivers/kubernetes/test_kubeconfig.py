"""A table of kubeconfigs, each tried on a real TLS server."""

from __future__ import annotations

import base64
import json
import os
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from fake_api_server import FakeServer, answer, status

from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.drivers.kubernetes.kubeconfig import find_endpoint, is_loopback, merge_files
from aegis.errors import PermissionDenied, Unavailable, UsageError
from aegis.model.refs import ObjectRef

MAP = ObjectRef(api_version="v1", kind="ConfigMap", name="a", namespace="shop")
OK = answer({"metadata": {"name": "a"}})


async def _authorization(server: FakeServer, user: dict[str, Any], **options: Any) -> str | None:
    server.then(OK)
    async with server.connect(user=user, **options) as driver:
        await driver.get(MAP)
    value = server.headers[-1].get("Authorization")
    return None if value is None else str(value)


async def test_a_token(server: FakeServer) -> None:
    assert await _authorization(server, {"token": "t0"}) == "Bearer t0"


async def test_basic(server: FakeServer) -> None:
    expected = "Basic " + base64.b64encode(b"bob:pw").decode()
    assert await _authorization(server, {"username": "bob", "password": "pw"}) == expected


async def test_a_token_file_goes_before_a_token_and_is_relative_to_the_kubeconfig(server: FakeServer) -> None:
    (server.folder / "tok").write_text("from-file\n")
    assert await _authorization(server, {"tokenFile": "tok", "token": "t0"}) == "Bearer from-file"


async def test_a_rotated_token_file_is_read_again_on_401(server: FakeServer) -> None:
    token = server.folder / "tok"
    token.write_text("old")

    async def check(request: web.Request) -> web.StreamResponse:
        good = request.headers["Authorization"] == f"Bearer {token.read_text()}"
        return await (OK if good else status(401, "Unauthorized"))(request)

    server.then(check)
    async with server.connect(user={"tokenFile": str(token)}) as driver:
        await driver.get(MAP)
        token.write_text("new")
        await driver.get(MAP)
        await driver.apply(MAP, {}, manager="aegis")
    assert [headers["Authorization"] for headers in server.headers] == [
        "Bearer old",
        "Bearer old",
        "Bearer new",
        "Bearer new",
    ]


async def test_401_is_not_asked_for_ever(server: FakeServer) -> None:
    (server.folder / "tok").write_text("bad")
    server.then(status(401, "Unauthorized", "who?"))
    async with server.connect(user={"tokenFile": "tok"}) as driver:
        with pytest.raises(PermissionDenied, match="credentials"):
            await driver.get(MAP)
    assert len(server.requests) == 2


@pytest.mark.parametrize("inline", [True, False])
async def test_a_client_certificate(server: FakeServer, inline: bool) -> None:
    pair = server.authority.client
    if inline:
        certificate, key = pair.inline
        user = {"client-certificate-data": certificate, "client-key-data": key, "client-certificate": "/not/there"}
    else:
        (server.folder / "c.pem").write_bytes(pair.certificate)
        (server.folder / "k.pem").write_bytes(pair.key)
        user = {"client-certificate": "c.pem", "client-key": "k.pem"}
    assert await _authorization(server, user) is None
    assert (("commonName", "alice"),) in server.peers[-1]["subject"]


def _plugin(folder: Path, status_: dict[str, Any], *, version: str = "v1", **config: Any) -> dict[str, Any]:
    """An exec plug-in that counts its runs and notes what it was given."""
    program = folder / "plugin.py"
    credential = {"apiVersion": f"client.authentication.k8s.io/{version}", "kind": "ExecCredential", "status": status_}
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"n = len(open('{folder}/runs', 'a+').write('x') * 'x' and open('{folder}/runs').read())\n"
        f"json.dump({{'argv': sys.argv[1:], 'env': dict(os.environ), 'stdin': sys.stdin.read()}}, open('{folder}/seen', 'w'))\n"
        f"print(json.dumps({credential!r}).replace('RUN', str(n)))\n"
    )
    program.chmod(0o755)
    return {
        "exec": {
            "apiVersion": f"client.authentication.k8s.io/{version}",
            "command": "./plugin.py",
            "args": ["get token", "$(touch pwned)"],
            "env": [{"name": "EXTRA", "value": "e"}],
            **config,
        }
    }


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_an_exec_plugin(server: FakeServer, version: str) -> None:
    user = _plugin(server.folder, {"token": "exec-RUN"}, version=version, provideClusterInfo=True)
    environ = {"PATH": os.environ["PATH"], "KEPT": "k"}
    server.then(OK)
    async with server.connect(user=user, environ=environ) as driver:
        await driver.get(MAP)
        await driver.get(MAP)
    assert [headers["Authorization"] for headers in server.headers] == ["Bearer exec-1"] * 2
    seen = json.loads((server.folder / "seen").read_text())
    assert seen["argv"] == ["get token", "$(touch pwned)"]
    assert seen["stdin"] == ""
    assert seen["env"]["EXTRA"] == "e"
    assert seen["env"]["KEPT"] == "k"
    info = json.loads(seen["env"]["KUBERNETES_EXEC_INFO"])
    assert info["apiVersion"] == user["exec"]["apiVersion"]
    assert info["spec"]["cluster"]["server"] == server.url
    assert info["spec"]["interactive"] is False


async def test_an_exec_plugins_token_is_asked_again_when_it_expires_or_is_refused(server: FakeServer) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=5)).isoformat().replace("+00:00", "Z")
    user = _plugin(server.folder, {"token": "exec-RUN", "expirationTimestamp": soon})
    server.then(OK)
    async with server.connect(user=user) as driver:
        await driver.get(MAP)
        await driver.get(MAP)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    user = _plugin(server.folder, {"token": "exec-RUN", "expirationTimestamp": later})
    server.then(OK, status(401), OK)
    async with server.connect(user=user) as driver:
        await driver.get(MAP)
        await driver.get(MAP)
    tokens = [headers["Authorization"].removeprefix("Bearer ") for headers in server.headers]
    assert tokens == ["exec-1", "exec-2", "exec-3", "exec-3", "exec-4"]


async def test_an_exec_plugins_certificate(server: FakeServer) -> None:
    pair = server.authority.client
    status_ = {"clientCertificateData": pair.certificate.decode(), "clientKeyData": pair.key.decode()}
    assert await _authorization(server, _plugin(server.folder, status_)) is None
    assert (("commonName", "alice"),) in server.peers[-1]["subject"]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, UsageError, "not supported"),
        ({"interactiveMode": "Always"}, UsageError, "terminal"),
        ({"command": "no-such-plugin-anywhere"}, Unavailable, "cannot run"),
        ({"command": "/bin/false"}, PermissionDenied, "failed"),
        ({"command": "/bin/echo"}, PermissionDenied, "printed no ExecCredential"),
    ],
)
async def test_exec_plugins_that_fail(
    server: FakeServer, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        await _authorization(server, _plugin(server.folder, {"token": "t"}, **change))
    assert server.requests == []


async def test_impersonation(server: FakeServer) -> None:
    server.then(OK)
    config = {"token": "t", "as": "carol", "as-groups": ["g1", "g2"], "as-uid": "7", "as-user-extra": {"team": ["a"]}}
    async with server.connect(user=config) as driver:
        await driver.get(MAP)
    headers = server.headers[0]
    assert headers["Impersonate-User"] == "carol"
    assert headers.getall("Impersonate-Group") == ["g1", "g2"]
    assert headers["Impersonate-Uid"] == "7"
    assert headers["Impersonate-Extra-team"] == "a"
    async with server.connect(user=config, as_user="dave", as_groups=("ops",)) as driver:
        await driver.get(MAP)
    headers = server.headers[1]
    assert (headers["Impersonate-User"], headers.getall("Impersonate-Group")) == ("dave", ["ops"])
    assert "Impersonate-Uid" not in headers


async def test_an_untrusted_server_is_refused_without_repeats(server: FakeServer) -> None:
    server.then(OK)
    async with server.connect(cluster={"server": server.url}) as driver:
        with pytest.raises(Unavailable, match="certificate is not trusted"):
            await driver.get(MAP)
    assert server.requests == []


async def test_insecure_is_honoured_and_announced(server: FakeServer) -> None:
    server.then(OK)
    async with server.connect(cluster={"server": server.url, "insecure-skip-tls-verify": True}) as driver:
        await driver.get(MAP)
        assert any("not verified" in notice for notice in driver.endpoint.notices)
    async with server.connect() as driver:
        assert driver.endpoint.notices == ()


@pytest.mark.parametrize(("name", "trusted"), [("cluster.test", True), ("other.test", False)])
async def test_tls_server_name(server: FakeServer, name: str, trusted: bool) -> None:
    server.then(OK)
    async with server.connect(cluster=server.cluster() | {"tls-server-name": name}) as driver:
        if trusted:
            await driver.get(MAP)
        else:
            with pytest.raises(Unavailable, match="certificate is not trusted"):
                await driver.get(MAP)


async def test_redirects_are_not_followed(server: FakeServer) -> None:
    server.then(answer({}, 302, Location="https://127.0.0.1:9/"))
    async with server.connect(user={"token": "t"}) as driver:
        with pytest.raises(Exception, match="get configmaps"):
            await driver.get(MAP)
    assert len(server.requests) == 1


def _write(path: Path, **config: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def _named(name: str, key: str, **content: Any) -> dict[str, Any]:
    return {"name": name, key: content}


def test_several_files_the_first_that_names_a_thing_wins(tmp_path: Path) -> None:
    one = _write(
        tmp_path / "one" / "a",
        **{"clusters": [_named("c", "cluster", server="https://127.0.0.1:1")], "current-context": ""},
    )
    two = _write(
        tmp_path / "two" / "b",
        **{
            "current-context": "x",
            "clusters": [_named("c", "cluster", server="https://127.0.0.1:2")],
            "users": [_named("u", "user", tokenFile="tok")],
            "contexts": [_named("x", "context", cluster="c", user="u")],
        },
    )
    environ = {"KUBECONFIG": os.pathsep.join([str(one), str(tmp_path / "missing"), "", str(two)])}
    endpoint = find_endpoint(KubeOptions(environ=environ))
    assert endpoint.server == "https://127.0.0.1:1"
    assert endpoint.context == "x"
    assert endpoint.user["tokenFile"] == str(tmp_path / "two" / "tok")
    assert merge_files([one, two])["current-context"] == "x"


def test_home_and_explicit_files(tmp_path: Path) -> None:
    config = {
        "current-context": "x",
        "clusters": [_named("c", "cluster", server="http://127.0.0.1:1/")],
        "contexts": [_named("x", "context", cluster="c"), _named("y", "context", cluster="none")],
    }
    _write(tmp_path / ".kube" / "config", **config)
    assert find_endpoint(KubeOptions(environ={"HOME": str(tmp_path)})).server == "http://127.0.0.1:1"
    with pytest.raises(UsageError, match="'none' is named and not there"):
        find_endpoint(KubeOptions(environ={"HOME": str(tmp_path)}, context="y"))
    with pytest.raises(UsageError, match="'z' not found"):
        find_endpoint(KubeOptions(environ={"HOME": str(tmp_path)}, context="z"))
    with pytest.raises(UsageError, match="no such file"):
        find_endpoint(KubeOptions(kubeconfig=tmp_path / "none", environ={"HOME": str(tmp_path)}))
    with pytest.raises(Unavailable, match="KUBECONFIG names no file"):
        find_endpoint(KubeOptions(environ={"HOME": str(tmp_path), "KUBECONFIG": "/none"}))


async def test_within_a_cluster(server: FakeServer, tmp_path: Path) -> None:
    account = tmp_path / "sa"
    account.mkdir()
    (account / "token").write_text("pod-token")
    (account / "ca.crt").write_bytes(server.authority.ca)
    host, _, port = server.url.removeprefix("https://").partition(":")
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port, "HOME": str(tmp_path)}
    endpoint = find_endpoint(KubeOptions(environ=environ), service_account=account)
    assert endpoint.server == server.url
    assert endpoint.context == ""
    assert endpoint.namespace == "default"
    (account / "namespace").write_text("ops\n")
    assert find_endpoint(KubeOptions(environ=environ), service_account=account).namespace == "ops"
    assert endpoint.user["tokenFile"] == str(account / "token")
    six = environ | {"KUBERNETES_SERVICE_HOST": "::1"}
    assert find_endpoint(KubeOptions(environ=six), service_account=account).server == f"https://[::1]:{port}"


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        ({"server": "http://example.com"}, "not an https URL"),
        ({"server": "ftp://127.0.0.1"}, "not an https URL"),
        ({"server": "https://127.0.0.1:1", "certificate-authority-data": "!!!"}, "certificates cannot be used"),
        ({"server": "https://127.0.0.1:1", "certificate-authority": "none.pem"}, "certificates cannot be used"),
        ({"server": "https://127.0.0.1:1", "proxy-url": "socks5://127.0.0.1:1"}, "no supported kind"),
        ({"server": ["x"]}, "kubeconfig"),
    ],
)
def test_unusable_clusters(tmp_path: Path, cluster: dict[str, Any], words: str) -> None:
    path = _write(
        tmp_path / "k",
        **{
            "current-context": "x",
            "clusters": [_named("c", "cluster", **cluster)],
            "contexts": [_named("x", "context", cluster="c")],
        },
    )
    with pytest.raises(UsageError, match=words):
        find_endpoint(KubeOptions(kubeconfig=path))


@pytest.mark.parametrize("text", ["- a", "a: [", "clusters: [{cluster: {}}]\n", "\x00"])
def test_files_that_are_no_kubeconfig(tmp_path: Path, text: str) -> None:
    (tmp_path / "k").write_text(text)
    with pytest.raises(UsageError):
        find_endpoint(KubeOptions(kubeconfig=tmp_path / "k"))


@pytest.mark.parametrize(
    ("environ", "configured", "proxy"),
    [
        ({"HTTPS_PROXY": "http://proxy:1"}, "", "http://proxy:1"),
        ({"https_proxy": "http://proxy:1", "NO_PROXY": "a.test,.example.com"}, "", ""),
        ({"https_proxy": "http://proxy:1", "NO_PROXY": "a.test,.example.com"}, "http://own:2", "http://own:2"),
        ({"https_proxy": "http://proxy:1", "NO_PROXY": "ample.com"}, "", "http://proxy:1"),
        ({"https_proxy": "http://proxy:1", "NO_PROXY": "*"}, "", ""),
        ({}, "", ""),
    ],
)
def test_proxies(tmp_path: Path, environ: dict[str, str], configured: str, proxy: str) -> None:
    cluster = {"server": "https://k8s.example.com", **({"proxy-url": configured} if configured else {})}
    path = _write(
        tmp_path / "k",
        **{
            "current-context": "x",
            "clusters": [_named("c", "cluster", **cluster)],
            "contexts": [_named("x", "context", cluster="c")],
        },
    )
    assert find_endpoint(KubeOptions(kubeconfig=path, environ=environ)).proxy == proxy


async def test_requests_go_through_the_proxy(server: FakeServer) -> None:
    """A real CONNECT proxy that counts."""
    import asyncio

    connects: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        connects.append(head.split(b"\r\n")[0].decode())
        host, _, port = connects[-1].split()[1].rpartition(":")
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.close()

        async with asyncio.TaskGroup() as group:
            group.create_task(pump(reader, up_writer))
            group.create_task(pump(up_reader, writer))

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    server.then(OK)
    async with proxy, server.connect(cluster=server.cluster() | {"proxy-url": url}) as driver:
        await driver.get(MAP)
    assert connects == [f"CONNECT {server.url.removeprefix('https://')} HTTP/1.1"]


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("https://127.0.0.1:6443", True),
        ("https://[::1]:6443", True),
        ("https://localhost", True),
        ("https://127.0.0.1.example.com", False),
        ("https://10.0.0.1", False),
        ("https://localhost.example.com", False),
        ("https://user@10.0.0.1", False),
        ("https://127.0.0.1@10.0.0.1", False),
    ],
)
def test_loopback(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


async def test_inline_keys_leave_no_file_behind(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    folder = server.folder / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    certificate, key = server.authority.client.inline
    await _authorization(server, {"client-certificate-data": certificate, "client-key-data": key})
    assert list(folder.iterdir()) == []
    assert stat.S_IMODE(folder.stat().st_mode)


async def test_nothing_is_sent_before_the_first_call(server: FakeServer) -> None:
    async with connect(KubeOptions(kubeconfig=server.kubeconfig())):
        pass
    assert server.requests == []

"""A small API server over real TLS that answers as a test says."""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.drivers.kubernetes.driver import KubernetesDriver

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate with its key, as PEM."""

    certificate: bytes
    key: bytes

    @property
    def inline(self) -> tuple[str, str]:
        return base64.b64encode(self.certificate).decode(), base64.b64encode(self.key).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate authority with a server's and a client's certificate."""

    ca: bytes
    server: Pair
    client: Pair


def _issue(
    name: str, *, issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None, server: bool = False
) -> tuple[Pair, ec.EllipticCurvePrivateKey, x509.Name]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([
        x509.NameAttribute(NameOID.COMMON_NAME, name),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "test"),
    ])
    by, by_key = issuer or (subject, key)
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509
        .CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer:
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if server:
        names: list[x509.GeneralName] = [
            x509.DNSName("cluster.test"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(by_key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Pair(certificate=certificate.public_bytes(serialization.Encoding.PEM), key=private), key, subject


def make_authority() -> Authority:
    """A fresh one."""
    root, key, name = _issue("ca", issuer=None)
    server, _, _ = _issue("server", issuer=(name, key), server=True)
    client, _, _ = _issue("alice", issuer=(name, key))
    return Authority(ca=root.certificate, server=server, client=client)


@dataclass(slots=True)
class FakeServer:
    """What was asked, and what is answered next."""

    url: str
    folder: Path
    authority: Authority
    answers: list[Handler] = field(default_factory=list)
    last: Handler | None = None
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    peers: list[Any] = field(default_factory=list)

    def then(self, *handlers: Handler) -> None:
        """Answer so, one after the other; the last one again and again."""
        self.answers += handlers

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path, dict(request.query)))
        self.headers.append(request.headers)
        self.bodies.append(await request.read())
        transport = request.transport
        self.peers.append(transport.get_extra_info("peercert") if transport else None)
        if self.answers:
            self.last = self.answers.pop(0)
        assert self.last, "the test gave no answer"
        return await self.last(request)

    def cluster(self) -> dict[str, Any]:
        return {"server": self.url, "certificate-authority-data": base64.b64encode(self.authority.ca).decode()}

    def kubeconfig(self, user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> Path:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "c", "cluster": self.cluster() if cluster is None else cluster}],
            "users": [{"name": "u", "user": user or {}}],
            "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
        }
        path = self.folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    def connect(
        self,
        *,
        user: dict[str, Any] | None = None,
        cluster: dict[str, Any] | None = None,
        timeout: float = 5.0,
        **options: Any,
    ) -> AbstractAsyncContextManager[KubernetesDriver]:
        return connect(KubeOptions(kubeconfig=self.kubeconfig(user, cluster), timeout=timeout, **options))


@asynccontextmanager
async def serving(authority: Authority, folder: Path) -> AsyncIterator[FakeServer]:
    (folder / "server.pem").write_bytes(authority.server.certificate + authority.server.key)
    (folder / "ca.pem").write_bytes(authority.ca)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca.pem")
    tls.load_cert_chain(folder / "server.pem")
    tls.verify_mode = ssl.CERT_OPTIONAL
    fake = FakeServer(url="", folder=folder, authority=authority)
    app = web.Application(client_max_size=8 << 20)
    app.router.add_route("*", "/{path:.*}", fake.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    fake.url = f"https://127.0.0.1:{port}"
    try:
        yield fake
    finally:
        await runner.cleanup()


def answer(value: Any, status: int = 200, **headers: str) -> Handler:
    """A JSON answer."""

    async def handler(_request: web.Request) -> web.StreamResponse:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return web.Response(body=body, status=status, content_type="application/json", headers=headers)

    return handler


def status(code: int, reason: str = "", message: str = "", **details: Any) -> Handler:
    """A Status of failure."""
    return answer(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": code,
            "reason": reason,
            "message": message,
            "details": details,
        },
        code,
    )


def events(*items: tuple[str, dict[str, Any]], then: str = "close") -> Handler:
    """A watch that sends these events, then ends, breaks off (`break`) or stays open (`hold`)."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for kind, obj in items:
            await response.write(json.dumps({"type": kind, "object": obj}).encode() + b"\n")
        if then == "hold":
            await asyncio.sleep(60)
        if then == "break" and request.transport:
            request.transport.abort()
        return response

    return handler

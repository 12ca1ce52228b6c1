"""A reverse proxy in front of an API server, over TLS on loopback, that records every request it passes on.

What AEGIS really sent, in the order in which it was sent, seen from outside.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length", "upgrade", "te", "trailer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it passed: when, what, and what came back."""

    at: datetime.datetime
    method: str
    path: str
    query: dict[str, str]
    body: bytes
    status: int

    @property
    def is_write(self) -> bool:
        """Whether it changed something: no dry-run, no review of one's own rights."""
        reviews = ("selfsubject", "tokenreviews", "subjectaccessreviews")
        return (
            self.method in {"POST", "PUT", "PATCH", "DELETE"}
            and "dryRun" not in self.query
            and not any(review in self.path for review in reviews)
        )

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body) if self.body else None


@dataclass(slots=True)
class Recording:
    """What has passed so far, and the kubeconfig that leads through the proxy."""

    kubeconfig: Path
    requests: list[Request] = field(default_factory=list)
    hold: Callable[[web.Request], Awaitable[None]] | None = None
    answer: Callable[[web.Request], Awaitable[web.StreamResponse | None]] | None = None
    cut_watches_after: float | None = None

    def writes(self) -> list[Request]:
        """What changed the cluster, in order."""
        return [request for request in self.requests if request.is_write and request.status < 300]


@asynccontextmanager
async def recording_proxy(kubeconfig: Path) -> AsyncIterator[Recording]:
    """Run a proxy in front of the cluster of a kubeconfig (one cluster, one user, whose certificate the proxy shows).

    What `Recording.hold` awaits keeps a request back; what `Recording.answer` answers is not passed on; a watch lives
    for `Recording.cut_watches_after` seconds, then its connection is torn.
    """
    config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    with tempfile.TemporaryDirectory() as folder:
        upstream = _upstream_tls(cluster, user, Path(folder))
        server_tls, certificate = _own_tls(Path(folder))
        recording = Recording(kubeconfig=Path(folder) / "kubeconfig")
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            app = web.Application(client_max_size=8 << 20)
            app.router.add_route("*", "/{path:.*}", _forward(session, cluster["server"], upstream, recording))
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls)
            await site.start()
            port = runner.addresses[0][1]
            config["clusters"][0]["cluster"] = {
                "server": f"https://127.0.0.1:{port}",
                "certificate-authority": str(certificate),
            }
            recording.kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")
            recording.kubeconfig.chmod(0o600)
            try:
                yield recording
            finally:
                await runner.cleanup()


def _forward(session: aiohttp.ClientSession, server: str, tls: ssl.SSLContext, recording: Recording) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        at, body = datetime.datetime.now(datetime.UTC), await request.read()
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _HOP_BY_HOP}
        if recording.hold is not None:
            await recording.hold(request)
        if recording.answer is not None and (instead := await recording.answer(request)) is not None:
            return instead
        async with session.request(
            request.method,
            server + request.raw_path,
            data=body or None,
            headers=headers,
            ssl=tls,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as answer:
            recording.requests.append(
                Request(
                    at=at,
                    method=request.method,
                    path=request.path,
                    query=dict(request.query),
                    body=body,
                    status=answer.status,
                )
            )
            kept = {key: value for key, value in answer.headers.items() if key.lower() not in _HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            await _pass_on(answer, response, request, recording.cut_watches_after)
            return response

    return handle


async def _pass_on(
    answer: aiohttp.ClientResponse, response: web.StreamResponse, request: web.Request, cut_after: float | None
) -> None:
    """The body, as it comes; a watch only for a while."""
    try:
        async with asyncio.timeout(cut_after if "watch" in request.query else None):
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
    except (ConnectionResetError, asyncio.CancelledError):
        pass


def _upstream_tls(cluster: dict[str, Any], user: dict[str, Any], folder: Path) -> ssl.SSLContext:
    authority = _file(cluster, "certificate-authority", folder)
    context = ssl.create_default_context(cafile=authority)
    if any(key.startswith("client-certificate") for key in user):
        context.load_cert_chain(_file(user, "client-certificate", folder), _file(user, "client-key", folder))
    return context


def _file(entry: dict[str, Any], key: str, folder: Path) -> Path:
    """The file that a kubeconfig names, or one with the data that it holds."""
    data = entry.get(f"{key}-data")
    if not data:
        return Path(entry[key])
    path = folder / key
    path.write_bytes(base64.b64decode(data))
    return path


def _own_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "recording proxy")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509
        .CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "proxy.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "proxy.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "proxy.crt", folder / "proxy.key")
    return context, folder / "proxy.crt"

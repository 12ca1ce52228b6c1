"""The contract runs against a local cluster of its own, or against any cluster: `pytest tests/contract --kubeconfig FILE`.

Against a foreign cluster it touches nothing but namespaces (and one CustomResourceDefinition) with generated names.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from contract_client import Access, Client, access_from_kubeconfig

from aegis.localcluster.apiserver.kubeconfig import kubeconfig, write_kubeconfig
from aegis.localcluster.apiserver.server import ApiServer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kubeconfig", default=None, help="run the contract against this cluster instead of a local one")


@pytest.fixture(scope="session")
def access(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    given = request.config.getoption("--kubeconfig")
    if given:
        yield access_from_kubeconfig(Path(given))
        return
    with _running(tmp_path_factory.mktemp("cluster") / "kubeconfig") as path:
        yield access_from_kubeconfig(path)


class _running:
    """A cluster in a thread of its own, so that it lives across the tests' event loops."""

    def __init__(self, path: Path) -> None:
        self._path, self._ready, self._stop = path, threading.Event(), asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    async def _serve(self) -> None:
        server = ApiServer()
        url = await server.start()
        write_kubeconfig(self._path, kubeconfig(url, server.authority.certificate, server.admin_certificate()))
        self._ready.set()
        await self._stop.wait()
        await server.stop()

    def __enter__(self) -> Path:
        self._thread.start()
        assert self._ready.wait(30)
        return self._path

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
async def as_token(access: Access) -> AsyncIterator[Callable[[str], Client]]:
    """Makes clients that show a bearer token and nothing else."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(_session(access, admin=False))
        yield lambda token: Client(session, access.url, {"Authorization": f"Bearer {token}"})


@pytest.fixture
async def api(access: Access) -> AsyncIterator[Client]:
    """The administrator."""
    headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
    async with _session(access, admin=True) as session:
        yield Client(session, access.url, headers)


@pytest.fixture
async def namespace(api: Client) -> AsyncIterator[str]:
    """A namespace of the test's own."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    await api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    await api.delete(f"/api/v1/namespaces/{name}", expect="any")


def _session(access: Access, *, admin: bool) -> aiohttp.ClientSession:
    context = access.tls if admin else access.anonymous_tls
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), timeout=aiohttp.ClientTimeout(total=30))

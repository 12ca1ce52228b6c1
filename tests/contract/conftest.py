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

from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.options import ClusterOptions


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kubeconfig", default=None, help="run the contract against this cluster instead of a local one")


@pytest.fixture(scope="session")
def access(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    given = request.config.getoption("--kubeconfig")
    if given:
        yield access_from_kubeconfig(Path(given))
        return
    with _Running(tmp_path_factory.mktemp("cluster")) as path:
        yield access_from_kubeconfig(path)


class _Running:
    """A cluster in a thread of its own, so that it lives across the tests' event loops."""

    def __init__(self, folder: Path) -> None:
        self._options = ClusterOptions(state=folder / "state", time_scale=10)
        self._kubeconfig: Path | None = None
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        async with LocalCluster(self._options) as cluster:
            self._kubeconfig = cluster.kubeconfig
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> Path:
        self._thread.start()
        self._ready.wait(30)
        assert self._kubeconfig is not None, "the local cluster did not start"
        return self._kubeconfig

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
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

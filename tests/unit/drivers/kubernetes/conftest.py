from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_api_server import Authority, FakeServer, make_authority, serving


@pytest.fixture(scope="session")
def authority() -> Authority:
    return make_authority()


@pytest.fixture
async def server(authority: Authority, tmp_path: Path) -> AsyncIterator[FakeServer]:
    async with serving(authority, tmp_path) as fake:
        yield fake

"""Whether to die at every place there is, or at one of each kind."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-kills",
        action="store_true",
        default=False,
        help="kill a remediation at every single place (half an hour)",
    )


@pytest.fixture
def all_kills(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--all-kills", default=False))

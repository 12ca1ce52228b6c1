"""How many deaths a remediation dies: one of each kind, or all there are; a few at random, or a hundred."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-kills",
        action="store_true",
        default=False,
        help="kill a remediation at every single place (half an hour)",
    )
    parser.addoption("--random-kills", type=int, default=1, help="how many times to kill a remediation at random")
    parser.addoption("--kill-seed", type=int, default=7, help="from which the random moments are drawn")


@pytest.fixture
def all_kills(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--all-kills", default=False))


@pytest.fixture
def random_kills(request: pytest.FixtureRequest) -> tuple[int, int]:
    """How many, and the seed."""
    return (
        int(request.config.getoption("--random-kills", default=1)),
        int(request.config.getoption("--kill-seed", default=7)),
    )

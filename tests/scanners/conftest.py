"""The real tools: those on PATH, where `make test-scanners` puts its own. Without one its tests are skipped, and say so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

FindTool = Callable[[str], Path]


@pytest.fixture(scope="session")
def tool() -> FindTool:
    """Where a tool is; the test is skipped where it is not there."""

    def find(name: str) -> Path:
        found = shutil.which(name)
        if found is None:
            pytest.skip(
                f"no {name} on PATH: `make test-scanners` installs semgrep and trivy; kubesec, docker as you do"
            )
        return Path(found)

    return find


@pytest.fixture(scope="session")
def tools_path() -> str:
    """The folders in which programs are looked for, as a `Desk` takes them."""
    return os.environ.get("PATH", os.defpath)

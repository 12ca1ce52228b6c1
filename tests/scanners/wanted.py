"""Print what the extra `scanners` of pyproject.toml asks for, so that tests install what users do."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def main() -> None:
    """One requirement a line."""
    wanted = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]["scanners"]
    sys.stdout.write("\n".join(wanted) + "\n")


if __name__ == "__main__":
    main()

"""What the canary does, run as it runs in a pod."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

SCRIPT = Path(__file__).parents[4] / "src" / "aegis" / "shadow" / "scripts" / "canary.py"


def sing(path: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-u", str(SCRIPT), "plan.json"], capture_output=True, text=True, check=True, env={"PATH": path}
    )
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_it_looks_for_a_key_and_says_so(tmp_path: Path) -> None:
    before = time.time()
    did = sing(os.environ["PATH"])
    assert did["looked"] is True
    assert isinstance(did["opened"], bool)
    assert isinstance(did["at"], float)
    assert before <= did["at"] <= time.time()


def test_it_ends_well_where_there_is_nothing_to_look_with(tmp_path: Path) -> None:
    assert sing(str(tmp_path))["looked"] is False

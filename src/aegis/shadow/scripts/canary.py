"""What a runtime watch is sure to tell of, done once and harmlessly: so its silence about others means something.

It looks for a private key where there is none (Falco's stable default rule "Search Private Keys or Passwords", which needs
no rights), and asks for a file that is not its to read. It starts nothing else and writes nothing but what it did.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import time

_LOOKED = ["find", "/proc/self/status", "-maxdepth", "0", "-name", "id_rsa"]
_ASKED = pathlib.Path("/etc/shadow")
_WAIT = 10.0


def main() -> dict[str, float | bool]:
    """What was done, and when."""
    did: dict[str, float | bool] = {"at": time.time()}
    try:
        done = subprocess.run(  # noqa: S603 - the words stand above
            _LOOKED, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=_WAIT, check=False
        )
        did["looked"] = done.returncode == 0
    except (OSError, subprocess.SubprocessError):
        did["looked"] = False
    try:
        with _ASKED.open("rb"):
            did["opened"] = True
    except OSError:
        did["opened"] = False
    return did


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main()) + "\n")

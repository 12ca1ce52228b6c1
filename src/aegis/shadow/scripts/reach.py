"""Try to reach addresses from within an arm and print, as one line of JSON, which answered.

Usage: reach.py FILE, where FILE holds {"control": ["host:port"], "forbidden": ["host:port"], "timeout": s, "patience": s}.
A forbidden address is tried until it stays unreachable, for as long as `patience`: policies may take effect late. The
control is tried until it is reached. A name that does not resolve is not reached. With "strict": true it fails where one
answered that must not, or the control did not: so it can stand guard before something else.
"""

from __future__ import annotations

import json
import pathlib
import socket
import sys
import threading
import time
from typing import Any


def reaches(address: str, timeout: float) -> bool:
    """Whether a TCP connection is accepted; what is refused, dropped or has no name is not reached."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=timeout).close()
    except (OSError, ValueError):
        return False
    return True


def watch(address: str, wanted: bool, plan: dict[str, Any], results: dict[str, bool]) -> None:  # noqa: FBT001 - a thread's arguments
    """Try until the result is the wanted one, or patience ends."""
    deadline = time.monotonic() + plan["patience"]
    while True:
        results[address] = reaches(address, plan["timeout"])
        if results[address] == wanted or time.monotonic() > deadline:
            return
        time.sleep(0.1)


def main(path: str) -> None:
    """Try all addresses side by side: the control first, since before it works nothing is proved."""
    plan = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    results: dict[str, bool] = {}
    for group, wanted in (("control", True), ("forbidden", False)):
        threads = [threading.Thread(target=watch, args=(item, wanted, plan, results)) for item in plan[group]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    sys.stdout.write(json.dumps(results) + "\n")
    if plan.get("strict"):
        as_wanted = all(results[item] for item in plan["control"]) and not any(
            results[item] for item in plan["forbidden"]
        )
        sys.exit(0 if as_wanted else 1)


if __name__ == "__main__":
    main(sys.argv[1])

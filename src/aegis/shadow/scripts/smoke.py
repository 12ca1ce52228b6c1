"""Ask an application for its health from within an arm, one request after another, and print counts as a line of JSON.

Usage: smoke.py FILE, where FILE holds {"checks": [{"name", "scheme": "http|https|tcp", "host", "port", "path", "headers"}],
"requests": n, "timeout": s, "patience": s}. Every check is made `requests` times, in turns. A check whose first answer has
to be waited for (a Service takes a moment) is repeated for as long as `patience` before anything is counted.
"""

from __future__ import annotations

import http.client
import json
import pathlib
import socket
import ssl
import sys
import time
from typing import Any

_GOOD = range(200, 400)
_WORDS = 5


def ask(check: dict[str, Any], timeout: float) -> str:
    """Nothing where the answer is good, else what was wrong with it."""
    try:
        if check["scheme"] == "tcp":
            socket.create_connection((check["host"], check["port"]), timeout=timeout).close()
            return ""
        status = request(check, timeout)
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"[:200]
    return "" if status in _GOOD else f"HTTP {status}"


def request(check: dict[str, Any], timeout: float) -> int:
    """The status of one HTTP request; certificates are not checked, as the kubelet does not."""
    connection = http.client.HTTPConnection(check["host"], check["port"], timeout=timeout)
    if check["scheme"] == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(check["host"], check["port"], timeout=timeout, context=context)
    try:
        connection.request("GET", check["path"], headers=check["headers"])
        response = connection.getresponse()
        response.read(1 << 16)
        return response.status
    finally:
        connection.close()


def count(check: dict[str, Any], result: dict[str, Any], timeout: float) -> None:
    """Make one check and count it."""
    begun = time.perf_counter()
    error = ask(check, timeout)
    result["seconds"].append(round(time.perf_counter() - begun, 6))
    result["requests"] += 1
    if error:
        result["failures"] += 1
    if error and (error in result["errors"] or len(result["errors"]) < _WORDS):
        result["errors"][error] = result["errors"].get(error, 0) + 1


def main(path: str) -> None:
    """Make all checks and print the counts."""
    plan = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    results: dict[str, dict[str, Any]] = {
        check["name"]: {"requests": 0, "failures": 0, "errors": {}, "seconds": []} for check in plan["checks"]
    }
    deadline = time.monotonic() + plan["patience"]
    for check in plan["checks"]:
        while ask(check, plan["timeout"]) and time.monotonic() < deadline:
            time.sleep(0.1)
    for _ in range(plan["requests"]):
        for check in plan["checks"]:
            count(check, results[check["name"]], plan["timeout"])
    sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])

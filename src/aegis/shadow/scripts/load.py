"""Send an arm's application requests at a bounded rate, in turns with another arm, and print what came of each as JSON.

Usage: load.py FILE, where FILE holds {"checks": [{"name", "scheme": "http|https|tcp", "host", "port", "path", "headers"}],
"requests": n for each check, "block": n, "interval": s, "timeout": s, "duration": s, "patience": s, "warm_up": n,
"turns": [0..3], "slot": s}.

Two arms cannot speak to each other, but they share the time of day: it is cut into slots of `slot` seconds, numbered 0 to 3
over and over, and an arm sends only in its own `turns`. With 0 and 3 for one, 1 and 2 for the other, that is A B B A.
Checks take turns too, `block` requests each. Where the name of a host cannot be resolved five times in a row, that is no
answer of the application's: the script stops and says so.
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

_WORDS, _WORD = 5, 120
_UNRESOLVED = 5
_LONGEST_PAUSE = 5.0
_BUSY = (429, 503)
_FAULT = 500


class Unresolved(Exception):
    """The host's name was not found: the network's fault, or a Service that is not there."""


class Arm:
    """One arm's share of the requests."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.results: dict[str, dict[str, Any]] = {
            check["name"]: {"sent": 0, "failed": 0, "seconds": [], "errors": {}} for check in plan["checks"]
        }
        self.deadline = time.monotonic() + plan["patience"] + plan["duration"]
        self.pause = 0.0
        self.unresolved = 0

    def run(self) -> dict[str, Any]:
        """Wait for the first good answers, warm up, then count."""
        stopped = ""
        try:
            for check in self.plan["checks"]:
                self.wait_for(check)
            for check in self.plan["checks"]:
                for _ in range(self.plan["warm_up"]):
                    self.attempt(check)
            self.deadline = time.monotonic() + self.plan["duration"]
            self.count()
        except Unresolved as error:
            stopped = str(error)
        return {"checks": self.results, "stopped": stopped}

    def wait_for(self, check: dict[str, Any]) -> None:
        """A Service takes a moment before it answers; nothing of that counts."""
        until = time.monotonic() + self.plan["patience"]
        while time.monotonic() < until:
            try:
                if not self.attempt(check)[1]:
                    return
            except Unresolved:
                self.unresolved = 0
            time.sleep(0.1)

    def count(self) -> None:
        """Send all requests, a block of each check after the other."""
        block = self.plan["block"]
        starts = range(0, self.plan["requests"], block)
        blocks = [(check, start) for start in starts for check in self.plan["checks"]]
        for check, start in blocks:
            for _ in range(min(block, self.plan["requests"] - start)):
                if not self.my_turn():
                    return
                begun = time.monotonic()
                self.measure(check)
                self.rest(begun)

    def my_turn(self) -> bool:
        """Wait for a slot of this arm; False where time is over."""
        slot, turns = self.plan["slot"], self.plan["turns"]
        while time.monotonic() < self.deadline:
            now = time.time()
            if int(now / slot) % 4 in turns:
                return True
            time.sleep(slot - now % slot + 0.001)
        return False

    def rest(self, begun: float) -> None:
        """Keep to the rate, and to what the application asks for with Retry-After."""
        until = min(begun + self.plan["interval"] + self.pause, self.deadline)
        self.pause = 0.0
        time.sleep(max(0.0, until - time.monotonic()))

    def measure(self, check: dict[str, Any]) -> None:
        """Send one request and note it. What fails at once is an error, and no fast answer; a time-out took its time.

        Raises:
            Unresolved: if no name was found for a while.
        """
        try:
            seconds, error, late = self.attempt(check)
        except Unresolved as unresolved:
            if self.unresolved >= _UNRESOLVED:
                raise
            self.note(self.results[check["name"]], str(unresolved))
            return
        result = self.results[check["name"]]
        result["sent"] += 1
        result["failed"] += bool(error)
        if not error or late:
            result["seconds"].append(round(max(seconds, 1e-6), 6))
        if error:
            self.note(result, error)

    def note(self, result: dict[str, Any], error: str) -> None:
        """Count an error under its words, of a few different ones."""
        if error in result["errors"] or len(result["errors"]) < _WORDS:
            result["errors"][error] = result["errors"].get(error, 0) + 1

    def attempt(self, check: dict[str, Any]) -> tuple[float, str, bool]:
        """How long one request took, what was wrong with it (nothing: empty), and whether it was not answered in time.

        Raises:
            Unresolved: if the host's name is not found.
        """
        begun = time.perf_counter()
        try:
            error, late = self.ask(check), False
        except socket.gaierror as unresolved:
            self.unresolved += 1
            raise Unresolved(f"{check['host']}: {unresolved}"[:_WORD]) from None
        except (OSError, http.client.HTTPException) as failed:
            late = isinstance(failed, TimeoutError)
            error = f"{type(failed).__name__}: {failed}"[:_WORD]
        self.unresolved = 0
        return time.perf_counter() - begun, error, late

    def ask(self, check: dict[str, Any]) -> str:
        """Make one request; certificates are not checked, as the kubelet does not."""
        host, port, timeout = check["host"], check["port"], self.plan["timeout"]
        if check["scheme"] == "tcp":
            socket.create_connection((host, port), timeout=timeout).close()
            return ""
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
        if check["scheme"] == "https":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
        try:
            connection.request("GET", check["path"], headers=check["headers"])
            response = connection.getresponse()
            response.read(1 << 20)
            if response.status in _BUSY:
                self.pause = _seconds(response.headers.get("Retry-After"))
            bad = response.status >= _FAULT or response.status == _BUSY[0]
            return f"HTTP {response.status}" if bad else ""
        finally:
            connection.close()


def _seconds(text: str | None) -> float:
    """What a Retry-After asks for, within bounds; a date counts as the longest."""
    if not text:
        return 0.0
    try:
        return min(max(float(text), 0.0), _LONGEST_PAUSE)
    except ValueError:
        return _LONGEST_PAUSE


def main(path: str) -> None:
    """Send the requests and print what came of them."""
    plan = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    sys.stdout.write(json.dumps(Arm(plan).run()) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])

"""A whole remediation through an API server on a bad night: it tears watches, forgets versions, throttles, fails and dawdles."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from checkout import NAMESPACE, broken_checkout, run
from recording_proxy import recording_proxy

_EVERY = {"410": 3, "429": 11, "503": 13, "slow": 7}
"""Of the requests that may meet each fault, one in so many does."""


@dataclass(slots=True)
class BadNight:
    """Answers by turns what a busy server answers."""

    asked: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)

    async def answer(self, request: web.Request) -> web.StreamResponse | None:
        if "watch" in request.query:
            return self._forgotten() if self._turn("410") else None
        if request.method != "GET":
            return None
        if self._turn("429"):
            return self._status(429, "TooManyRequests", headers={"Retry-After": "1"})
        if self._turn("503"):
            return self._status(503, "ServiceUnavailable")
        if self._turn("slow"):
            await asyncio.sleep(0.5)
        return None

    def _turn(self, fault: str) -> bool:
        self.asked[fault] += 1
        turn = self.asked[fault] % _EVERY[fault] == 0
        self.met[fault] += turn
        return turn

    def _forgotten(self) -> web.Response:
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}
        return web.Response(text=json.dumps({"type": "ERROR", "object": status}) + "\n")

    def _status(self, code: int, reason: str, headers: dict[str, str] | None = None) -> web.Response:
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
        return web.json_response(body, status=code, headers=headers)


@pytest.mark.namespaces
@pytest.mark.timeout(480)
async def test_a_fix_is_tried_applied_and_watched_through_torn_watches_and_refusals(tmp_path: Path) -> None:
    night = BadNight()
    async with (
        broken_checkout(tmp_path / "cluster", time_scale=60) as cluster,
        recording_proxy(cluster.kubeconfig) as recording,
    ):
        recording.answer, recording.cut_watches_after = night.answer, 1.0
        common = ("--kubeconfig", str(recording.kubeconfig), "-o", "json")
        done = await run(
            "fix", "deploy/checkout", "-n", NAMESPACE, "--yes", *common, state=tmp_path / "state", seconds=400
        )
        left = [ns["metadata"]["name"] for ns in cluster.api.list("namespaces")]

    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["phase"] == "Resolved"
    assert all(night.met[fault] for fault in _EVERY), night.met
    assert sum(request.path.endswith(f"/{NAMESPACE}/deployments/checkout") for request in recording.writes()) == 1
    assert not [name for name in left if name.startswith("aegis-shadow-")]

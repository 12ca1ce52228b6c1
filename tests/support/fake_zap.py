"""A ZAP daemon at the wire: its API over HTTP, a spider that really asks the service, and every way in which it fails.

Every answer is what `zap_baseline.py` saw, told as the API tells it: numbers as strings, one alert a place, and counts of
status codes under the name of the site. Sessions hold what they saw, so that what an earlier scan left is there until a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from zap_baseline import RULES, Answer, crawl

KEY = "k3y-of-the-daemon"
_RISKS = {"0": "Informational", "1": "Low", "2": "Medium", "3": "High"}


@dataclass(slots=True, kw_only=True)
class FakeZap:
    """The daemon.

    Attributes:
        url: where it answers.
        fault: what goes wrong: a path, and what is answered instead (`refuse`, `no-json`, `no-number`, `never`, `list`,
            `redirect`).
        pages: what this session saw.
        calls: the paths that were asked.
        keys: the API keys that were given.
        spidering: set once somebody asked how far the spider is.
    """

    url: str = ""
    fault: tuple[str, str] = ("", "")
    pages: dict[str, Answer | None] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)
    spidering: asyncio.Event = field(default_factory=asyncio.Event)
    queue: int = 3
    progress: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One call of the API."""
        path = request.match_info["path"].strip("/")
        self.calls.append(path)
        if path == "spider/view/status":
            self.spidering.set()
        self.keys.add(request.headers.get("X-ZAP-API-Key"))
        if request.headers.get("X-ZAP-API-Key") != KEY:
            return web.json_response(
                {"code": "bad_api_key", "message": "Provided parameter has illegal value"}, status=401
            )
        broken, how = self.fault
        if path == broken:
            return await self._broken(how)
        parameters = {str(key): str(value) for key, value in (await request.post()).items()}
        return web.json_response(await self._known(path, parameters))

    async def _broken(self, how: str) -> web.StreamResponse:
        if how == "redirect":
            raise web.HTTPFound("http://127.0.0.1:1/elsewhere")
        if how == "list":
            return web.json_response([])
        if how == "no-number":
            return web.json_response({"status": "soon", "recordsToScan": "soon"})
        if how == "never":
            return web.json_response({"status": "7", "recordsToScan": "7"})
        if how == "no-json":
            return web.Response(text="<html>proxy</html>")
        return web.json_response({"code": "internal_error", "message": "Internal error"}, status=500)

    async def _known(self, path: str, parameters: dict[str, str]) -> dict[str, Any]:
        match path:
            case "core/view/version":
                return {"version": "2.17.0"}
            case "core/action/newSession":
                self.pages, self.queue, self.progress = {}, 3, 0
            case "spider/action/scan":
                self.pages |= await asyncio.to_thread(crawl, parameters["url"])
                return {"scan": "4"}
            case "spider/view/status":
                self.progress = min(100, self.progress + 50)
                return {"status": str(self.progress)}
            case "pscan/view/recordsToScan":
                self.queue = max(0, self.queue - 1)
                return {"recordsToScan": str(self.queue)}
            case _:
                return self._seen(path, parameters)
        return {"Result": "OK"}

    def _seen(self, path: str, parameters: dict[str, str]) -> dict[str, Any]:
        answers = {url: answer for url, answer in self.pages.items() if answer}
        match path:
            case "core/view/urls":
                return {"urls": list(answers)}
            case "stats/view/siteStats":
                codes = Counter(f"stats.code.{answer[0]}" for answer in answers.values())
                return {parameters["site"]: [dict(codes)]}
            case "stats/view/stats":
                failed = len(self.pages) - len(answers)
                counts = {"stats.network.send.success": str(len(answers)), "stats.network.send.failure": str(failed)}
                return {"stats": counts}
            case "alert/view/alerts":
                start, count = int(parameters["start"]), int(parameters["count"])
                return {"alerts": _alerts(answers)[start : start + count]}
            case _:
                return {"Result": "OK"}


def _alerts(answers: dict[str, Answer]) -> list[dict[str, str]]:
    found = []
    for ref, name, risk, header in RULES:
        for url, (status, headers, _) in answers.items():
            if status < 400 and header not in headers:
                found.append({
                    "alertRef": ref, "pluginId": ref.partition("-")[0], "name": name, "alert": name,
                    "risk": _RISKS[risk], "confidence": "High", "url": url, "nodeName": url, "method": "GET",
                    "param": "", "evidence": "", "description": f"{name}.", "solution": "Set the header.",
                    "reference": "https://example.org/one\nhttps://example.org/two", "cweid": "693",
                })  # fmt: skip
    return found


@contextlib.asynccontextmanager
async def listening(**told: Any) -> AsyncIterator[FakeZap]:
    """A daemon on a loopback port of its own."""
    daemon = FakeZap(**told)
    app = web.Application()
    app.router.add_route("*", "/JSON/{path:.*}", daemon.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        daemon.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield daemon
    finally:
        await runner.cleanup()

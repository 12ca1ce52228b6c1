"""A small HTTP service for scanners to look at, on a loopback port of its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping

from aiohttp import web

SAFE = {"Content-Security-Policy": "default-src 'self'", "X-Content-Type-Options": "nosniff"}
INDEX = '<html><a href="/a">a</a><a href="/b?x=1">b</a></html>'


@contextlib.asynccontextmanager
async def serving(headers: Mapping[str, str] | None = None, *, status: int = 200, pages: int = 0) -> AsyncIterator[str]:
    """The URL of a service whose pages have these headers and this status; `pages` more are linked from its first."""
    links = INDEX + "".join(f'<a href="/page{n}">{n}</a>' for n in range(pages))

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=links, status=status, headers=dict(headers or {}), content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()

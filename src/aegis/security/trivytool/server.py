"""Asking a trivy server which version it is and of when its database is."""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp

from aegis.model.refs import JsonObject
from aegis.security.trivytool.report import Unusable, read_object

_SECONDS = 10.0
_LIMIT = 1 << 16
_OK = 200
_REMEDY = "check security.trivy_server"


async def ask_version(url: str) -> JsonObject:
    """What the server's `/version` says; no token is sent there, and no redirection followed.

    Raises:
        Unusable: if it says nothing that can be read, or does not answer.
    """
    try:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise Unusable(f"{url!r} is no URL of a trivy server: {_REMEDY}")
    except ValueError as error:
        raise Unusable(f"{url!r} is no URL of a trivy server: {_REMEDY}") from error
    limit = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit) as http,
            http.get(f"{url.rstrip('/')}/version", allow_redirects=False) as answer,
        ):
            if answer.status != _OK:
                raise Unusable(f"the trivy server answers {answer.status} to /version")
            return read_object(await _bounded(answer.content))
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unusable(f"the trivy server does not answer: {str(error) or 'time is up'}: {_REMEDY}") from error


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    """All of it.

    Raises:
        Unusable: if it is too much.
    """
    body = bytearray()
    async for chunk in content.iter_chunked(_LIMIT):
        body += chunk
        if len(body) > _LIMIT:
            raise Unusable("the trivy server answers /version with more than a version")
    return bytes(body)

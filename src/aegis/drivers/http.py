"""One HTTP client for what is asked over the network: TLS verified, answers bounded, tried again where that may help.

It follows no redirects: a token is meant for the host that was configured, and for no other.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aegis.errors import Invalid, NotFound, PermissionDenied, Unavailable, UsageError

if TYPE_CHECKING:
    import aiohttp

LARGEST: Final = 64 << 20
"""Bytes of one answer."""

_ATTEMPTS: Final = 3
_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_PIECE: Final = 1 << 16
_SAID: Final = 300
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """How to reach a service.

    Attributes:
        url: `https://host:port/prefix`.
        token: a bearer token; empty: none is sent.
        timeout: seconds that one request may take.
        ca_file: whom to trust beside nobody else; None: whom this machine trusts.
        headers: sent with every request.
        name: what a person calls the service, in errors.
    """

    url: str
    token: str = field(default="", repr=False)
    timeout: float = 30.0
    ca_file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


@asynccontextmanager
async def open_http(options: HttpOptions) -> AsyncIterator[HttpClient]:
    """A client; nothing is sent before the first call.

    Raises:
        UsageError: if the URL is none, the file of authorities cannot be read, or a token would be sent in the clear.
    """
    import aiohttp

    _check(options)
    headers = dict(options.headers) | ({"Authorization": f"Bearer {options.token}"} if options.token else {})
    timeout = aiohttp.ClientTimeout(total=options.timeout)
    connector = aiohttp.TCPConnector(ssl=_trust(options))
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        yield HttpClient(session, options)


class HttpClient:
    """Asks one service."""

    def __init__(self, session: aiohttp.ClientSession, options: HttpOptions) -> None:
        self._session = session
        self._options = options
        self._name = options.name or urlsplit(options.url).netloc

    async def get(self, path: str, params: Mapping[str, str]) -> bytes:
        """The body of an answer to GET, with these parameters in the query."""
        return await self._asked("GET", path, params=params)

    async def post(self, path: str, form: Mapping[str, str]) -> bytes:
        """The body of an answer to POST, with these values as a form; it must be a question, for it may be sent twice."""
        return await self._asked("POST", path, data=form)

    async def _asked(self, method: str, path: str, **how: Mapping[str, str]) -> bytes:
        """Ask, and again where the service is busy or gone for a moment.

        Raises:
            PermissionDenied: if the service lets the caller in not, or not there.
            NotFound: if there is no such path.
            Invalid: if it refuses what is asked.
            Unavailable: if it does not answer, or with too much.
        """
        last = Unavailable(f"{self._name} does not answer")
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(min(_PAUSE * 2**attempt, _LONGEST_PAUSE))
            try:
                return await self._once(method, path, how)
            except _Again as error:
                last = Unavailable(f"{self._name}: {error}", hint=f"Is {self._options.url} right, and up?")
        raise last

    async def _once(self, method: str, path: str, how: Mapping[str, Mapping[str, str]]) -> bytes:
        import aiohttp

        url = self._options.url.rstrip("/") + path
        try:
            async with self._session.request(method, url, allow_redirects=False, **how) as response:  # type: ignore[arg-type]  # mappings of text
                body = await self._read(response)
        except TimeoutError:
            raise _Again(f"no answer within {self._options.timeout:g} s") from None
        except aiohttp.ClientSSLError as error:
            raise Unavailable(f"{self._name}: its certificate is not trusted: {error}") from error
        except aiohttp.ClientError as error:
            raise _Again(str(error) or type(error).__name__) from error
        if response.status in _OK:
            return body
        self._refuse(response.status, body)
        raise AssertionError("a refusal is an error")

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        pieces, size = [], 0
        async for piece in response.content.iter_chunked(_PIECE):
            size += len(piece)
            if size > LARGEST:
                raise Unavailable(f"{self._name} answers with more than {LARGEST >> 20} MiB", hint="Ask for less.")
            pieces.append(piece)
        return b"".join(pieces)

    def _refuse(self, status: int, body: bytes) -> None:
        said = " ".join(body[:_SAID].decode("utf-8", "replace").split())
        words = f"{self._name} answers {status}{f': {said}' if said else ''}"
        if status in _AGAIN:
            raise _Again(words.partition(" ")[2])
        if status in {401, 403}:
            raise PermissionDenied(words, hint="Check its token.")
        if status == 404:  # noqa: PLR2004 - HTTP's Not Found
            raise NotFound(words, hint="Check its URL.")
        if status in {400, 422}:
            raise Invalid(words)
        raise Unavailable(words)


class _Again(Exception):
    """What may be otherwise a moment later."""


def _check(options: HttpOptions) -> None:
    try:
        parts = urlsplit(options.url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise UsageError(f"{options.url!r} is no URL of a service", hint="Write https://HOST[:PORT][/PREFIX].")
    if parts.username or parts.password:
        raise UsageError(f"the URL of {options.name or host} holds a password", hint="Set its token instead.")
    if options.token and parts.scheme == "http" and not _is_here(host):
        raise UsageError(f"a token is not sent to {host} in the clear", hint="Use https.")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _trust(options: HttpOptions) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=options.ca_file)
    except OSError as error:
        raise UsageError(f"{options.ca_file}: no file of authorities: {error}") from error

"""Requests to one API server: signed, bounded, counted, repeated where that is safe, refusals translated."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from aegis.drivers.kubernetes.credentials import Credentials, credentials_of
from aegis.drivers.kubernetes.faults import Doing, parse_status, translate
from aegis.drivers.kubernetes.kubeconfig import Endpoint
from aegis.errors import AegisError, Unavailable
from aegis.model.canonical import canonical_json
from aegis.model.refs import JsonObject

LARGEST_ANSWER: Final = 64 << 20
_ATTEMPTS: Final = 5
_LONGEST_WAIT: Final = 10.0
_PASSING: Final = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request.

    Attributes:
        doing: what for; `doing.verb` is what is counted.
        method: of HTTP.
        path: under the server's URL, without query.
        query: parameters; empty values are left out.
        body: sent as canonical JSON, so that equal values are equal bytes.
        content_type: of the body.
        repeatable: whether sending it twice does no harm (reads, dry-runs).
        patient: whether to wait when the server says that it is too busy (429); an eviction is told so by a budget.
        limit_bytes: the largest answer to take.
    """

    doing: Doing
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = "application/json"
    repeatable: bool = False
    patient: bool = True
    limit_bytes: int = LARGEST_ANSWER


class Refusal(Exception):
    """An answer that is no success, before it is translated.

    Attributes:
        code: the HTTP status.
        body: what the server said (bounded).
        doing: what was asked.
    """

    def __init__(self, code: int, body: bytes, doing: Doing) -> None:
        super().__init__(f"HTTP {code}")
        self.code = code
        self.body = body
        self.doing = doing

    def translated(self) -> AegisError:
        """The error of ours that it means."""
        return translate(self.code, self.body, self.doing)


class _Again(Exception):
    """The request may be sent again.

    Attributes:
        error: what to raise if there is no time left to.
        after: seconds that the server asks to wait; None: it does not say.
    """

    def __init__(self, error: Exception, after: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after


def wait_before(attempt: int, *, asked: float | None, chance: float) -> float:
    """Seconds to wait before sending again.

    Args:
        attempt: how often it was sent: 1, 2, ….
        asked: what the server's Retry-After says.
        chance: from 0 to 1, so that many clients do not come back at once.
    """
    backoff = min(0.1 * 3.0 ** (attempt - 1), _LONGEST_WAIT) * (0.5 + chance)
    return backoff if asked is None else min(max(asked, 0.0) + 0.1 * chance, _LONGEST_WAIT)


class Transport:
    """One session with one API server.

    Attributes:
        endpoint: where it leads.
        calls: how many requests were sent, by verb (repeats count).
    """

    def __init__(
        self, session: aiohttp.ClientSession, endpoint: Endpoint, credentials: Credentials, *, timeout: float
    ) -> None:
        self.endpoint = endpoint
        self.calls: Counter[str] = Counter()
        self._session = session
        self._credentials = credentials
        self._timeout = timeout

    async def json(self, call: Call) -> JsonObject:
        """The JSON object that the server answers.

        Raises:
            Refusal: if it answers with no success.
            Unavailable: if it cannot be reached, is too slow, or answers no JSON object.
        """
        body = await self.read(call)
        try:
            value = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Unavailable(f"{call.doing}: the server answered no JSON: {body[:80]!r}") from error
        if not isinstance(value, dict):
            raise Unavailable(f"{call.doing}: the server answered no object: {body[:80]!r}")
        return value

    async def read(self, call: Call) -> bytes:
        """What the server answers; sent again, in bounds, where that is safe.

        Raises:
            Refusal: if it answers with no success.
        """
        attempt = 0
        renewed = False
        give_up = time.monotonic() + self._timeout
        while True:
            attempt += 1
            try:
                return await self._once(call)
            except Refusal as refusal:
                if refusal.code != 401 or renewed or not self._credentials.forget():  # noqa: PLR2004
                    raise
                renewed = True
            except _Again as again:
                pause = wait_before(attempt, asked=again.after, chance=random.random())  # noqa: S311  (jitter)
                if attempt >= _ATTEMPTS or time.monotonic() + pause > give_up:
                    raise again.error from again.error.__cause__
                await asyncio.sleep(pause)

    @asynccontextmanager
    async def stream(self, call: Call, *, silence: float) -> AsyncIterator[aiohttp.StreamReader]:
        """An answer to be read as it comes.

        Args:
            call: what to ask.
            silence: seconds without a byte after which the connection counts as lost.

        Raises:
            Refusal: if the server answers with no success.
        """
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout, sock_read=silence)
        try:
            async with await self._send(call, limits) as response:
                if response.status != 200:  # noqa: PLR2004
                    raise Refusal(response.status, await _bounded(response, 1 << 20, call), call.doing)
                yield response.content
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error, call) from error

    async def _once(self, call: Call) -> bytes:
        limits = aiohttp.ClientTimeout(total=self._timeout, sock_connect=min(self._timeout, 10.0))
        try:
            async with await self._send(call, limits) as response:
                body = await _bounded(response, call.limit_bytes, call)
                if 200 <= response.status < 300:  # noqa: PLR2004
                    return body
                refusal = Refusal(response.status, body, call.doing)
                after = _retry_after(response, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            unreachable = self._unreachable(error, call)
            if _may_repeat(error, call):
                raise _Again(unreachable) from error
            raise unreachable from error
        if refusal.code in _PASSING and _undone(call, refusal.code, after):
            raise _Again(refusal, after)
        raise refusal

    async def _send(self, call: Call, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        headers = [("Accept", "application/json"), ("User-Agent", "aegis"), *self.endpoint.impersonation]
        authorization = await self._credentials.header()
        if authorization:
            headers.append(("Authorization", authorization))
        data = None
        if call.body is not None:
            headers.append(("Content-Type", call.content_type))
            data = canonical_json(call.body)
        self.calls[call.doing.verb] += 1
        return await self._session.request(
            call.method,
            self.endpoint.server + call.path,
            params={key: value for key, value in call.query.items() if value},
            data=data,
            headers=headers,
            timeout=limits,
            allow_redirects=False,
            proxy=self.endpoint.proxy or None,
            server_hostname=self.endpoint.server_name or None,
        )

    def _unreachable(self, error: Exception, call: Call) -> Unavailable:
        server = self.endpoint.server
        hint = "Check that the cluster runs and that the context is the right one (`kubectl cluster-info`)."
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
            return Unavailable(f"{server}: its TLS certificate is not trusted: {_words(error)}", hint=hint)
        if isinstance(error, aiohttp.ClientConnectorError):
            return Unavailable(f"{server}: no connection: {_words(error)}", hint=hint)
        if isinstance(error, TimeoutError):
            return Unavailable(f"{server}: no answer in time ({call.doing})", hint=hint)
        unknown = "" if call.repeatable else "; whether it was done is not known"
        return Unavailable(f"{server}: the connection broke ({call.doing}){unknown}: {_words(error)}")


@asynccontextmanager
async def open_transport(endpoint: Endpoint, *, timeout: float, environ: Mapping[str, str]) -> AsyncIterator[Transport]:  # noqa: ASYNC109  (seconds that each request may take)
    """A session that lives as long as the context."""
    credentials = credentials_of(endpoint.user, cluster=endpoint.cluster, environ=environ, tls=endpoint.tls)
    connector = aiohttp.TCPConnector(ssl=endpoint.tls or True, limit=32, keepalive_timeout=15)
    async with aiohttp.ClientSession(
        connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(), read_bufsize=1 << 18
    ) as session:
        yield Transport(session, endpoint, credentials, timeout=timeout)


async def _bounded(response: aiohttp.ClientResponse, limit: int, call: Call) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            response.close()
            raise Unavailable(
                f"{call.doing}: the answer is larger than {limit} bytes",
                hint="Ask for less: one namespace, a selector.",
            )
        parts.append(chunk)
    return b"".join(parts)


def _retry_after(response: aiohttp.ClientResponse, body: bytes) -> float | None:
    text = response.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text)
    seconds = (parse_status(body).get("details") or {}).get("retryAfterSeconds")
    return float(seconds) if isinstance(seconds, int) else None


def _undone(call: Call, code: int, after: float | None) -> bool:
    """Whether it is safe to send again: reads always; writes if the server says that it did not begin (429, or 503 with Retry-After)."""
    if code == 429:  # noqa: PLR2004
        return call.patient
    return call.repeatable or (code == 503 and after is not None)  # noqa: PLR2004


def _may_repeat(error: Exception, call: Call) -> bool:
    if isinstance(error, aiohttp.ClientSSLError):
        return False
    if isinstance(error, aiohttp.ClientConnectorError):
        return not isinstance(error.os_error, ConnectionRefusedError)  # nobody is there: say so at once
    return call.repeatable and not isinstance(error, TimeoutError)


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__

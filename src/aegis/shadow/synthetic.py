"""Fakes for the values of Secrets: the same shape, so that programs parse them, and nothing of the content.

The same value always becomes the same fake within a trial, so that a database and its client still agree on a password,
also where one of them holds it within a URL. A fake is keyed by a salt that lives only as long as the trial: it tells
nothing about the value, not even to somebody who guesses it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import re
import string
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit

from aegis.model.refs import Json, JsonObject

_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_PEM = re.compile(r"(-----BEGIN [^-]+-----)(.*?)(-----END [^-]+-----)", re.DOTALL)
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
"""The key of a line of a configuration file."""
_SWITCH = re.compile(r"true|false|yes|no|on|off", re.IGNORECASE)
_PORT_KEY = re.compile(r"(?:^|[_.-])port$", re.IGNORECASE)
_SMALL = 1e5

_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
_NESTING, _DIGITS = 6, 300


class Faker:
    """Makes fakes.

    Args:
        salt: random, for one trial; never stored.
        hosts: host names within the shadow, which a URL keeps.
    """

    def __init__(self, salt: bytes, hosts: Collection[str] = ()) -> None:
        self._salt = salt
        self._hosts = frozenset(hosts)

    def secret(self, secret: Json) -> JsonObject:
        """The Secret with every value faked, its keys and type kept."""
        data = {
            key: value if _PORT_KEY.search(key) else self.encoded(str(value))
            for key, value in (secret.get("data") or {}).items()
        }
        return {**secret, "data": {**data, **_key_pair(secret.get("data") or {})}}

    def encoded(self, value: str) -> str:
        """The fake of a base64 value."""
        try:
            raw = base64.b64decode(value, validate=True)
        except ValueError:
            raw = value.encode(errors="surrogatepass")
        try:
            fake = self.text(raw.decode()).encode()
        except UnicodeDecodeError:
            fake = self._bytes(raw, len(raw))
        return base64.b64encode(fake).decode()

    def text(self, value: str) -> str:
        """The fake of a text: PEM, JSON, a URL, several lines, or a word."""
        if not value or _SWITCH.fullmatch(value):
            return value
        if "-----BEGIN " in value:
            return self._around_pem(value)
        if (document := _json(value)) is not None:
            return json.dumps(self._json(document, 0))
        if _URL.fullmatch(value):
            return self._url(value)
        if (end := value.rstrip("\r\n")) != value:  # what `echo` adds makes no file of several lines
            return self.text(end) + value[len(end) :]
        return self._lines(value) if "\n" in value else self._word(value)

    def _lines(self, value: str) -> str:
        return "\n".join(self._line(line) for line in value.split("\n"))

    def _line(self, line: str) -> str:
        """A line of a configuration file keeps its key; one that only ends in `=`, as base64 does, has none."""
        key, separator, rest = line.partition("=")
        is_setting = separator and rest.strip("=\r") and _SETTING.fullmatch(key)
        return f"{key}={self.text(rest)}" if is_setting else self._word(line)

    def _around_pem(self, value: str) -> str:
        """Every PEM block, and what stands around the blocks line by line."""
        parts, at = [], 0
        for match in _PEM.finditer(value):
            parts += [self._lines(value[at : match.start()]), self._pem(match)]
            at = match.end()
        return "".join((*parts, self._lines(value[at:])))

    def _pem(self, match: re.Match[str]) -> str:
        body = match[2]
        stream = self._stream(body, string.ascii_letters + string.digits + "+/")
        return match[1] + "".join(next(stream) if char.isalnum() or char in "+/" else char for char in body) + match[3]

    def _json(self, value: Any, depth: int) -> Any:
        if depth > _NESTING:
            return None
        match value:
            case dict():
                return {key: self._json(item, depth + 1) for key, item in value.items()}
            case list():
                return [self._json(item, depth + 1) for item in value]
            case str():
                return self.text(value)
            case bool() | None:
                return value
            case _:
                return value if abs(value) < _SMALL or not math.isfinite(value) else self._number(value)

    def _number(self, value: float) -> int:
        return int(self._word(str(int(abs(value)))[:_DIGITS]))

    def _url(self, value: str) -> str:
        """A URL keeps its scheme; host, port and database only where the host is in the shadow."""
        try:
            parts = urlsplit(value)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return self._word(value)
        near = host in self._hosts or host.split(".")[0] in self._hosts
        login = self._login(parts)
        place = (host if near else "redacted.invalid") + (f":{port}" if port else "")
        path = parts.path if near else "/".join(self._word(part) for part in parts.path.split("/"))
        query = "&".join(self._parameter(item) for item in parts.query.split("&")) if parts.query else ""
        return f"{parts.scheme}://{login}{place}{path}" + (f"?{query}" if query else "")

    def _login(self, parts: SplitResult) -> str:
        if parts.username is None and parts.password is None:
            return ""
        user = self._word(parts.username) if parts.username else ""
        return f"{user}:{self._word(parts.password)}@" if parts.password else f"{user}@"

    def _parameter(self, item: str) -> str:
        key, separator, value = item.partition("=")
        return f"{key}={self.text(value)}" if separator else self._word(item)

    def _word(self, value: str) -> str:
        """Letters become letters of the same case, digits digits; the rest stays."""
        streams = [self._stream(value, letters) for letters in _CLASSES]
        return "".join(self._char(char, streams) for char in value)

    def _char(self, char: str, streams: list[Iterator[str]]) -> str:
        for letters, stream in zip(_CLASSES, streams, strict=True):
            if char in letters:
                return next(stream)
        return char if char.isascii() else next(streams[0])

    def _stream(self, value: str, letters: str) -> Iterator[str]:
        for number in self._numbers(value.encode(errors="surrogatepass"), letters):
            yield letters[number % len(letters)]

    def _numbers(self, value: bytes, purpose: str) -> Iterator[int]:
        block = 0
        while True:
            yield from hmac.new(self._salt, b"%d %s " % (block, purpose.encode()) + value, hashlib.sha256).digest()
            block += 1

    def _bytes(self, value: bytes, length: int) -> bytes:
        numbers = self._numbers(value, "bytes")
        return bytes(next(numbers) for _ in range(length))


def _json(value: str) -> Any:
    """The JSON object or array that a text is, or None."""
    if value.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return json.loads(value)
    except ValueError:
        return None


def _key_pair(data: Json) -> JsonObject:
    """A certificate and its key, where a Secret holds them under the names that Kubernetes gives them."""
    if not {"tls.crt", "tls.key"} <= set(data):
        return {}
    from aegis.shadow.certificates import stand_in  # only few Secrets need it, and it is slow to import

    try:
        pair = stand_in(base64.b64decode(str(data["tls.crt"]), validate=True).decode())
    except ValueError:
        return {}
    if pair is None:
        return {}
    certificate, key = (base64.b64encode(text.encode()).decode() for text in pair)
    return {"tls.crt": certificate, "tls.key": key, **({"ca.crt": certificate} if "ca.crt" in data else {})}

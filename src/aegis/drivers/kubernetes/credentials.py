"""What a request is signed with: a token, a token file that rotates, a password, or what an exec plug-in says."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from aegis.drivers import process
from aegis.errors import PermissionDenied, UsageError
from aegis.model.refs import Json, JsonObject

_VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_PLUGIN_SECONDS: Final = 60.0
_REREAD_SECONDS: Final = 60.0
_EARLY_SECONDS: Final = 10.0


class Credentials(Protocol):
    """Where the Authorization header comes from."""

    async def header(self) -> str:
        """The header's value; empty: none (a client certificate, or nobody)."""
        ...

    def forget(self) -> bool:
        """Drop what is remembered, because the server did not accept it; whether asking again may give another."""
        ...


class Fixed:
    """A header that never changes."""

    def __init__(self, header: str = "") -> None:
        self._header = header

    async def header(self) -> str:
        """The header."""
        return self._header

    def forget(self) -> bool:
        """Nothing to ask again."""
        return False


class TokenFile:
    """A bearer token in a file that somebody rotates: read again every minute, and when the server says 401."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = ""
        self._read_at = float("-inf")

    async def header(self) -> str:
        """The token of the file.

        Raises:
            UsageError: if there is no such file.
        """
        if time.monotonic() - self._read_at > _REREAD_SECONDS:
            try:
                self._token = (await asyncio.to_thread(self._path.read_text, encoding="utf-8")).strip()
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"the token file {self._path} cannot be read: {error}") from error
            self._read_at = time.monotonic()
        return f"Bearer {self._token}"

    def forget(self) -> bool:
        """Read the file at the next request."""
        self._read_at = float("-inf")
        return True


class ExecPlugin:
    """A credential plug-in (client.authentication.k8s.io/v1 or v1beta1): a program that prints an ExecCredential.

    Run without a shell, in the environment given; what it says is kept until `expirationTimestamp`, else until a 401.
    """

    def __init__(self, config: Json, *, cluster: Json, environ: Mapping[str, str], tls: ssl.SSLContext | None) -> None:
        self._config = config
        self._cluster = cluster
        self._environ = environ
        self._tls = tls
        self._header: str | None = None
        self._expires = float("inf")
        self._lock = asyncio.Lock()
        if config.get("apiVersion") not in _VERSIONS:
            raise UsageError(f"kubeconfig: exec apiVersion {config.get('apiVersion')} is not supported")
        if config.get("interactiveMode") == "Always":
            raise UsageError(f"kubeconfig: {config.get('command')} wants a terminal (interactiveMode Always)")

    async def header(self) -> str:
        """The token that the program gave, or empty where it gave a client certificate.

        Raises:
            PermissionDenied: if the program fails or prints no credential.
        """
        async with self._lock:
            if self._header is None or time.time() > self._expires - _EARLY_SECONDS:
                self._take(await self._ask())
            return self._header or ""

    def forget(self) -> bool:
        """Ask the program at the next request."""
        self._header = None
        return True

    async def _ask(self) -> Json:
        config = self._config
        command = str(config.get("command"))
        info: JsonObject = {"interactive": False}
        if config.get("provideClusterInfo"):
            info["cluster"] = dict(self._cluster)
        request = {"kind": "ExecCredential", "apiVersion": config["apiVersion"], "spec": info}
        env = {
            **self._environ,
            **{str(item["name"]): str(item["value"]) for item in config.get("env") or ()},
            "KUBERNETES_EXEC_INFO": json.dumps(request),
        }
        argv = [command, *map(str, config.get("args") or ())]
        done = await process.run(argv, timeout=_PLUGIN_SECONDS, env=env, cwd=Path.cwd(), limit_bytes=1 << 20)
        if done.status != 0:
            words = " ".join(done.stderr.decode("utf-8", "replace").split())[-300:]
            raise PermissionDenied(
                f"the credential plug-in {command} failed ({done.status}): {words}",
                hint=str(config.get("installHint") or "Sign in again."),
            )
        try:
            answer = json.loads(done.stdout)
            status: Json = answer["status"]
            agreed = answer["apiVersion"] == config["apiVersion"] and isinstance(status, Mapping)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise PermissionDenied(f"the credential plug-in {command} printed no ExecCredential") from error
        if not agreed:
            raise PermissionDenied(f"the credential plug-in {command} speaks another version than the kubeconfig says")
        return status

    def _take(self, status: Json) -> None:
        certificate, key, token = (status.get(name) for name in ("clientCertificateData", "clientKeyData", "token"))
        if not token and not (certificate and key):
            raise PermissionDenied(
                f"the credential plug-in {self._config.get('command')} gave neither token nor certificate"
            )
        if certificate and key and self._tls:
            _load_certificate(self._tls, str(certificate), str(key))
        self._header = f"Bearer {token}" if token else ""
        self._expires = _expiry(status)


def credentials_of(user: Json, *, cluster: Json, environ: Mapping[str, str], tls: ssl.SSLContext | None) -> Credentials:
    """How the user of a kubeconfig signs requests, in kubectl's order: token file, token, exec plug-in, password."""
    if user.get("tokenFile"):
        return TokenFile(Path(str(user["tokenFile"])))
    if user.get("token"):
        return Fixed(f"Bearer {user['token']}")
    if user.get("exec"):
        return ExecPlugin(user["exec"], cluster=cluster, environ=environ, tls=tls)
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password') or ''}".encode()
        return Fixed("Basic " + base64.b64encode(pair).decode())
    return Fixed()


def _expiry(status: Mapping[str, Any]) -> float:
    text = status.get("expirationTimestamp")
    if not text:
        return float("inf")
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise PermissionDenied(f"the credential plug-in gave no time as expirationTimestamp: {text!r}") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _load_certificate(tls: ssl.SSLContext, certificate: str, key: str) -> None:
    """Give a TLS context its client certificate; ssl takes files only, so for a moment there is one, of mode 0600.

    Raises:
        PermissionDenied: if it is no certificate with its key.
    """
    with tempfile.NamedTemporaryFile("w", prefix="aegis-", suffix=".pem", encoding="ascii") as file:
        file.write(f"{certificate}\n{key}\n")
        file.flush()
        try:
            tls.load_cert_chain(file.name)
        except ssl.SSLError as error:
            raise PermissionDenied(f"the credential plug-in's certificate cannot be used: {error}") from error

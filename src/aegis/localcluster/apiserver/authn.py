"""Authentication: an administrator's token, a client certificate of the cluster's own CA, or a service account token.

Service account tokens are JSON Web Tokens signed with a key that lives as long as the server (HS256). A token that is
wrong in any way is refused; it never falls back to an anonymous request.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis.localcluster.apiserver.access import User
from aegis.localcluster.apiserver.store import Store
from aegis.localcluster.status import ApiError

ISSUER = "https://kubernetes.default.svc.cluster.local"
AUTHENTICATED = "system:authenticated"
ANONYMOUS = User(name="system:anonymous", groups=("system:unauthenticated",))
_HEADER = {"alg": "HS256", "typ": "JWT"}
_LONGEST = 16_384
_CLAIMS = "kubernetes.io"


class Unauthorized(ApiError):
    """401."""

    def __init__(self) -> None:
        super().__init__(401, "Unauthorized", "Unauthorized")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token and when it ends, in seconds since the epoch."""

    token: str
    expires_at: int


class Authenticator:
    """Knows who a request comes from.

    Attributes:
        admin_token: a bearer token of the group system:masters, made anew for each server.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = secrets.token_bytes(32)
        self.admin_token = secrets.token_urlsafe(32)

    def user(self, authorization: str | None, certificate: Mapping[str, Any] | None) -> User:
        """Who sent these credentials.

        Raises:
            Unauthorized: the credentials are wrong or have expired.
        """
        if authorization:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthorized
            user = self.of_token(token.strip())
            if user is None:
                raise Unauthorized
            return user
        return _of_certificate(certificate) if certificate else ANONYMOUS

    def of_token(self, token: str, audiences: Sequence[str] = ()) -> User | None:
        """Whose token this is, or None for one that does not hold."""
        if hmac.compare_digest(token.encode(), self.admin_token.encode()):
            return User(name="kubernetes-admin", groups=("system:masters", AUTHENTICATED))
        claims = self._claims(token)
        if claims is None or claims["exp"] <= time.time():
            return None
        if not set(audiences or (ISSUER,)) & set(claims.get("aud") or ()):
            return None
        return self._service_account(claims[_CLAIMS])

    def issue(
        self,
        account: Mapping[str, Any],
        *,
        seconds: int,
        audiences: Sequence[str],
        pod: Mapping[str, Any] | None = None,
    ) -> Issued:
        """A token for a service account, which ends with the account or with the pod it is bound to."""
        metadata = account["metadata"]
        issued, name = int(time.time()), metadata["name"]
        ends = issued + seconds
        bound: dict[str, Any] = {
            "namespace": metadata["namespace"],
            "serviceaccount": {"name": name, "uid": metadata["uid"]},
        }
        if pod is not None:
            bound["pod"] = {"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        claims = {
            "aud": list(audiences) or [ISSUER],
            "exp": ends,
            "iat": issued,
            "nbf": issued,
            "iss": ISSUER,
            "jti": secrets.token_hex(16),
            "sub": f"system:serviceaccount:{metadata['namespace']}:{name}",
            _CLAIMS: bound,
        }
        signed = f"{_encoded(_HEADER)}.{_encoded(claims)}"
        return Issued(token=f"{signed}.{_base64(self._signature(signed))}", expires_at=ends)

    def _signature(self, signed: str) -> bytes:
        return hmac.digest(self._key, signed.encode(), hashlib.sha256)

    def _claims(self, token: str) -> dict[str, Any] | None:
        signed, _, signature = token.rpartition(".")
        if len(token) > _LONGEST or not token.isascii() or signed.count(".") != 1:
            return None
        if not hmac.compare_digest(_base64(self._signature(signed)), signature):
            return None
        payload = signed.partition(".")[2]
        try:
            claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (ValueError, binascii.Error):
            return None
        return claims

    def _service_account(self, bound: Mapping[str, Any]) -> User | None:
        namespace, claimed = bound["namespace"], bound["serviceaccount"]
        account = self._store.get("serviceaccounts", (namespace, claimed["name"]))
        if account is None or account["metadata"]["uid"] != claimed["uid"]:
            return None
        if pod := bound.get("pod"):
            found = self._store.get("pods", (namespace, pod["name"]))
            if found is None or found["metadata"]["uid"] != pod["uid"]:
                return None
        return User(
            name=f"system:serviceaccount:{namespace}:{claimed['name']}",
            groups=("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED),
            uid=claimed["uid"],
        )


def _of_certificate(certificate: Mapping[str, Any]) -> User:
    # The common name of a verified certificate is the user, its organisations are the groups.
    names = [pair for part in certificate.get("subject") or () for pair in part]
    common = next((value for kind, value in names if kind == "commonName"), None)
    if not common:
        raise Unauthorized
    groups = tuple(value for kind, value in names if kind == "organizationName")
    return User(name=common, groups=(*groups, AUTHENTICATED))


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _encoded(part: Mapping[str, Any]) -> str:
    return _base64(json.dumps(part, separators=(",", ":")).encode())

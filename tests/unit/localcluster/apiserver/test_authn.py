import base64
import json
import time
from typing import Any

import pytest
from api_calls import Api

from aegis.localcluster.apiserver.authn import ANONYMOUS, Unauthorized


def account(api: Api, name: str = "bot") -> dict[str, Any]:
    created: dict[str, Any] = api.json("create", "serviceaccounts", None, {"metadata": {"name": name}})
    return created


def test_the_administrators_token(api: Api) -> None:
    user = api.core.authenticator.user(f"Bearer {api.server.admin_token}", None)
    assert "system:masters" in user.groups


def test_a_service_accounts_token_ends_with_the_account(api: Api) -> None:
    token = api.core.authenticator.issue(account(api), seconds=600, audiences=()).token
    user = api.core.authenticator.of_token(token)
    assert user is not None
    assert user.name == "system:serviceaccount:default:bot"
    assert "system:serviceaccounts:default" in user.groups
    api.call("delete", "serviceaccounts", "bot")
    account(api)
    assert api.core.authenticator.of_token(token) is None


def test_a_token_expires(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    issued = api.core.authenticator.issue(account(api), seconds=600, audiences=())
    monkeypatch.setattr(time, "time", lambda: issued.expires_at + 1.0)
    assert api.core.authenticator.of_token(issued.token) is None


def test_a_token_for_others_is_no_token_for_the_api(api: Api) -> None:
    token = api.core.authenticator.issue(account(api), seconds=600, audiences=("vault",)).token
    assert api.core.authenticator.of_token(token) is None
    assert api.core.authenticator.of_token(token, ("vault",)) is not None


def test_a_token_bound_to_a_pod_ends_with_it(api: Api, pod: dict[str, Any]) -> None:
    made = api.json("create", "pods", None, pod)
    token = api.core.authenticator.issue(account(api), seconds=600, audiences=(), pod=made).token
    assert api.core.authenticator.of_token(token) is not None
    api.call("delete", "pods", "p")
    assert api.core.authenticator.of_token(token) is None


def test_a_forged_token_is_refused(api: Api) -> None:
    token = api.core.authenticator.issue(account(api), seconds=600, audiences=()).token
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["kubernetes.io"]["serviceaccount"]["name"] = "admin"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    for bad in (f"{header}.{forged}.{signature}", f"{unsigned}.{payload}.", "a.b.c", "", "x" * 20_000, "é"):
        assert api.core.authenticator.of_token(bad) is None


def test_wrong_credentials_never_become_anonymous(api: Api) -> None:
    for header in ("Bearer nope", "Basic YTpi", "Bearer"):
        with pytest.raises(Unauthorized):
            api.core.authenticator.user(header, None)
    assert api.core.authenticator.user(None, None) == ANONYMOUS


def test_a_certificate_names_user_and_groups(api: Api) -> None:
    certificate = {"subject": ((("organizationName", "devs"),), (("commonName", "bob"),))}
    user = api.core.authenticator.user(None, certificate)
    assert (user.name, user.groups) == ("bob", ("devs", "system:authenticated"))
    with pytest.raises(Unauthorized):
        api.core.authenticator.user(None, {"subject": ((("organizationName", "devs"),),)})

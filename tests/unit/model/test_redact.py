from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.model.redact import Redactor, contains_mark, redact_object, redact_text, says_secret

_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\nxyz==\n-----END RSA PRIVATE KEY-----"
_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("connecting with password=hunter2 now", "hunter2"),
        ('{"password": "hunter two", "user": "bob"}', "hunter two"),
        (r"{\"apiKey\":\"abc123xyz\"}", "abc123xyz"),
        ("DB_PASSWORD: s3cr3t!", "s3cr3t!"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI/K7MDENG"),
        ("id AKIAIOSFODNN7EXAMPLE used", "AKIAIOSFODNN7EXAMPLE"),
        (f"token was {_JWT}.", _JWT),
        ("Authorization: Bearer abcdefghijklmnop", "abcdefghijklmnop"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("postgres://app:s3cret@db:5432/shop", "s3cret"),
        ("https://x-token-value-1234@git.example/x", "x-token-value-1234"),
        (f"loaded\n{_KEY}\ndone", "MIIabc"),
        ("-----BEGIN PRIVATE KEY-----\nMIIcut", "MIIcut"),
        ("db_pwd=abc", "abc"),
        ("SECRET_KEY=abc", "abc"),
        ("basic dXNlcjpwYXNzd29yZA", "dXNlcjpwYXNzd29yZA"),
        ("ghp_" + "a" * 36, "a" * 36),
        ("--api-key=abcd1234", "abcd1234"),
    ],
)
def test_takes_secrets_out_of_text(text: str, secret: str) -> None:
    redacted = redact_text(text)
    assert secret not in redacted
    assert contains_mark(redacted)
    assert redact_text(redacted) == redacted


@pytest.mark.parametrize(
    "text",
    [
        'secret "db-credentials" not found',
        "couldn't find key DB_PASSWORD in Secret shop/db",
        "KeyError: 'API_KEY'",
        "secretName: db-credentials",
        "automountServiceAccountToken: false",
        "DB_PASSWORD:  <set to the key 'password' in secret 'db'>  Optional: false",
        "missing required environment variable: DB_PASSWORD",
        "http://web.shop.svc:8080/healthz",
        "tokenExpirationSeconds: 3607",
        "PWD=/app OLDPWD=/",
        "Image pull secrets: regcred",
        "Basic authentication failed",
        "error: invalid token: signature is invalid",
        "repository does not exist or may require authorization: server message: insufficient_scope: denied",
        "no basic auth credentials",
        "TOKEN_FILE=/var/run/token",
        "password authentication failed for user app",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
    ],
)
def test_leaves_what_is_no_secret(text: str) -> None:
    assert redact_text(text) == text


def test_equal_secrets_stay_equal_and_others_differ() -> None:
    one, two, other = (redact_text(f"password={value}") for value in ("aaa", "aaa", "bbb"))
    assert one == two != other


def test_another_key_gives_other_digits() -> None:
    assert Redactor(key=b"a").text("password=x1") != Redactor(key=b"b").text("password=x1")


def test_restores_only_what_it_remembers() -> None:
    redactor = Redactor(key=b"k", remember=True)
    text = "url postgres://app:s3cret@db/ and token=abc"
    assert redactor.restore(redactor.text(text)) == text
    assert Redactor(key=b"k").restore(redactor.text(text)) == redactor.text(text)


def test_objects() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "db"}, "data": {"user": "YXBw"}, "stringData": {"p": "x"}}
    deployment = {
        "kind": "Deployment",
        "metadata": {
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(secret)},
        },
        "spec": {
            "containers": [
                {
                    "env": [
                        {"name": "DB_PASSWORD", "value": "hunter2"},
                        {"name": "URL", "value": "amqp://u:pw123@mq/"},
                        {"name": "MODE", "value": "fast"},
                        {"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "t", "key": "token"}}},
                    ]
                }
            ],
            "volumes": [{"name": "s", "secret": {"secretName": "db"}}],
        },
    }
    redacted = redact_object([secret, deployment])
    text = json.dumps(redacted)
    for gone in ("YXBw", "hunter2", "pw123"):
        assert gone not in text
    spec = redacted[1]["spec"]
    assert spec["containers"][0]["env"][2:] == deployment["spec"]["containers"][0]["env"][2:]  # type: ignore[index]
    assert spec["volumes"] == deployment["spec"]["volumes"]  # type: ignore[index]
    assert set(redacted[0]["data"]) == {"user"}
    assert secret["data"] == {"user": "YXBw"}, "the original stays"
    assert redact_object(redacted) == redacted


def test_a_private_key_over_several_lines_of_a_list() -> None:
    lines = ["start", *_KEY.split("\n"), "end password=x1"]
    redacted = redact_object({"lines": lines})["lines"]
    assert len(redacted) == len(lines)
    assert "MIIabc" not in "".join(redacted)
    assert "xyz==" not in "".join(redacted)
    assert redacted[0] == "start"
    assert redacted[-1].startswith("end password=<redacted:")


def test_bottomless_objects_are_cut() -> None:
    value: object = "password=x1"
    for _ in range(500):
        value = [value]
    assert "x1" not in str(redact_object(value))


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("DB_PASSWORD", True),
        ("apiKey", True),
        ("GITHUB_TOKEN", True),
        ("secretName", False),
        ("TOKEN_FILE", False),
        ("secretKeyRef", False),
        ("MODE", False),
        ("imagePullSecrets", False),
        ("PWD", False),
        ("clientSecret", True),
    ],
)
def test_names(name: str, secret: bool) -> None:
    assert says_secret(name) is secret


_PIECES = st.sampled_from([
    "password",
    "=",
    ":",
    " ",
    '"',
    "token",
    "eyJ",
    ".",
    "://",
    "@",
    "bearer ",
    "a",
    "-----BEGIN PRIVATE KEY-----",
    "\n",
    "\\",
    "<redacted:value:123456>",
    "secret",
    "sk_live_",
    "x" * 40,
])


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    redact_text(text)


@pytest.mark.parametrize(
    "piece",
    [
        "password",
        "password=",
        "eyJ",
        "eyJa.",
        "a://",
        "a:",
        "a@",
        "bearer ",
        "token: ",
        'token="',
        "-----BEGIN PRIVATE KEY-----",
        "A",
        "\\",
        '"',
        "ghp_",
        "xoxb-",
        " ",
        "token ",
        "-----BEGIN ",
        "a://b:",
    ],
)
def test_time_grows_linearly(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        best = 1e9
        for _ in range(3):
            start = time.process_time()
            redact_text(text)
            best = min(best, time.process_time() - start)
        return best

    small, large = seconds(20_000), seconds(160_000)
    assert large < 8 * 3 * max(small, 0.002)

"""What trivy says when it fails is recognised; what is not is shown short."""

from __future__ import annotations

import pytest

from aegis.model.scan import ScanStatus
from aegis.security.trivytool.failures import explain, last_words

FATAL = "2026-06-01T00:00:00Z\tFATAL\tFatal error\t"


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("run error: init error: DB error: --skip-db-update cannot be specified on the first run", "--download-db-only"),
        ("java DB error: '--skip-java-db-update' cannot be specified on the first run", "--download-java-db-only"),
        ("--skip-db-update cannot be specified with the old DB schema. Local DB: 1, Expected: 2", "another schema"),
        ("failed to download vulnerability DB: OCI artifact error", "could not be downloaded"),
        ("failed to open db: invalid database", "damaged"),
        ("backoff: permanent error (last error: twirp error unauthenticated: invalid token)", "token"),
        ("twirp error internal: failed to do request: Post \"http://x/twirp/trivy\": refused", "does not answer"),
        ("GET http://r/v2/a/manifests/1: MANIFEST_UNKNOWN: manifest unknown", "no such image"),
        ("GET http://r/v2/a/manifests/1: UNAUTHORIZED: authentication required", "refuses the image"),
        ("unexpected status code 429 Too Many Requests", "no more requests"),
        ("write /tmp/x: no space left on device", "no space"),
        ("vulnerability database may be in use by another process", "another trivy"),
        ("unable to find the specified image \"x\" in [\"remote\"]: 1 error occurred", "could not be pulled"),
        ("unknown flag: --show-suppressed", "too old"),
        ("\npanic: runtime error: index out of range\n\ngoroutine 1 [running]:", "crashed"),
    ],
)  # fmt: skip
def test_phrases_that_are_known(said: str, word: str) -> None:
    known = explain(FATAL + said)
    assert known is not None
    assert known[0] is ScanStatus.ERROR
    assert word in known[1]


def test_a_deadline_of_its_own_is_a_timeout() -> None:
    known = explain(FATAL + "image scan error: context deadline exceeded")
    assert known is not None
    assert known[0] is ScanStatus.TIMEOUT


def test_the_cause_goes_before_what_wraps_it() -> None:
    wrapped = 'unable to find the specified image "x": GET http://r/v2/x/manifests/1: MANIFEST_UNKNOWN: unknown'
    known = explain(wrapped)
    assert known is not None
    assert "no such image" in known[1]


def test_what_is_not_known_is_shown_short() -> None:
    assert explain("something else") is None
    assert last_words(f"INFO\tstart\n{FATAL}it broke\nbye\n") == "it broke"
    assert last_words("one\ntwo\n\n") == "two"
    assert last_words("") == ""
    assert len(last_words("x" * 5000)) == 300

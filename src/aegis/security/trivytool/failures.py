"""What trivy says on stderr when it fails, as a reason with a remedy. Pure.

Most phrases were measured on trivy 0.74; those of registries are the error codes of the OCI distribution specification.
"""

from __future__ import annotations

import re

from aegis.model.scan import ScanStatus

_ERROR, _TIMEOUT = ScanStatus.ERROR, ScanStatus.TIMEOUT

_PHRASES: tuple[tuple[str, ScanStatus, str], ...] = (
    (
        r"skip-java-db-update'? cannot be specified on the first run",
        _ERROR,
        "trivy has no index of Java archives: run `trivy image --download-java-db-only`",
    ),
    (
        r"skip-db-update cannot be specified on the first run",
        _ERROR,
        "trivy has no vulnerability database: run `trivy image --download-db-only`",
    ),
    (
        r"cannot be specified with the old DB schema|version of DB schema doesn't match",
        _ERROR,
        "trivy's database is of another schema than this trivy reads: renew both",
    ),
    (
        r"failed to download vulnerability DB",
        _ERROR,
        "trivy's database could not be downloaded: check the network, or fetch it beforehand",
    ),
    (
        r"failed to open db: .*|db corrupted|invalid database|unexpected fault address",
        _ERROR,
        "trivy's database is damaged: remove it and run `trivy image --download-db-only`",
    ),
    (r"twirp error unauthenticated", _ERROR, "the trivy server refuses the token: correct security.trivy_token"),
    (
        r"failed to do request: .*/twirp/|twirp error (?:unavailable|internal|bad_route)",
        _ERROR,
        "the trivy server does not answer: check security.trivy_server",
    ),
    (r"MANIFEST_UNKNOWN|NAME_UNKNOWN", _ERROR, "the registry has no such image"),
    (
        r"\bUNAUTHORIZED\b|\bDENIED\b|401 Unauthorized|403 Forbidden",
        _ERROR,
        "the registry refuses the image: log in to it (`docker login`)",
    ),
    (r"TOOMANYREQUESTS|429 Too Many Requests", _ERROR, "the registry allows no more requests now: try again later"),
    (r"no space left on device", _ERROR, "no space is left on the disk"),
    (r"context deadline exceeded", _TIMEOUT, "trivy did not end in time: raise security.trivy_timeout_seconds"),
    (
        r"may be in use by another process",
        _ERROR,
        "another trivy holds the cache: try again when it has ended",
    ),
    (r"unable to find the specified image", _ERROR, "the image could not be pulled"),
    (r"unknown flag: (\S+)|unknown shorthand flag", _ERROR, "this trivy is too old: it lacks an option that is needed"),
    (r"^panic: |fatal error: |goroutine \d+ \[", _ERROR, "trivy crashed"),
)

_SAID = 300


def explain(words: str) -> tuple[ScanStatus, str] | None:
    """What happened, as far as it is recognised in what was said: how the scan ended, and why."""
    for pattern, status, reason in _PHRASES:
        if re.search(pattern, words, flags=re.MULTILINE):
            return status, reason
    return None


def last_words(words: str) -> str:
    """The last line of it, short, for what is not recognised."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    fatal = [line for line in lines if "FATAL" in line or line.startswith("panic:")]
    return (fatal or lines or [""])[-1].partition("Fatal error\t")[2][:_SAID] or (fatal or lines or [""])[-1][:_SAID]

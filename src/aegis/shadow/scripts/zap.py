"""Run ZAP's baseline scan in a pod of an arm, and print its report.

Usage: zap.py FILE, where FILE holds {"url": what is scanned, "argv": [...], "folder": where the report is written,
"report": its name, "seconds": s, "limit": bytes}. What answers and does not speak HTTP is not scanned. The last lines are the report, gzip and base64, in pieces that no container runtime splits,
and then a line of JSON: {"status": exit status or null where the time was up, "pieces": how many lines the report has,
"digest": SHA-256 of the report, "why": what kept it from being read, "words": the last output of the scan, "foreign": whether
no HTTP is spoken there}.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import http.client
import json
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import urllib.parse
from typing import Any

_WORDS = 2000
_GRACE = 5
_ANSWER = 10
_PIECE = 8000


def is_foreign(url: str) -> bool:
    """Whether something answers there that speaks no HTTP; where nothing answers, ZAP is to find that out."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    connection = http.client.HTTPConnection(host, parts.port, timeout=_ANSWER)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, parts.port, timeout=_ANSWER, context=context)
    try:
        connection.connect()
    except ssl.SSLError:
        return True
    except OSError:
        return False
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except (http.client.HTTPException, ConnectionError):
        return True
    except OSError:
        return False
    finally:
        connection.close()
    return False


def run(plan: dict[str, Any], log: pathlib.Path) -> int | None:
    """The exit status of the scan; None where its time was up. Nothing of it runs on."""
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - the words are of our own plan
            plan["argv"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=plan["folder"],
        )
        try:
            return child.wait(plan["seconds"])
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait(_GRACE)


def read(report: pathlib.Path, limit: int) -> tuple[bytes, str]:
    """The report, or why there is none."""
    if not report.is_file():
        return b"", "no report was written"
    if report.stat().st_size > limit:
        return b"", "the report is too large"
    return report.read_bytes(), ""


def tail(log: pathlib.Path) -> str:
    """The end of a file."""
    with log.open("rb") as held:
        held.seek(max(0, log.stat().st_size - _WORDS))
        return held.read(_WORDS).decode(errors="replace")


def main(path: str) -> None:
    """Scan, and print what came of it."""
    plan = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    folder = pathlib.Path(plan["folder"])
    report, log = folder / plan["report"], folder / "aegis-output.txt"
    report.unlink(missing_ok=True)
    foreign = is_foreign(plan["url"])
    try:
        status = 0 if foreign else run(plan, log)
        data, why = (b"", "") if foreign else read(report, plan["limit"])
        words = "" if foreign else tail(log)
    except OSError as error:
        status, data, why, words = -1, b"", str(error), ""
    text = base64.b64encode(gzip.compress(data)).decode() if data else ""
    pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
    last = {
        "status": status,
        "pieces": len(pieces),
        "digest": hashlib.sha256(data).hexdigest(),
        "why": why,
        "words": words,
        "foreign": foreign,
    }
    sys.stdout.write("".join(f"{line}\n" for line in (*pieces, json.dumps(last))))


if __name__ == "__main__":
    main(sys.argv[1])

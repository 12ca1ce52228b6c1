#!/usr/bin/env python3
"""Plays ZAP's `zap-baseline.py`: really asks the service, really looks at its answers, and writes a report in ZAP's form.

It stands alone, so that it can be the program of an image. What it is told in the file `mode` beside the report, or else in
the environment as FAKE_ZAP_MODE, it plays instead of ending well. The summary is written before the report, as ZAP does.
"""

from __future__ import annotations

import collections
import getopt
import http.client
import json
import os
import pathlib
import re
import signal
import sys
import time
import urllib.parse
from typing import Any

FOLDER = pathlib.Path(os.environ.get("FAKE_ZAP_FOLDER", "/zap/wrk"))
MOST_PAGES, TIMEOUT, CAP = 50, 5.0, 10

RULES: list[tuple[str, str, str, str]] = [
    ("10038-1", "Content Security Policy (CSP) Header Not Set", "2", "content-security-policy"),
    ("10021", "X-Content-Type-Options Header Missing", "1", "x-content-type-options"),
]
"""Reference, name, risk, and the header whose absence is meant."""

Answer = tuple[int, dict[str, str], str]


def ask(url: str) -> Answer | None:
    """Status, headers and text of an answer; None where there is none."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=TIMEOUT)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read(1 << 20).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def crawl(target: str) -> dict[str, Answer | None]:
    """Every page that links lead to, and the two files that spiders always ask for."""
    site = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(target))
    queue = collections.deque([site, target, f"{site}/robots.txt", f"{site}/sitemap.xml"])
    seen: dict[str, Answer | None] = {}
    while queue and len(seen) < MOST_PAGES:
        url = queue.popleft()
        if url in seen:
            continue
        seen[url] = answer = ask(url)
        for link in re.findall(r'href="([^"]+)"', answer[2]) if answer else ():
            found = urllib.parse.urljoin(url + ("" if urllib.parse.urlsplit(url).path else "/"), link)
            if found.startswith(site):
                queue.append(found)
    return seen


def alert(ref: str, name: str, risk: str, places: list[str]) -> dict[str, Any]:
    """One rule of a site, as the report writes it."""
    words = {"0": "Informational", "1": "Low", "2": "Medium", "3": "High"}
    return {
        "pluginid": ref.partition("-")[0],
        "alertRef": ref,
        "alert": name,
        "name": name,
        "riskcode": risk,
        "confidence": "3",
        "riskdesc": f"{words[risk]} (High)",
        "desc": f"<p>{name}: see &quot;the standard&quot;.</p>",
        "instances": [
            {"id": str(n), "uri": url, "nodeName": url, "method": "GET", "param": "", "attack": "", "evidence": "",
             "otherinfo": ""}
            for n, url in enumerate(places[:CAP])
        ],
        "count": str(min(len(places), CAP)),
        "systemic": len(places) >= CAP,
        "solution": "<p>Set the header.</p>",
        "otherinfo": "",
        "reference": "<p>https://example.org/one</p><p>https://example.org/two</p>",
        "cweid": "693",
        "wascid": "15",
        "sourceid": "1",
    }  # fmt: skip


def insight(key: str, site: str, value: int) -> dict[str, str]:
    """One number, as a string."""
    return {
        "level": "Info",
        "reason": "Informational",
        "site": site,
        "key": key,
        "description": key,
        "statistic": str(value),
    }


def report(target: str) -> dict[str, Any]:
    """What is seen, in ZAP's "Traditional JSON" form."""
    site = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(target))
    pages = crawl(target)
    answers = {url: answer for url, answer in pages.items() if answer}
    codes = collections.Counter(str(answer[0])[0] for answer in answers.values())
    insights = [insight(f"insight.code.{code}xx", site, 100 * n // len(answers)) for code, n in sorted(codes.items())]
    failed = 100 * (len(pages) - len(answers)) // len(pages)
    alerts = []
    for ref, name, risk, header in RULES:
        places = [url for url, (status, headers, _) in answers.items() if status < 400 and header not in headers]
        alerts += [alert(ref, name, risk, places)] if places else []
    if answers:
        insights.append(insight("insight.endpoint.total", site, len(answers)))
    if failed:
        insights.append(insight("insight.network.failure", "", failed))
    parts = urllib.parse.urlsplit(site)
    held = {
        "@name": site,
        "@host": parts.hostname,
        "@port": str(parts.port or 80),
        "@ssl": "false",
        "alerts": alerts,
    }
    return {
        "@programName": "ZAP",
        "@version": "2.17.0",
        "@generated": "Sat, 1 Jan 2026 00:00:00",
        "insights": insights,
        "site": [held] if answers else [],
    }


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")


def play(mode: str, path: pathlib.Path, target: str) -> int | None:
    """What goes wrong in a mode, and the exit status; None where nothing does, or not before the end."""
    if mode == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    if mode == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "stderr-only":
        sys.stderr.write("\x1b[31mException in thread main: java.lang.OutOfMemoryError\x1b[0m token=s3cr3tvalue99\n")
        return 3
    if mode == "unwritable":
        say("FAIL-NEW: 0\tWARN-NEW: 0\tPASS: 67\nWARNING: job report failed to write: No space left on device")
        return 0
    if mode == "truncated":
        path.write_text(json.dumps(report(target))[:-40], encoding="utf-8")
    elif mode == "huge":
        with path.open("wb") as file:
            file.truncate(1 << 30)
    elif mode == "link":
        path.symlink_to("/etc/passwd")
    return 0 if mode in {"truncated", "huge", "link"} else None


def main() -> int:
    """As `zap-baseline.py` ends: 0 pass, 1 a FAIL, 2 a WARN, 3 anything else."""
    options = dict(getopt.getopt(sys.argv[1:], "t:J:m:T:Iz:")[0])
    target, path = options["-t"], FOLDER / options["-J"]
    told = FOLDER / "mode"
    mode = told.read_text(encoding="utf-8").strip() if told.exists() else os.environ.get("FAKE_ZAP_MODE", "")
    status = play(mode, path, target)
    if status is not None:
        return status
    made = report(target)
    if not made["site"]:
        say(
            "WARNING: No URLs found - is the target URL accessible? Local services may not be accessible from a container"
        )
        return 3
    if mode == "no-insights":
        del made["insights"]
    say("Total of URLs; FAIL-NEW: 0\tWARN-NEW: 2\tPASS: 65")
    path.write_text(json.dumps(made), encoding="utf-8")
    return int(mode) if mode.isdecimal() else 0


if __name__ == "__main__":
    sys.exit(main())

"""Kubesec at the wire: what 2.14 answers, with which exit status, and every way in which it was seen to fail.

`install` makes a program of it, `served` a server. Both answer by the same rules: a stream is split at lines that are
exactly `---`, four kinds are scored, a score of 0 or less ends with status 2 (as does a panic, which writes nothing),
and what it cannot read ends with status 1 and plain text on stdout. The server answers with 200 whatever the score.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

KINDS = ("Pod", "Deployment", "StatefulSet", "DaemonSet")
Check = Callable[[dict[str, Any], list[dict[str, Any]]], Any]


def _context(container: dict[str, Any]) -> dict[str, Any]:
    return container.get("securityContext") or {}


def _any(name: str, value: Any) -> Check:
    return lambda _spec, all_: any(_context(item).get(name) == value for item in all_)


RULES: tuple[tuple[str, int, str, Check], ...] = (
    ("Privileged", -30, "containers[] .securityContext .privileged == true", _any("privileged", True)),
    (
        "CapSysAdmin",
        -30,
        "containers[] .securityContext .capabilities .add == SYS_ADMIN",
        lambda _spec, all_: any(
            "SYS_ADMIN" in ((_context(item).get("capabilities") or {}).get("add") or []) for item in all_
        ),
    ),
    ("HostNetwork", -9, ".spec .hostNetwork == true", lambda spec, _all: spec.get("hostNetwork") is True),
    ("HostPID", -9, ".spec .hostPID == true", lambda spec, _all: spec.get("hostPID") is True),
    (
        "DockerSock",
        -9,
        "volumes[] .hostPath .path == /var/run/docker.sock",
        lambda spec, _all: any(
            "/var/run/docker.sock" in str((item.get("hostPath") or {}).get("path"))
            for item in spec.get("volumes") or []
        ),
    ),
    (
        "AllowPrivilegeEscalation",
        -7,
        "containers[] .securityContext .allowPrivilegeEscalation == true",
        _any("allowPrivilegeEscalation", True),
    ),
    ("ServiceAccountName", 3, ".spec .serviceAccountName", lambda spec, _all: spec.get("serviceAccountName")),
    (
        "ReadOnlyRootFilesystem",
        1,
        "containers[] .securityContext .readOnlyRootFilesystem == true",
        _any("readOnlyRootFilesystem", True),
    ),
    (
        "RunAsNonRoot",
        1,
        ".spec, .spec.containers[] | .securityContext .runAsNonRoot == true",
        lambda spec, _all: (spec.get("securityContext") or {}).get("runAsNonRoot") is True,
    ),
)


class InvalidInputError(Exception):
    """Nothing in it can be read."""


def reports(stream: bytes, *, file_name: str = "STDIN", schemas: bool = True) -> list[dict[str, Any]]:
    """What Kubesec says of a stream.

    Raises:
        InvalidInputError: if there is nothing in it.
    """
    found = []
    for part in stream.split(b"\n---\n"):
        text = part.strip()
        if text and text != b"---":
            found.append(_report(yaml.safe_load(text), file_name, schemas=schemas))
    if not found:
        raise InvalidInputError
    return found


def _report(obj: dict[str, Any], file_name: str, *, schemas: bool) -> dict[str, Any]:
    metadata = obj.get("metadata") or {}
    name = f"{obj.get('kind')}/{metadata.get('name', 'undefined')}.{metadata.get('namespace', 'default')}"
    report: dict[str, Any] = {"object": name, "valid": True, "fileName": file_name}
    if not schemas:
        return report | {
            "valid": False,
            "message": f"could not find schema for {obj.get('kind')}",
            "score": 0,
            "scoring": {},
        }
    if obj.get("kind") not in KINDS:
        return report | {"message": "This resource kind is not supported by kubesec", "score": 0, "scoring": {}}
    spec = obj["spec"] if obj["kind"] == "Pod" else obj["spec"]["template"]["spec"]
    every = [
        item for group in ("initContainers", "containers", "ephemeralContainers") for item in spec.get(group) or []
    ]
    scoring: dict[str, list[dict[str, Any]]] = {}
    score = 0
    for rule, points, selector, check in RULES:
        entry = {"id": rule, "selector": selector, "reason": f"Why {rule} matters", "points": points}
        if check(spec, every):
            score += points
            scoring.setdefault("passed" if points >= 0 else "critical", []).append(entry)
        elif points >= 0:
            scoring.setdefault("advise", []).append(entry)
    word = "Passed" if score >= 0 else "Failed"
    return report | {"message": f"{word} with a score of {score} points", "score": score, "scoring": scoring}


# ── as a program ─────────────────────────────────────────────────────────────────────────────────────────────────────

FAULTS = ("panic", "text", "wrong json", "no list", "one gone", "twice", "stranger", "no schema", "v1")
"""What Kubesec alone does; how any program fails is `fake_tool`'s."""


def install(folder: Path, fault: str = "", *, note: Path | None = None) -> Path:
    """A program `kubesec` in a folder; with a fault it fails in that way.

    Args:
        folder: where it is written.
        fault: one of FAULTS; empty: none.
        note: a file in which it leaves its arguments, environment and process id, as a line of JSON a run.
    """
    program = folder / "kubesec"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"import fake_kubesec\nfake_kubesec.main({fault!r}, {str(note) if note else ''!r})\n"
    )
    program.chmod(0o755)
    return program


def main(fault: str, note: str) -> None:
    """Be the program."""
    if note:
        line = {"argv": sys.argv[1:], "env": dict(os.environ), "pid": os.getpid(), "cwd": str(Path.cwd())}
        with Path(note).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    if sys.argv[1:] == ["version"]:
        print("version 2.14.2\ngit commit 0123456789abcdef\nbuild date 2025-01-01T00:00:00Z")  # noqa: T201
        return
    assert sys.argv[1:] == ["scan", "-"], sys.argv
    stream = sys.stdin.buffer.read()
    _fail_early(fault)
    try:
        said = reports(stream, schemas=_has_schemas())
    except (InvalidInputError, yaml.YAMLError, TypeError):
        print("Invalid input")  # noqa: T201
        sys.exit(1)
    print(json.dumps(_spoiled(said, fault), indent=2))  # noqa: T201
    sys.exit(2 if any(item["score"] <= 0 for item in said) else 0)


def _has_schemas() -> bool:
    """Kubesec asks a server on the Internet where it is told no place; here that is no schema."""
    location = os.environ.get("SCHEMA_LOCATION", "")
    return bool(location) and (not location.endswith(".json") or Path(location).is_file())


def _fail_early(fault: str) -> None:
    if fault == "panic":
        sys.stderr.write("panic: runtime error: invalid memory address\n\ngoroutine 1 [running]:\nmain.main()\n")
        sys.exit(2)
    if fault == "text":
        print("Invalid input")  # noqa: T201
        sys.exit(1)


def _spoiled(said: list[dict[str, Any]], fault: str) -> Any:
    twisted: dict[str, Callable[[], Any]] = {
        "wrong json": lambda: [{"object": item["object"], "score": "high"} for item in said],
        "no list": lambda: said[0],
        "one gone": lambda: said[:-1],
        "twice": lambda: [*said, said[0]],
        "stranger": lambda: [*said, said[0] | {"object": "Pod/other.default"}],
        "no schema": lambda: [
            item | {"valid": False, "message": "could not find schema for Pod", "score": 0, "scoring": {}}
            for item in said
        ],
        "v1": lambda: [{"error": "", "score": 3, "scoring": {}} for _ in said],
    }
    return twisted[fault]() if fault in twisted else said


# ── as a server ──────────────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def served(fault: str = "") -> AsyncIterator[str]:
    """A server on loopback; yields its URL."""
    import asyncio

    from aiohttp import web

    async def scan(request: web.Request) -> web.StreamResponse:
        stream = await request.read()
        if fault == "sleep":
            await asyncio.sleep(60)
        if fault == "panic":
            assert request.transport
            request.transport.abort()
        if fault == "redirect":
            raise web.HTTPFound("http://127.0.0.1:1/scan")
        body = b" " * (17 << 20) if fault == "huge" else _body(stream, fault)
        return web.Response(status=500 if fault == "empty" else 200, body=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/scan", scan)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield next(_urls(runner))
    finally:
        await runner.cleanup()


def _urls(runner: Any) -> Iterator[str]:
    for host, port in runner.addresses:
        yield f"http://{host}:{port}"


def _body(stream: bytes, fault: str) -> bytes:
    if fault in {"empty", "text"}:
        return b"" if fault == "empty" else b"Invalid input\n"
    answer = json.dumps(_spoiled(reports(stream, file_name="API"), fault)).encode()
    return answer[: len(answer) // 2] if fault == "truncated" else answer

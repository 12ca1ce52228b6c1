"""Kubesec: scores everything that bears a pod, by its program or by a server of one's own; never by the public one."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aegis.drivers.process import Finished, run
from aegis.errors import TimedOut, Unavailable
from aegis.model.refs import JsonObject
from aegis.model.scan import Coverage, Manifests, ScanResult, ScanStatus, Subject, Tool
from aegis.model.security import SecurityFinding
from aegis.security.desk import Desk
from aegis.security.manifest_tools.kubesec_answer import (
    NAME,
    Question,
    Verdict,
    findings,
    question,
    verdicts,
)
from aegis.security.manifest_tools.words import Failed, Unreadable, home_of, listed, shown
from aegis.security.strict_yaml import NotCanonical

if TYPE_CHECKING:
    import aiohttp

_ANSWER_LIMIT: Final = 16 << 20
_SECONDS_FOR_VERSION: Final = 10.0
_INSTALL: Final = "Install Kubesec, or name its program in security.kubesec_path."
_PUBLIC: Final = "kubesec.io"
_NO_ERRORS: Final = (0, 2)
"""With these alone Kubesec writes a report: 2 is a score of 0 or less, and a panic, which writes none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    body: bytes
    trouble: str = ""


class Kubesec:
    """Kubesec's rules and scores."""

    name = NAME

    def accepts(self, subject: Subject) -> bool:
        """Manifests."""
        return isinstance(subject, Manifests)

    async def probe(self, desk: Desk) -> Tool:
        """Its version and the digest of its program; a server tells neither."""
        if desk.rules.kubesec_url:
            return Tool(name=NAME, version="server")
        program = desk.program(NAME)
        if program is None:
            return Tool(name=NAME, absent=f"there is no program kubesec. {_INSTALL}")
        try:
            said = await _run(program, ["version"], desk, timeout=min(_SECONDS_FOR_VERSION, desk.rules.seconds(NAME)))
        except Failed:
            return Tool(name=NAME, digest=_digest(program))
        words = said.stdout.decode(errors="replace").split()
        version = words[1] if words[:1] == ["version"] and len(words) > 1 else ""
        return Tool(name=NAME, version=shown(version, 40), digest=_digest(program))

    async def scan(self, subject: Subject, desk: Desk) -> ScanResult:
        """Ask about every object that bears a pod; one that is not scored makes the scan PARTIAL."""
        assert isinstance(subject, Manifests)  # noqa: S101 - `accepts` says so
        tool = await self.probe(desk)
        result = ScanResult(scanner=NAME, status=ScanStatus.SKIPPED, tool=tool, reason=tool.absent)
        try:
            asked = question(subject.objects)
        except NotCanonical as error:
            return replace(result, status=ScanStatus.ERROR, reason=error.message)
        result = replace(result, coverage=Coverage(expected=tuple(map(str, asked.refs))))
        if tool.absent:
            return result
        if not asked.refs:
            note = "no object bears a pod, and Kubesec scores nothing else"
            return replace(result, status=ScanStatus.CLEAN, coverage=Coverage(notes=(note,)))
        began = time.monotonic()
        try:
            answer = await (_post if desk.rules.kubesec_url else _pipe)(asked, desk)
        except Failed as failed:
            return replace(result, status=failed.status, reason=failed.reason, seconds=time.monotonic() - began)
        result = replace(result, seconds=time.monotonic() - began, raw_digest=_sha256(answer.body))
        return _judged(result, answer, asked, least=desk.rules.kubesec_min_score)


def _judged(result: ScanResult, answer: _Answer, asked: Question, *, least: int) -> ScanResult:
    """The result that follows from an answer, whatever status it came with."""
    try:
        said = verdicts(answer.body, asked)
    except Unreadable as error:
        words = f"Kubesec gave no report: {error}"
        return replace(
            result, status=ScanStatus.ERROR, reason=f"{words} ({answer.trouble})" if answer.trouble else words
        )
    scored = tuple(verdict for verdict in said if not verdict.trouble)
    found = tuple(item for verdict in scored for item in findings(verdict, least=least))
    coverage = replace(result.coverage, scanned=tuple(str(verdict.ref) for verdict in scored))
    heard = {verdict.ref for verdict in said}
    troubles = [f"{verdict.ref} was not scored: {verdict.trouble}" for verdict in said if verdict.trouble]
    troubles += [f"nothing was said of {ref}" for ref in asked.refs if ref not in heard]
    reason = listed(troubles) or answer.trouble
    return replace(
        result,
        status=_status(found, partial=bool(reason)),
        findings=found,
        coverage=coverage,
        reason=reason,
        details=_details(said, scored, least=least),
    )


def _status(found: tuple[SecurityFinding, ...], *, partial: bool) -> ScanStatus:
    if partial:
        return ScanStatus.PARTIAL
    return ScanStatus.FINDINGS if found else ScanStatus.CLEAN


def _details(said: tuple[Verdict, ...], scored: tuple[Verdict, ...], *, least: int) -> JsonObject:
    """The lowest score, since a good object makes up for no bad one, and what is advised."""
    return {
        "score": min((verdict.score for verdict in scored), default=None),
        "min_score": least,
        "advise": list(dict.fromkeys(rule.reason for verdict in scored for rule in verdict.advise)),
        "objects": [verdict.to_dict() for verdict in said],
    }


# ── asking its program ───────────────────────────────────────────────────────────────────────────────────────────────


async def _pipe(asked: Question, desk: Desk) -> _Answer:
    program = desk.program(NAME)
    assert program is not None  # noqa: S101 - `probe` found it
    said = await _run(program, ["scan", "-"], desk, timeout=desk.rules.seconds(NAME), stdin=asked.text.encode())
    if said.truncated:
        raise Failed(ScanStatus.ERROR, "Kubesec wrote more than a report can hold: it was cut off")
    trouble = ""
    if said.status not in _NO_ERRORS or not said.stdout.strip():
        trouble = shown(f"it ended with status {said.status}: {said.stderr.decode(errors='replace')}").rstrip(" :")
    return _Answer(body=said.stdout, trouble=trouble)


async def _run(program: Path, arguments: list[str], desk: Desk, *, timeout: float, stdin: bytes = b"") -> Finished:  # noqa: ASYNC109 - it is passed on to whoever kills
    """Run it in an empty folder that is its home, with schemas that need no network.

    Without a schema Kubesec asks a server on the Internet for one. What the API server would refuse is not Kubesec's to
    find, so where no schemas are configured it is given one that any object meets.

    Raises:
        Failed: if it cannot be run, or its time is up.
    """
    with home_of(NAME) as home:
        anything = home / "anything.json"
        anything.write_text("{}", encoding="utf-8")
        env = {
            "PATH": desk.path,
            "HOME": str(home),
            "TMPDIR": str(home),
            "SCHEMA_LOCATION": desk.rules.kubesec_schemas or str(anything),
        }
        try:
            return await run([str(program), *arguments], timeout=timeout, env=env, cwd=home, stdin=stdin)
        except TimedOut as error:
            raise Failed(ScanStatus.TIMEOUT, f"Kubesec did not end within {timeout:g} s") from error
        except Unavailable as error:
            raise Failed(ScanStatus.ERROR, error.message) from error


@lru_cache(maxsize=8)
def _digest_of(path: str, _changed: int, _size: int) -> str:
    with Path(path).open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _digest(program: Path) -> str:
    """Empty for a program that may be run and not be read."""
    state = program.stat()
    try:
        return _digest_of(str(program), state.st_mtime_ns, state.st_size)
    except OSError:
        return ""


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


# ── asking a server ──────────────────────────────────────────────────────────────────────────────────────────────────


async def _post(asked: Question, desk: Desk) -> _Answer:
    """Ask a server; a score decides nothing about the status with which it answers.

    Raises:
        Failed: if it does not answer, or with too much.
    """
    import aiohttp  # it takes long, and few have a server

    url = _address(desk.rules.kubesec_url)
    seconds = desk.rules.seconds(NAME)
    try:
        async with (
            asyncio.timeout(seconds),
            aiohttp.ClientSession(trust_env=False) as session,
            session.post(url, data=asked.text.encode(), allow_redirects=False) as response,
        ):
            body = await _read(response.content)
            trouble = "" if response.status == 200 else f"the server answered with {response.status}"  # noqa: PLR2004
    except TimeoutError as error:
        raise Failed(ScanStatus.TIMEOUT, f"the Kubesec server at {url} did not answer within {seconds:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        reason = f"the Kubesec server at {url} did not answer: {shown(error) or type(error).__name__}"
        raise Failed(ScanStatus.ERROR, reason) from error
    return _Answer(body=body, trouble=trouble)


async def _read(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > _ANSWER_LIMIT:
            raise Failed(ScanStatus.ERROR, "the Kubesec server wrote more than a report can hold: it was cut off")
    return bytes(body)


def _address(configured: str) -> str:
    """Where to post.

    Raises:
        Failed: for what is no address of a server, and for the public service: manifests stay here.
    """
    try:
        parts = urlsplit(configured)
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not host:
        raise Failed(ScanStatus.ERROR, "security.kubesec_url is no URL of a server")
    if host == _PUBLIC or host.endswith(f".{_PUBLIC}"):
        raise Failed(ScanStatus.ERROR, "security.kubesec_url names the public service: manifests are not sent there")
    path = parts.path.rstrip("/")
    return parts._replace(path=path if path.endswith("/scan") else f"{path}/scan", fragment="").geturl()


PLUGIN = Kubesec()

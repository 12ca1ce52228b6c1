"""ZAP's baseline scan by Docker: a container for each scan, which never outlives it.

Ending the `docker` command does not end its container. So the container has a name of its own, is removed by that name
however the scan ends, and bounds itself, for the case that nobody is left to remove it. Its exit status is never asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import stat
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from aegis.drivers.process import Finished, run
from aegis.drivers.shielding import shielded
from aegis.errors import TimedOut, Unavailable
from aegis.model.redact import redact_text
from aegis.model.scan import ScanStatus
from aegis.security.desk import Desk
from aegis.security.zaproxy.report import LIMIT_BYTES, is_loopback, plain
from aegis.security.zaproxy.taken import NoReport, Taken

DOCKER = "docker"
_REPORT = "report.json"
_ANSWER, _PULL = 15.0, 3600.0
_REMOVALS, _SURELY, _REMOVAL_SECONDS, _REMOVAL_PAUSE = 5, 2, 10.0, 0.3
_OUTPUT_BYTES = 1 << 20
_IMAGE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._:/@-]{0,400}")
_UNREACHABLE = re.compile(r"cannot connect to|permission denied while trying|error during connect", re.IGNORECASE)
_BY_TIMEOUT = 124
"""What `timeout` ends with in the container, when it had to end the scan."""


async def scan_in_container(target: str, desk: Desk, seconds: float) -> Taken:
    """Run the scan, and give its report.

    Args:
        target: a URL that is reachable from here.
        desk: where Docker is, and which image.
        seconds: for all of it, a pull of the image included.

    Raises:
        NoReport: there is none; it says how that counts.
    """
    program = desk.program(DOCKER)
    if program is None:
        raise NoReport(
            ScanStatus.SKIPPED, "Docker is not installed here: install it, or set security.zap_api_url to a ZAP daemon"
        )
    try:
        with tempfile.TemporaryDirectory(prefix="aegis-zap-", ignore_cleanup_errors=True) as folder:
            docker = _Docker(program=str(program), desk=desk, home=Path(folder))
            async with asyncio.timeout(seconds):
                await docker.check()
                return await _scan(docker, target, seconds)
    except (TimeoutError, TimedOut):
        raise NoReport(ScanStatus.TIMEOUT, f"ZAP did not end within {seconds:g} s; its container was removed") from None
    except Unavailable as error:
        raise NoReport(ScanStatus.ERROR, error.message) from error
    except OSError as error:
        raise NoReport(ScanStatus.ERROR, f"no folder can be made for ZAP's report: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Docker:
    """The `docker` command.

    Attributes:
        program: its path.
        desk: the image, and who the daemon is.
        home: a folder of this scan's own.
    """

    program: str
    desk: Desk
    home: Path
    name: str = field(default_factory=lambda: f"aegis-zap-{secrets.token_hex(8)}")

    async def __call__(self, *arguments: str, timeout: float = _ANSWER) -> Finished:  # noqa: ASYNC109 - of the program
        env = {"PATH": self.desk.path, "HOME": str(self.home), "LC_ALL": "C"}
        if self.desk.rules.docker_host:
            env["DOCKER_HOST"] = self.desk.rules.docker_host
        return await run([self.program, *arguments], timeout=timeout, env=env, cwd=self.home, limit_bytes=_OUTPUT_BYTES)

    async def check(self) -> None:
        """See that there is a daemon behind it.

        Raises:
            NoReport: there is none, or it does not answer.
        """
        try:
            answer = await self("version", "--format", "{{.Server.Version}}")
        except TimedOut:
            raise NoReport(ScanStatus.TIMEOUT, f"Docker's daemon did not answer within {_ANSWER:g} s") from None
        if answer.status == 0:
            return
        words = _words(answer)
        if _UNREACHABLE.search(words):
            raise NoReport(ScanStatus.SKIPPED, f"Docker's daemon is not reachable: {words}")
        raise NoReport(ScanStatus.ERROR, f"Docker does not work: {words}")

    async def image(self) -> str:
        """The id of the image, pulled where it is not here.

        Raises:
            NoReport: it cannot be had.
        """
        reference = self.desk.rules.zap_image
        if not _IMAGE.fullmatch(reference):
            raise NoReport(ScanStatus.ERROR, f"security.zap_image is no reference of an image: {reference!r}")
        ask = ("image", "inspect", "--format", "{{.Id}}", reference)
        found = await self(*ask)
        if found.status != 0:
            pulled = await self("pull", "--quiet", reference, timeout=_PULL)
            if pulled.status != 0:
                raise NoReport(ScanStatus.ERROR, f"the image {reference} cannot be pulled: {_words(pulled)}")
            found = await self(*ask)
        lines = found.stdout.decode(errors="replace").split()
        return lines[0] if found.status == 0 and lines else ""

    @contextlib.asynccontextmanager
    async def removed(self) -> AsyncIterator[None]:
        """The container of this scan is gone when the block is left, however it is left."""
        try:
            yield
        except BaseException:
            await shielded(self._remove())
            raise
        if not await self._is_gone():
            await shielded(self._remove())

    async def _remove(self) -> None:
        """End the container and remove it, until there has been none for a while: its making may still be under way."""
        gone = 0
        for _ in range(_REMOVALS):
            with contextlib.suppress(Unavailable):
                await self("kill", self.name, timeout=_REMOVAL_SECONDS)
                await self("rm", "--force", "--volumes", self.name, timeout=_REMOVAL_SECONDS)
                gone = gone + 1 if await self._is_gone() else 0
            if gone == _SURELY:
                return
            await asyncio.sleep(_REMOVAL_PAUSE)

    async def _is_gone(self) -> bool:
        left = await self("ps", "--all", "--quiet", "--filter", f"name=^/?{self.name}$", timeout=_REMOVAL_SECONDS)
        return left.status == 0 and not left.stdout.strip()


async def _scan(docker: _Docker, target: str, seconds: float) -> Taken:
    image = await docker.image()
    folder = docker.home / "wrk"
    folder.mkdir()
    folder.chmod(0o777)  # ZAP is another user in there; the folder above is ours alone
    (folder / _REPORT).unlink(missing_ok=True)
    async with docker.removed():
        ended = await docker(
            *run_arguments(docker.name, docker.desk.rules.zap_image, target, folder=folder, seconds=seconds),
            timeout=seconds,
        )
    data = _report(folder / _REPORT)
    if data is None:
        raise _no_report(ended, target)
    notes = (f"zap-baseline.py ended with status {ended.status}",) if ended.status not in (0, 1, 2) else ()
    return Taken(data=data, image=image, notes=notes)


def run_arguments(name: str, image: str, target: str, *, folder: Path, seconds: float) -> list[str]:
    """How the scan is run, as arguments of `docker`. What is on loopback here is looked at from this machine's network."""
    network = ["--network", "host"] if is_loopback(target) else []
    return [
        "run", "--rm", "--pull", "never", "--name", name, "--label", "io.aegis=zap",
        "--user", "1000", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
        "--pids-limit", "1024", "--memory", "2g", *network,
        "--volume", f"{folder}:/zap/wrk:rw", image,
        "timeout", "-k", "5", f"{max(1, round(seconds))}",
        "zap-baseline.py", "-t", target, "-J", _REPORT, "-m", "1", "-T", "5", "-I", "-z", "-silent",
    ]  # fmt: skip


def _report(path: Path) -> bytes | None:
    """What the container wrote; None where it wrote no plain file. What it wrote is not trusted: no link is followed.

    Raises:
        NoReport: it is too large.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        held = os.fstat(handle)
        if not stat.S_ISREG(held.st_mode):
            return None
        data = file.read(LIMIT_BYTES + 1) if held.st_size <= LIMIT_BYTES else None
    if data is None or len(data) > LIMIT_BYTES:
        raise NoReport(ScanStatus.ERROR, f"ZAP's report is larger than {LIMIT_BYTES >> 20} MiB")
    return data


def _no_report(ended: Finished, target: str) -> NoReport:
    """Why there is none, by the words; the status only where it is not ZAP's own."""
    if ended.status == _BY_TIMEOUT:
        return NoReport(ScanStatus.TIMEOUT, "ZAP did not end in time")
    words = plain((ended.stdout + b"\n" + ended.stderr).decode(errors="replace"))
    if "No URLs found" in words or "Failed to access" in words:
        return NoReport(ScanStatus.ERROR, f"ZAP found no URL at {target}: is it reachable from within a container?")
    return NoReport(ScanStatus.ERROR, f"ZAP ended with status {ended.status} and wrote no report: {_words(ended)}")


def _words(ended: Finished) -> str:
    """The last line that a program said: on stderr, else on stdout."""
    for stream in (ended.stderr, ended.stdout):
        lines = plain(stream[-4096:].decode(errors="replace")).splitlines()
        if lines:
            return redact_text(lines[-1])[:300]
    return "it said nothing"

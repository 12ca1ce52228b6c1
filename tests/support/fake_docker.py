"""Docker at the wire: a `docker` command, and a daemon behind it whose containers outlive the command, as real ones do.

`installed` gives the command; the daemon is this process. What goes wrong is told by `plan`: `image` (`here`, `refused`, `slow`; else
it can be pulled), `run` (words with which the daemon refuses a container), `daemon` (`down`, `forbidden`, `broken`), and
`mode`, of which `zap_baseline.py` knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

IMAGE_ID = "sha256:" + "ab" * 32

_COMMAND = """#!{python} -IS
import json, os, socket, sys
client = socket.socket(socket.AF_UNIX)
try:
    client.connect(os.environ["DOCKER_HOST"][len("unix://"):])
except OSError:
    sys.exit("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?")
client.sendall(json.dumps(sys.argv[1:]).encode() + b"\\n")
answer = b""
while chunk := client.recv(65536):
    answer += chunk
out, err, status = json.loads(answer)
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(status)
"""

Answer = tuple[str, str, int]


def _failed(words: str, status: int = 1) -> Answer:
    return "", f"{words}\n", status


@dataclass(slots=True, kw_only=True)
class FakeDocker:
    """The daemon.

    Attributes:
        program: the command.
        host: what DOCKER_HOST must say.
        plan: what goes wrong.
        calls: what it was asked.
        containers: those that run, by name.
        started: set when a container has begun to hang.
    """

    program: Path
    host: str
    folder: Path
    plan: dict[str, Any] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)
    containers: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    pulled: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One command."""
        arguments = json.loads(await reader.readline())
        self.calls.append(arguments)
        if arguments[0] == "pull" and self.plan.get("image") == "slow":
            await reader.read()  # until the command is ended
        with contextlib.suppress(OSError):
            writer.write(json.dumps(await self._answer(arguments)).encode())
            await writer.drain()
        writer.close()

    async def _answer(self, arguments: list[str]) -> Answer:
        answers = {
            "version": self._version,
            "image": self._image,
            "pull": self._pull,
            "run": self._run,
            "kill": self._end,
            "rm": self._end,
            "ps": self._ps,
        }
        return await answers[arguments[0]](arguments)

    async def _image(self, _arguments: list[str]) -> Answer:
        here = self.pulled or self.plan.get("image") == "here"
        return (f"{IMAGE_ID}\n", "", 0) if here else _failed("Error response from daemon: No such image")

    async def _ps(self, arguments: list[str]) -> Answer:
        pattern = arguments[-1].removeprefix("name=")
        return "\n".join(name for name in self.containers if re.search(pattern, name)), "", 0

    async def _version(self, _arguments: list[str]) -> Answer:
        fault = self.plan.get("daemon")
        if fault == "forbidden":
            return _failed("permission denied while trying to connect to the Docker daemon socket")
        if fault == "broken":
            return _failed("something else is wrong")
        return "28.2.2\n", "", 0

    async def _pull(self, _arguments: list[str]) -> Answer:
        if self.plan.get("image") == "refused":
            return _failed("Error response from daemon: manifest for zaproxy:stable not found: manifest unknown")
        self.pulled = True
        return "", "", 0

    async def _run(self, arguments: list[str]) -> Answer:
        if self.plan.get("run"):
            return _failed(f"docker: Error response from daemon: {self.plan['run']}", 125)
        name = arguments[arguments.index("--name") + 1]
        work = arguments[arguments.index("--volume") + 1].removesuffix(":/zap/wrk:rw")
        command = arguments[next(n for n, word in enumerate(arguments) if "zaproxy" in word) + 1 :]
        env = {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "FAKE_ZAP_FOLDER": work,
            "FAKE_ZAP_MODE": self.plan.get("mode", ""),
        }
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            *command, env=env, cwd=work, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe,
            start_new_session=True,
        )  # fmt: skip
        self.containers[name] = child
        self.started.set()
        out, err = await child.communicate()
        self.containers.pop(name, None)
        status = child.returncode or 0
        return out.decode(), err.decode(), status if status >= 0 else 128 - status

    async def _end(self, arguments: list[str]) -> Answer:
        name = arguments[-1]
        child = self.containers.get(name)
        if child is None:
            return _failed(f"Error response from daemon: No such container: {name}")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
        self.containers.pop(name, None)
        return f"{name}\n", "", 0

    def run_arguments(self) -> list[str]:
        """What the last container was started with."""
        return next(call for call in reversed(self.calls) if call[0] == "run")

    def names(self, verb: str) -> set[str]:
        """Which containers a verb was said of."""
        return {call[-1] for call in self.calls if call[0] == verb}


@contextlib.asynccontextmanager
async def installed(folder: Path, **plan: Any) -> AsyncIterator[FakeDocker]:
    """A command, and its daemon; what still runs of it at the end is ended."""
    binaries = folder / "bin"
    binaries.mkdir()
    player = binaries / "zap-baseline.py"
    source = (Path(__file__).parent / "zap_baseline.py").read_text(encoding="utf-8")
    player.write_text(f"#!{sys.executable} -IS\n" + source.partition("\n")[2], encoding="utf-8")
    command = folder / "docker"
    command.write_text(_COMMAND.format(python=sys.executable), encoding="utf-8")
    for file in (player, command):
        file.chmod(0o755)
    address = folder / "d.sock"
    docker = FakeDocker(program=command, host=f"unix://{address}", folder=folder, plan=plan)
    server = await asyncio.start_unix_server(docker.serve, str(address)) if plan.get("daemon") != "down" else None
    try:
        yield docker
    finally:
        for name in list(docker.containers):
            await docker._end([name])
        if server is not None:
            server.close()

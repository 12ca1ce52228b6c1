"""The real kubectl against a real local cluster.

Every kubectl that is found is tried: the one on PATH, and those that TEST_KUBECTL names (separated by colons).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aegis.localcluster import daemon
from aegis.localcluster.options import ClusterOptions

SCALE = 10.0
"""Ten times faster than real: a back-off of 10 s takes one."""

MANIFESTS = Path(__file__).parent / "manifests"


def binaries() -> list[str]:
    named = os.environ.get("TEST_KUBECTL", "").split(os.pathsep)
    found = [shutil.which("kubectl"), *(shutil.which(name) for name in named if name)]
    return list(dict.fromkeys(path for path in found if path))


class Kubectl:
    """One kubectl, in one namespace."""

    def __init__(self, binary: str, kubeconfig: Path, home: Path, namespace: str) -> None:
        self.binary, self.kubeconfig, self.home, self.namespace = binary, kubeconfig, home, namespace

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        environment = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(self.kubeconfig),
        }
        return subprocess.run(
            [self.binary, "--namespace", self.namespace, *arguments],
            input=stdin,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 60) -> str:
        done = self.run(*arguments, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def fails(self, *arguments: str, stdin: str | None = None) -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode != 0, f"kubectl {' '.join(arguments)} succeeded: {done.stdout}"
        return done.stderr + done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that goes on, like `get -w`; the caller ends it."""
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "KUBECONFIG": str(self.kubeconfig)}
        return subprocess.Popen(
            [self.binary, "--namespace", self.namespace, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def json(self, *arguments: str) -> Any:
        return json.loads(self("get", *arguments, "-o", "json"))

    def apply(self, name: str, **replace: str) -> None:
        """Apply a manifest of this folder."""
        text = (MANIFESTS / f"{name}.yaml").read_text()
        for old, new in replace.items():
            text = text.replace(f"${old.upper()}", new)
        self("apply", "-f", "-", stdin=text)

    def expect(self, check: Callable[[], Any], seconds: float = 20) -> Any:
        end = time.monotonic() + seconds
        while True:
            found = check()
            if found:
                return found
            assert time.monotonic() < end, f"still {found!r}\n{self('get', 'pods,events', '-o', 'wide')}"
            time.sleep(0.2)  # each look is a process

    def pods(self, selector: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("pods", "-l", selector)["items"]
        return found

    def events(self, reason: str) -> list[str]:
        items = self.json("events")["items"]
        return [e["message"] for e in items if e["reason"] == reason]


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    state = tmp_path_factory.mktemp("cluster") / "state"
    try:
        yield daemon.up(ClusterOptions(state=state, time_scale=SCALE)).kubeconfig
    finally:
        daemon.down(state)


@pytest.fixture(params=binaries() or [""], ids=lambda binary: binary or "none")
def binary(request: pytest.FixtureRequest) -> str:
    if not request.param:
        pytest.skip("no kubectl on PATH and none named by TEST_KUBECTL")
    found: str = request.param
    return found


@pytest.fixture
def k(binary: str, kubeconfig: Path, tmp_path: Path) -> Iterator[Kubectl]:
    kubectl = Kubectl(binary, kubeconfig, tmp_path, f"t-{uuid.uuid4().hex[:8]}")
    kubectl("create", "namespace", kubectl.namespace)
    yield kubectl
    kubectl("delete", "namespace", kubectl.namespace, "--wait=false")

"""A local cluster started as a user starts it, and somebody at its command line."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from unittest.mock import patch

import pytest
import yaml

from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.interfaces.cli.main import run
from aegis.model.refs import JsonObject, ObjectRef

SCALE = 60
_EXAMPLES = Path(__file__).parents[3] / "examples" / "incidents"


class User:
    """Somebody with a cluster and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            **os.environ,
            "XDG_STATE_HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "NO_COLOR": "1",
        }
        self.kubeconfig = Path()

    def begins(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """A command that goes on; end it by its process."""
        return subprocess.Popen(
            [sys.executable, "-m", "aegis.interfaces.cli.main", *words],
            env=self.env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )  # fmt: skip

    def types(self, *words: str, given: str = "") -> tuple[int, str, str]:
        """A command: its status, what it printed, what it said; in this process, which spares half a second each."""
        out, said = StringIO(), StringIO()
        stdin = TextIOWrapper(BytesIO(given.encode()), encoding="utf-8")
        with (
            patch.dict(os.environ, self.env),
            patch.object(sys, "stdin", stdin),
            redirect_stdout(out),
            redirect_stderr(said),
        ):
            status = run(words)
        return status, out.getvalue(), said.getvalue()

    def problems(self, *words: str) -> list[tuple[str, str | None]]:
        """The namespace and the cause of each problem, as it is at this moment."""
        _, out, said = self.types("analyze", *words, "-o", "json")
        assert out, said
        return [(one["target"]["namespace"], one["cause"]) for one in json.loads(out)["items"]]

    def gets(self, *words: str, status: int = 0, given: str = "") -> Any:
        """The document that a command prints with -o json, if it ends so."""
        ended, out, said = self.types(*words, "-o", "json", given=given)
        assert ended == status, said
        return json.loads(out)

    def applies(self, *objects: JsonObject) -> None:
        """What `kubectl apply --server-side` does."""

        async def apply() -> None:
            async with connect(KubeOptions(kubeconfig=self.kubeconfig)) as driver:
                for obj in objects:
                    await driver.apply(ObjectRef.of(obj), obj, manager="kubectl")

        asyncio.run(apply())

    def has(self, example: str) -> None:
        """An example's past, and then its present."""
        for number, file in enumerate(sorted((_EXAMPLES / example).glob("0*.yaml"))):
            if number:
                self.sees(lambda: not self.problems("-n", f"demo-{example}"))
            self.applies(*yaml.safe_load_all(file.read_text(encoding="utf-8")))

    def reads(self, api_version: str, kind: str, name: str, namespace: str = "") -> JsonObject | None:
        """An object, as the API server has it."""

        async def read() -> JsonObject | None:
            async with connect(KubeOptions(kubeconfig=self.kubeconfig)) as driver:
                return await driver.find(ObjectRef(api_version=api_version, kind=kind, name=name, namespace=namespace))

        return asyncio.run(read())

    def sees(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until it is so."""
        deadline = monotonic() + seconds
        while not condition():
            assert monotonic() < deadline, "it never came to that"
            sleep(0.2)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    person = User(tmp_path_factory.mktemp("user"))
    status, out, said = person.types("local", "up", "--time-scale", str(SCALE))
    assert status == 0, said
    try:
        person.kubeconfig = Path(out.split("=", 1)[1].strip())
        person.env["KUBECONFIG"] = str(person.kubeconfig)
        yield person
    finally:
        person.types("local", "down")

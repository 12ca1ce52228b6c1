"""On somebody's cluster only what is surely the demo's own is deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aegis.errors import Conflict
from aegis.interfaces.cli.demo_own import RUN, images, remove
from aegis.interfaces.cli.demo_scenario import chosen
from aegis.interfaces.cli.demo_traces import Run
from aegis.model.refs import ObjectRef


class Server:
    """Namespaces by name; what is deleted goes at once."""

    def __init__(self, **uids: str) -> None:
        self.there = {name: {"metadata": {"name": name, "uid": uid, "labels": {}}} for name, uid in uids.items()}

    async def find(self, ref: ObjectRef) -> dict[str, Any] | None:
        return self.there.get(ref.name)

    async def delete(self, ref: ObjectRef, *, uid: str = "") -> None:
        live = self.there.get(ref.name)
        if live is None:
            return
        if uid != live["metadata"]["uid"]:
            raise Conflict("another uid")
        del self.there[ref.name]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(folder=tmp_path, cluster_uid="uid")


async def removed(run: Run, server: Any, name: str) -> set[str]:
    await remove(server, server, run, name)
    return set(server.there)


async def test_its_own_goes_by_its_uid(run: Run) -> None:
    run.note("mine", "u1")
    assert await removed(run, Server(mine="u1", shop="u2"), "mine") == {"shop"}
    assert run.made == {}


async def test_one_of_that_name_with_another_uid_stays(run: Run) -> None:
    run.note("mine", "u1")
    assert await removed(run, Server(mine="u9"), "mine") == {"mine"}
    assert run.made == {}


async def test_one_that_it_never_named_stays(run: Run) -> None:
    assert await removed(run, Server(shop="u2"), "shop") == {"shop"}


async def test_one_that_it_was_about_to_make_goes_only_with_its_label(run: Run) -> None:
    server = Server(planned="u1")
    run.note("planned")
    assert await removed(run, server, "planned") == {"planned"}

    server.there["planned"]["metadata"]["labels"] = {RUN: run.id}
    run.note("planned")
    assert await removed(run, server, "planned") == set()


def test_the_images_are_those_that_public_registries_hold() -> None:
    assert set(images(chosen("all"))) <= {"python:3.12-slim", "nginx:1.27", "busybox:1.36"}

"""`aegis incident` on a real store and a real API server."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from flow_world import World, api_server, world

from aegis.flows.remediation import open_incident, run


class Shop:
    """A question that waits, and the command line pointed to it."""

    def __init__(self, made: World, env: dict[str, str], waiting: str) -> None:
        self.made = made
        self.waiting = waiting
        self._env = env

    async def aegis(self, *words: str) -> tuple[int, Any, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "aegis.interfaces.cli.main",
            "incident",
            *words,
            "-o",
            "json",
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, said = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, json.loads(out) if out else None, said.decode()


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with api_server(tmp_path) as kubeconfig, world(tmp_path, kubeconfig) as made:
        await made.make(colour="red")
        made.person.yes = None
        tools = await made.tools()
        waiting = await run(tools, await open_incident(tools, made.target))
        env = {**os.environ, "KUBECONFIG": str(kubeconfig), "AEGIS_STATE__FOLDER": str(made.folder)}
        yield Shop(made, env, waiting.id)


async def test_what_waits_is_listed_shown_and_rejected_once(shop: Shop) -> None:
    status, listed, said = await shop.aegis("list")
    assert (status, listed["kind"], len(listed["items"])) == (0, "IncidentList", 1), said
    (item,) = listed["items"]
    assert (item["id"], item["phase"], item["cause"]) == (shop.waiting, "AwaitingApproval", "wrong_colour")
    _, elsewhere, _ = await shop.aegis("list", "-n", "elsewhere")
    assert elsewhere["items"] == []

    status, shown, said = await shop.aegis("show", shop.waiting[:8])
    assert (status, shown["kind"], shown["incident"]) == (0, "Remediation", shop.waiting), said

    status, rejected, said = await shop.aegis("reject", shop.waiting, "--reason", "not today")
    assert (status, rejected["phase"], rejected["reason"]) == (0, "Rejected", "not today"), said
    for word in ("reject", "approve"):
        status, _, said = await shop.aegis(word, shop.waiting)
        assert status == 4, said
    assert await shop.made.data() == {"colour": "red"}


async def test_an_incident_that_is_not_there_is_a_usage_error(shop: Shop) -> None:
    status, _, said = await shop.aegis("show", "inc-nope")
    assert status == 2
    assert len(said.strip().splitlines()) == 1

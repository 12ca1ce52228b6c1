"""`aegis alerts`: of files, stdin, the store and services, in this process and as a program."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_api_server import answer, make_authority, serving
from falco_logs import alert_line, stamp
from log_services import LogServices, log_services

from aegis.interfaces.cli.main import run

PROGRAM = [sys.executable, "-m", "aegis.interfaces.cli.main"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def log(home: Path) -> Path:
    """Four alerts of two namespaces among chatter, the last an hour ago."""
    now = datetime.now(UTC)
    made = [
        alert_line(rule="a", ns="shop", priority="Notice", time=stamp(now - timedelta(days=3))),
        alert_line(rule="b", ns="shop-prod", priority="Critical", time=stamp(now - timedelta(hours=5))),
        alert_line(rule="c", ns="shop", priority="Critical", time=stamp(now - timedelta(hours=2))),
        alert_line(rule="d", ns="shop", priority="Warning", time=stamp(now - timedelta(hours=1))),
    ]
    path = home / "falco.log"
    path.write_text("\n".join(["Falco version: 0.44.1", *made, ""]))
    return path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert run(["alerts", *words, "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def rules(document: Any) -> list[str]:
    assert (document["apiVersion"], document["kind"]) == ("aegis.io/v1", "AlertList")
    return [item["rule"] for item in document["items"]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["a", "b", "c", "d"]),
        (["-n", "shop"], ["a", "c", "d"]),
        (["-n", "shop", "-A"], ["a", "b", "c", "d"]),
        (["--priority", "critical"], ["b", "c"]),
        (["--priority", "WARNING"], ["b", "c", "d"]),
        (["--priority", "info"], ["a", "b", "c", "d"]),
        (["--since", "24h"], ["b", "c", "d"]),
        (["--since", "7d"], ["a", "b", "c", "d"]),
        (["--since", "2d", "--until", "90m"], ["b", "c"]),
        (["--since", "2020-01-01T00:00:00Z"], ["a", "b", "c", "d"]),
        (["--rule", "b"], ["b"]),
        (["--limit", "2"], ["c", "d"]),
    ],
)
def test_what_is_asked_for(
    capsys: pytest.CaptureFixture[str], log: Path, words: list[str], expected: list[str]
) -> None:
    assert rules(told(capsys, "list", str(log), *words)) == expected
    assert rules(told(capsys, "list", "--source", str(log), *words)) == expected


def test_what_is_imported_is_kept_once_and_listed(capsys: pytest.CaptureFixture[str], log: Path) -> None:
    assert rules(told(capsys, "list")) == []
    result = told(capsys, "import", str(log))
    assert (result["kind"], result["accepted"], result["duplicates"]) == ("AlertImport", 4, 0)
    assert told(capsys, "import", str(log))["duplicates"] == 4
    listed = told(capsys, "list")
    assert rules(listed) == ["a", "b", "c", "d"]
    assert len({item["id"] for item in listed["items"]}) == 4
    assert rules(told(capsys, "list", "-n", "shop-prod", "--priority", "error")) == ["b"]


def test_what_is_printed_can_be_read_again(capsys: pytest.CaptureFixture[str], log: Path, home: Path) -> None:
    text = "12:00:01.5: Warning A shell | process=sh k8s_ns_name=shop\n"
    with log.open("a", encoding="utf-8") as file:
        file.write(text)
    assert run(["alerts", "list", str(log), "-o", "jsonl"]) == 0
    again = home / "again.jsonl"
    again.write_text(capsys.readouterr().out)
    first, second = (told(capsys, "list", str(path)) for path in (log, again))
    assert [{**item} for item in second["items"]] == first["items"]
    assert first["items"][4]["from_text"] is True


def test_people_read_a_table(capsys: pytest.CaptureFixture[str], log: Path) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(alert_line(rule="\x1b[31mred", ns="shop", process="sh\nsh") + "\n")
    assert run(["alerts", "list", str(log), "--limit", "1"]) == 0
    said = capsys.readouterr()
    head, line = said.out.splitlines()
    assert head.split() == ["TIME", "PRIORITY", "NAMESPACE", "POD", "RULE", "PROCESS"]
    assert "\x1b" not in line
    assert "note: only the newest 1 of 5 are shown" in said.err
    assert run(["alerts", "list"]) == 0
    assert capsys.readouterr().out == "No alerts.\n"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["list", "nowhere.log"], 2, "no such file, and no source of alerts"),
        (["list", "x", "--source", "loki"], 2, "two sources"),
        (["list", "--priority", "grave"], 2, "is no priority"),
        (["list", "--since", "soon"], 2, "is no time"),
        (["list", "--since", "2024-01-01T00:00:00"], 2, "is no time"),
        (["list", "--since", "-1d"], 2, "is no time"),
        (["list", "--source", "victorialogs"], 2, "AEGIS_VICTORIALOGS__URL"),
        (["list", "--source", "loki"], 2, "AEGIS_LOKI__URL"),
        (["list", "--limit", "0"], 2, "--limit"),
        (["import", "nowhere.log"], 2, "No such file"),
        (["import", "/dev/null"], 2, "no alert in /dev/null"),
    ],
)
def test_what_makes_no_sense(capsys: pytest.CaptureFixture[str], words: list[str], status: int, said: str) -> None:
    assert run(["alerts", *words]) == status
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


@asynccontextmanager
async def started(*words: str, **environ: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "alerts", *words, stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, **environ}
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_of(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout
    async with asyncio.timeout(30):
        return json.loads(await process.stdout.readline())


async def test_stdin_is_watched_line_by_line() -> None:
    async with started("watch", "-", "--priority", "warning", "-o", "jsonl") as process:
        assert process.stdin
        for rule in ("a", "b"):
            process.stdin.write(
                f"chatter\n{alert_line(rule='x', priority='Debug')}\n{alert_line(rule=rule)}\n".encode()
            )
            assert (await line_of(process))["rule"] == rule
        process.stdin.close()
        assert await process.wait() == 0


async def test_a_stream_that_says_nothing_ends_with_the_time(home: Path) -> None:
    async with started("watch", "-", "--timeout", "200ms") as process:
        async with asyncio.timeout(30):
            assert await process.wait() == 0


async def test_the_store_is_watched(log: Path) -> None:
    async with started("list", "-w", "-o", "jsonl", "-n", "shop-prod") as process, started("import", str(log)) as other:
        assert await other.wait() == 0
        assert (await line_of(process))["rule"] == "b"


LABELS = {"rule": "R", "priority": "critical", "source": "syscall", "k8s_ns_name": "shop"}


@pytest.fixture
async def services() -> AsyncIterator[LogServices]:
    """A VictoriaLogs and a Loki with one alert of now."""
    async with log_services() as made:
        now = datetime.now(UTC)
        made.rows.append({**LABELS, "_time": now.isoformat(), "_msg": "A shell"})
        made.entries.append((int(now.timestamp()) * 10**9, LABELS, "A shell"))
        yield made


async def test_loki_is_asked(services: LogServices) -> None:
    words = ("--source", "loki", "--priority", "critical", "--since", "24h", "-n", "shop", "-o", "json")
    async with started("list", *words, AEGIS_LOKI__URL=services.url, AEGIS_LOKI__TENANT="team") as process:
        assert process.stdout
        assert rules(json.loads(await process.stdout.read())) == ["R"]
    assert services.headers[-1]["X-Scope-OrgID"] == "team"


async def test_victorialogs_is_watched(services: LogServices) -> None:
    words = ("--source", "victorialogs", "--since", "24h", "-o", "jsonl")
    async with started("watch", *words, AEGIS_VICTORIALOGS__URL=services.url) as process:
        assert (await line_of(process))["rule"] == "R"
        services.rows.append({**LABELS, "rule": "S", "_time": datetime.now(UTC).isoformat(), "_msg": "new"})
        assert (await line_of(process))["rule"] == "S"


async def test_a_service_that_is_not_there_is_unavailable() -> None:
    async with started("list", "--source", "loki", AEGIS_LOKI__URL="http://127.0.0.1:9") as process:
        assert process.stderr
        assert b"loki: " in await process.stderr.read()
        assert await process.wait() == 69


async def test_a_cluster_without_falco_is_unavailable(home: Path) -> None:
    async with serving(make_authority(), home) as server:
        server.then(answer({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []}))
        async with started("list", "--source", "falco", KUBECONFIG=str(server.kubeconfig())) as process:
            assert process.stderr
            assert b"no Falco was found in the cluster" in await process.stderr.read()
            assert await process.wait() == 69

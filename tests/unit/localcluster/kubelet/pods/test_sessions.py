"""Sessions end to end: programs started in real pods, and holds on a container's own program."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aegis.localcluster.api import Session
from aegis.localcluster.status import ApiError

pytestmark = pytest.mark.namespaces

ASLEEP = "7531.5"


def shell(script: str, **more: Any) -> dict[str, Any]:
    return {"name": "app", "image": "busybox:1.36", "command": ["sh", "-c", script], **more}


async def started(bench: Any, *argv: str, stdin: bool = False, tty: bool = False) -> Session:
    session: Session = await bench.kubelet.execute(bench.pod("box"), "app", argv, stdin=stdin, tty=tty)
    return session


async def all_of(session: Session, stream: Any = "stdout") -> str:
    async with asyncio.timeout(20):
        return b"".join([piece async for piece in session.outputs[stream]]).decode()


@pytest.fixture
async def box(bench: Any) -> Any:
    bench.create("box", containers=[shell("sleep 600")])
    await bench.ready("box")
    return bench


async def test_outputs_are_kept_apart_and_the_exit_code_is_told(box: Any) -> None:
    session = await started(box, "sh", "-c", "echo in $HOSTNAME; echo oh >&2; exit 5")
    assert (await all_of(session), await all_of(session, "stderr")) == ("in box\n", "oh\n")
    assert await session.ended() == 5
    await session.close()


async def test_input_reaches_the_program_until_it_is_closed(box: Any) -> None:
    session = await started(box, "sh", "-c", "wc -c", stdin=True)
    await session.write(b"x" * 300_000)
    session.close_input()
    assert (await all_of(session)).strip() == "300000"
    await session.write(b"to nobody")
    await session.close()


async def test_a_terminal_has_a_size_and_an_interrupt_key(box: Any) -> None:
    session = await started(
        box, "sh", "-c", "trap 'stty size; exit 3' INT; echo up; while :; do sleep 0.05; done", tty=True
    )
    output = session.outputs["stdout"]
    seen = b""
    async with asyncio.timeout(20):
        while b"up" not in seen:
            seen += await anext(output)
        session.resize(100, 40)
        await session.write(b"\x03")
        async for piece in output:
            seen += piece
    assert b"40 100" in seen
    assert await session.ended() == 3
    await session.close()


async def test_what_was_started_ends_with_its_session(box: Any, processes: Any) -> None:
    session = await started(box, "sleep", ASLEEP)
    assert processes(ASLEEP)
    await session.close()
    async with asyncio.timeout(20):
        assert await session.ended() == 137
    assert not processes(ASLEEP)


async def test_a_program_that_is_not_there(box: Any) -> None:
    with pytest.raises(ApiError, match=r'exec: "nosuch": executable file not found in \$PATH'):
        await started(box, "nosuch")


async def test_attached_to_a_program_one_reads_and_writes_and_lets_it_live(bench: Any) -> None:
    bench.create("box", containers=[shell("while read -r x; do echo got $x; done", stdin=True)])
    await bench.ready("box")
    session: Session = await bench.kubelet.attach(bench.pod("box"), "app", stdin=True)
    await session.write(b"one\n")
    async with asyncio.timeout(20):
        assert await anext(aiter(session.outputs["stdout"])) == b"got one\n"
    await session.close()
    again: Session = await bench.kubelet.attach(bench.pod("box"), "app", stdin=True)
    await again.write(b"two\n")
    async with asyncio.timeout(20):
        assert await anext(aiter(again.outputs["stdout"])) == b"got two\n"
    await again.close()
    assert await bench.said("box", "got one\ngot two\n")


async def test_a_container_with_a_terminal(bench: Any) -> None:
    bench.create(
        "box", containers=[shell("read -r x; echo $x; test -t 1", stdin=True, tty=True)], restartPolicy="Never"
    )
    await bench.ready("box")
    session: Session = await bench.kubelet.attach(bench.pod("box"), "app", stdin=True)
    await session.write(b"typed\n")
    assert (await all_of(session)).endswith("typed\r\n")
    await session.close()
    await bench.phase("box", "Succeeded")


async def test_nothing_runs_in_a_container_that_is_not_there(box: Any) -> None:
    with pytest.raises(ApiError, match='container not found \\("other"\\)'):
        await box.kubelet.attach(box.pod("box"), "other", stdin=False)

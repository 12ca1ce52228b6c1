"""Real sandboxes, without a kubelet."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from aegis.localcluster.kubelet.images.registry import Registry, interpreter_prefix
from aegis.localcluster.kubelet.sandbox.channel import SandboxError
from aegis.localcluster.kubelet.sandbox.client import Sandbox, Zygote
from aegis.localcluster.kubelet.sandbox.launch import Identity, Launch, Root, VolumeMount

pytestmark = pytest.mark.namespaces
PATH = "/usr/local/bin:/usr/bin:/bin"


@pytest.fixture
async def zygote(tmp_path: Path) -> AsyncIterator[Zygote]:
    made = Zygote(tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def sandbox(zygote: Zygote) -> AsyncIterator[Sandbox]:
    made = await zygote.sandbox("box", ["10.244.1.2"])
    yield made
    made.close()


def root(**more: Any) -> Root:
    image = Registry.standard().find("busybox:1.36")
    assert image is not None
    return Root(prefix=interpreter_prefix(), files=image.files, **more)


async def sh(
    sandbox: Sandbox, script: str, *, key: str = "a", root_: Root | None = None, **more: Any
) -> tuple[int, str]:
    read_end, write_end = os.pipe()
    nothing = os.open(os.devnull, os.O_RDONLY)
    asked = Launch(key=key, argv=("sh", "-c", script), env={"PATH": PATH}, root=root_ or root(), **more)
    try:
        end = await sandbox.start(asked, [nothing, write_end, write_end])
    finally:
        os.close(nothing)
        os.close(write_end)
    code = (await asyncio.wait_for(end, 20)).code
    with os.fdopen(read_end, encoding="utf-8") as out:
        return code, out.read()


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not within 10 s")


async def test_the_container_is_its_own_machine(sandbox: Sandbox) -> None:
    code, out = await sh(sandbox, "hostname; echo $$; ls /sys /mnt /srv; cat /proc/net/dev | grep -c eth0; exit 5")
    assert (code, out.splitlines()[:2]) == (5, ["box", "1"])
    assert out.splitlines()[-1] == "1"


async def test_devices_and_kernel_settings_cannot_be_changed(sandbox: Sandbox) -> None:
    before = Path("/dev/null").stat().st_mode
    _, out = await sh(
        sandbox, "chmod 000 /dev/null; echo x > /dev/null && echo written; echo x > /proc/sys/kernel/core_pattern"
    )
    assert "written" in out
    assert out.count("Read-only file system") == 2
    assert Path("/dev/null").stat().st_mode == before


async def test_signals_count_as_exit_codes(sandbox: Sandbox) -> None:
    assert (await sh(sandbox, "sh -c 'kill -9 $$'; exit $?"))[0] == 137


async def test_a_sub_path_cannot_lead_out_of_its_volume(sandbox: Sandbox) -> None:
    await sandbox.make_volume("v")
    whole = root(mounts=(VolumeMount(volume="v", path="/v"),))
    await sh(sandbox, "ln -s ../../../../../../.. /v/out; ln -s / /v/top; mkdir /v/fine", root_=whole)
    for part in ("out", "top", "out/etc"):
        with pytest.raises(SandboxError, match="leads out of the volume"):
            await sh(sandbox, "ls /m", root_=root(mounts=(VolumeMount(volume="v", path="/m", sub_path=part),)))
    fine = root(mounts=(VolumeMount(volume="v", path="/m", sub_path="fine"),))
    assert await sh(sandbox, "touch /m/x; ls /m", root_=fine) == (0, "x\n")


async def test_a_volume_is_as_large_as_it_was_made(sandbox: Sandbox) -> None:
    await sandbox.make_volume("small", size=1 << 20)
    mounted = root(mounts=(VolumeMount(volume="small", path="/v"),))
    code, out = await sh(sandbox, "head -c 2000000 /dev/zero > /v/x", root_=mounted)
    assert code != 0
    assert "No space left on device" in out


async def test_users_without_privileges(sandbox: Sandbox, zygote: Zygote) -> None:
    who = Identity(uid=1234, gid=99, no_new_privileges=True)
    code, out = await sh(
        sandbox, "id -u; id -g; grep -E 'CapEff|NoNewPrivs' /proc/self/status; cat /etc/shadow", identity=who
    )
    assert out.splitlines()[:4] == ["1234", "99", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"]
    assert code == (1 if zygote.map_users else 0)  # else all files are the one user's that there is


async def test_low_ports_are_free_to_everyone(sandbox: Sandbox) -> None:
    script = "python3 -c 'import socket; socket.create_server((\"\", 80)); print(1)'"
    assert await sh(sandbox, script, identity=Identity(uid=1234, gid=99)) == (0, "1\n")


async def test_closing_ends_everything_inside(sandbox: Sandbox, processes: Any) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    asked = Launch(key="a", argv=("sh", "-c", "setsid sleep 4321.5 & sleep 4321.5"), env={"PATH": PATH}, root=root())
    end = await sandbox.start(asked, [nothing] * 3)
    os.close(nothing)
    await until(lambda: len(processes("sleep\0004321.5")) == 2)
    sandbox.close()
    assert (await end).code == 137
    await until(lambda: not processes("4321.5"))
    with pytest.raises(SandboxError, match="gone"):
        await sandbox.usage()


async def test_a_refused_request_is_told_and_the_sandbox_lives(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="invalid path"):
        await sandbox.write_volume("v", {"../x": {"data": "", "mode": 0o644}})
    assert await sh(sandbox, "echo alive") == (0, "alive\n")


async def test_the_loss_of_the_zygote_is_noticed(zygote: Zygote) -> None:
    assert zygote._process is not None
    zygote._process.kill()
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(zygote.lost(), 5)
    assert caught.group_contains(SandboxError, match="has ended")

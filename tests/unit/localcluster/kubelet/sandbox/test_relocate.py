"""Files of a container where nothing can be mounted."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.localcluster.kubelet.sandbox.launch import Launch, Root, RootFile, VolumeMount
from aegis.localcluster.kubelet.sandbox.relocate import Relocation, lay_out, search_path

PLACES = Relocation({"/app": "/real/app", "/app/data": "/real/data", "/etc/nginx": "/top/etc/nginx"})


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("/app/app.py", "/real/app/app.py"),
        ("/app/data/x", "/real/data/x"),
        ("/application", "/application"),
        ("/srv/app", "/srv/app"),
        ("cat /app/a > /app/b; ls '/app'", "cat /real/app/a > /real/app/b; ls '/real/app'"),
        ("--config=/etc/nginx/nginx.conf", "--config=/top/etc/nginx/nginx.conf"),
        ("/app.bak", "/app.bak"),
    ],
)
def test_paths_in_texts(text: str, moved: str) -> None:
    assert PLACES.text(text) == moved


def test_nothing_to_move() -> None:
    assert Relocation({}).text("/app") == "/app"


def test_an_image_is_laid_out(tmp_path: Path) -> None:
    files = {
        "/no-such-folder/conf/a.conf": RootFile(text="include /no-such-folder/conf/b; log /dev/termination-log"),
        "/usr/local/bin/tool": RootFile(text="#!/bin/sh\n", mode=0o755),
        "/usr/local/bin/python3": RootFile(link="/usr/local/bin/python3.99"),
    }
    root = Root(prefix="/opt/python", files=files, mounts=(VolumeMount(volume="v", path="/data/", sub_path="x"),))
    asked = Launch(key="c", argv=("tool",), env={}, cwd="/work", root=root)
    top, volumes, termination = tmp_path / "top", tmp_path / "volumes", tmp_path / "termination"
    relocation = lay_out(asked, top, volumes=volumes, termination=termination)
    written = (top / "no-such-folder/conf/a.conf").read_text(encoding="utf-8")
    assert written == f"include {top}/no-such-folder/conf/b; log {termination}"
    assert (top / "usr/local/bin/python3").readlink() == Path("/opt/python/bin/python3.99")
    assert (top / "work").is_dir()
    assert relocation.text("/data/f") == f"{volumes}/v/x/f"
    assert search_path("/usr/local/bin:/bin", top) == f"{top}/usr/local/bin:/usr/local/bin:/bin"

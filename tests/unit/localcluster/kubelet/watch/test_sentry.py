"""The sentry over real programs: what they do is told, and they do not feel it."""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

SHELL, READ = "Run shell untrusted", "Read sensitive file untrusted"


class Watching(Protocol):
    def run(self, *argv: str, code: int = 0, **more: Any) -> list[dict[str, Any]]: ...

    def around(self, *servers: tuple[str, int]) -> None: ...


def python(watching: Watching, code: str, *words: str, **more: Any) -> list[dict[str, Any]]:
    return watching.run(sys.executable, "-c", code, *words, **more)


def rules(alerts: list[dict[str, Any]]) -> list[str]:
    return [alert["rule"] for alert in alerts]


@pytest.fixture
def own_program(tmp_path: Path) -> Path:
    """A program of this machine, under a name of its own."""
    program = tmp_path / "freshly-made"
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o755)
    return program


def test_a_shell_and_what_it_reads(watching: Watching) -> None:
    alerts = python(watching, "import subprocess; subprocess.run(['sh', '-c', 'cat /etc/shadow; :'])")
    shell, *reads = alerts
    assert shell["rule"] == SHELL
    fields = shell["output_fields"]
    assert fields["proc.cmdline"] == "sh -c cat /etc/shadow; :"
    assert fields["proc.pname"] == Path(sys.executable).name[:15]
    assert (fields["k8s.ns.name"], fields["k8s.pod.name"]) == ("shop", "checkout-0")
    try:
        Path("/etc/shadow").read_bytes()
    except PermissionError:
        assert not reads  # who may not read it has not read it
    else:
        (read,) = reads
        assert read["rule"] == READ
        assert read["output_fields"]["proc.pname"] == "sh"
        assert read["output_fields"]["evt.time"] > fields["evt.time"]


def test_what_the_runtime_starts_itself_is_no_alert(watching: Watching) -> None:
    assert watching.run("sh", "-c", "sh -c :; exit 3", code=3) == []


def test_a_program_that_does_nothing_remarkable(watching: Watching) -> None:
    assert python(watching, "import json, socket, http.client; open('/etc/passwd').read()") == []


def test_a_program_that_is_not_there_and_one_that_is_none(watching: Watching, tmp_path: Path) -> None:
    (tmp_path / "bash").write_text("no program", encoding="utf-8")
    (tmp_path / "bash").chmod(0o755)
    code = (
        "import os, sys\n"
        "for path in ('/nonexistent/sh', sys.argv[1]):\n"
        "    try: os.execv(path, ['sh'])\n"
        "    except OSError as error: print(error)\n"
        "open('/etc/passwd').read()\n"
    )
    assert python(watching, code, str(tmp_path / "bash")) == []


def test_a_program_that_came_after_the_start(watching: Watching, own_program: Path) -> None:
    copied = own_program.with_name("copied")
    code = "import shutil, subprocess, sys; shutil.copy(*sys.argv[1:]); subprocess.run([sys.argv[2]])"
    (alert,) = python(watching, code, str(own_program), str(copied))
    assert alert["rule"] == "Drop and execute new binary in container"
    fields = alert["output_fields"]
    assert fields["proc.exepath"] == str(copied)
    assert fields["proc.exe_ino.ctime"] > fields["container.start_ts"]


def test_a_program_that_was_there_or_that_a_volume_shows(watching: Watching, own_program: Path, subject: Any) -> None:
    assert watching.run(str(own_program)) == []
    shown = replace(subject, shown=(str(own_program.parent),))
    code = "import os, subprocess, sys; os.utime(sys.argv[1]); subprocess.run([sys.argv[1]])"
    assert python(watching, code, str(own_program), subject=shown) == []
    assert rules(python(watching, code, str(own_program))) == ["Drop and execute new binary in container"]


def test_a_program_in_memory(watching: Watching) -> None:
    code = (
        "import os\nfd = os.memfd_create('x')\nos.write(fd, open('/bin/true', 'rb').read())\nos.execve(fd, ['x'], {})\n"
    )
    (alert,) = python(watching, code)
    assert alert["rule"] == "Fileless execution via memfd_create"
    assert alert["output_fields"]["proc.exepath"] == "memfd:x"


@pytest.mark.parametrize(
    "reads",
    ["open('FOLDER/../shadow')", "open('../shadow')", "os.open('shadow', 0, dir_fd=os.open('..', os.O_PATH))",
     "threading.Thread(target=lambda: open('//etc/./shadow')).start()"],
)  # fmt: skip
def test_a_path_by_other_names(watching: Watching, reads: str) -> None:
    if not _may_read_shadow():
        pytest.skip("needs to be able to read /etc/shadow")
    folder = next(path for path in Path("/etc").iterdir() if path.is_dir() and not path.is_symlink())
    code = f"import os, threading; os.chdir('{folder}'); {reads}".replace("FOLDER", str(folder))
    (alert,) = python(watching, code)
    assert alert["rule"] == READ
    assert alert["output_fields"]["fd.name"] == "/etc/shadow"


def test_opening_by_the_newest_call(watching: Watching) -> None:
    if not _may_read_shadow():
        pytest.skip("needs to be able to read /etc/shadow")
    code = (
        "import ctypes, os, struct\n"
        "for flags in (os.O_PATH, os.O_WRONLY, os.O_RDONLY):\n"
        "    how = struct.pack('=QQQ', flags, 0, 0)\n"
        "    assert ctypes.CDLL(None).syscall(437, -100, b'/etc/shadow', how, len(how)) >= 0 or os.getuid()\n"
    )
    (alert,) = python(watching, code)
    assert alert["output_fields"]["evt.type"] == "openat2"


def test_a_connection_to_the_api_server(watching: Watching) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as other:
        watching.around(server.getsockname())
        code = (
            "import socket, sys\nfor port in sys.argv[1:]: socket.create_connection(('127.0.0.1', int(port))).close()"
        )
        (alert,) = python(watching, code, str(other.getsockname()[1]), str(server.getsockname()[1]))
        assert alert["rule"] == "Contact K8S API Server From Container"
        fields = alert["output_fields"]
        peer, (_, port) = server.accept()
        peer.close()
        assert fields["fd.name"] == f"127.0.0.1:{port}->127.0.0.1:{fields['fd.rport']}"


def test_an_address_for_another_kind_of_socket(watching: Watching) -> None:
    watching.around(("127.0.0.1", 9))
    code = (
        "import ctypes, socket, struct\n"
        "address = struct.pack('=H', 2) + struct.pack('>H', 9) + socket.inet_aton('127.0.0.1') + bytes(8)\n"
        "for made in socket.socketpair(): ctypes.CDLL(None).connect(made.fileno(), address, len(address))\n"
        "ctypes.CDLL(None).connect(999, address, len(address))\n"
    )
    assert python(watching, code) == []


def test_addresses_that_hold_nothing(watching: Watching) -> None:
    code = (
        "import ctypes, errno\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "for call in (lambda: libc.open(8, 0), lambda: libc.execve(8, 8, 8), lambda: libc.connect(0, 8, 16)):\n"
        "    assert call() == -1 and ctypes.get_errno() in (errno.EFAULT, errno.ENOTSOCK)\n"
    )
    assert python(watching, code) == []


def test_signals_and_threads_do_not_make_a_call_fail(watching: Watching) -> None:
    code = (
        "import os, signal, threading\n"
        "signal.signal(signal.SIGALRM, lambda *_: None)\n"
        "signal.setitimer(signal.ITIMER_REAL, .001, .001)\n"
        "def work():\n"
        "    for _ in range(200): os.close(os.open('/etc/hosts', 0))\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "for one in threads: one.start()\n"
        "work()\n"
        "for one in threads: one.join()\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
    )
    assert python(watching, code) == []


def test_a_caller_that_is_killed_while_it_waits(watching: Watching) -> None:
    code = (
        "import os, signal\n"
        "for _ in range(20):\n"
        "    pid = os.fork()\n"
        "    if not pid:\n"
        "        while True: os.close(os.open('/etc/hosts', 0))\n"
        "    os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)\n"
    )
    assert python(watching, code) == []


@pytest.mark.namespaces
def test_where_another_one_watches_already(watching: Watching, tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys\n"
        "from aegis.localcluster.kubelet.runtime import start_runtime, start_watch\n"
        "from aegis.localcluster.kubelet.sandbox.channel import SandboxError\n"
        "async def main():\n"
        "    runtime, _ = await start_runtime(pathlib.Path(sys.argv[1]), 'namespaces', ['172.18.0.2'])\n"
        "    try: await start_watch(runtime)\n"
        "    except SandboxError as error: sys.exit(0 if 'busy' in str(error) else str(error))\n"
        "    finally: await runtime.stop()\n"
        "    sys.exit('it is watched')\n"
        "asyncio.run(main())\n"
    )
    python(watching, code, str(tmp_path))


def _may_read_shadow() -> bool:
    try:
        Path("/etc/shadow").read_bytes()
    except OSError:
        return False
    return True

"""A program that acts as any tool, well or badly: one row of the fault table at a time.

```
tool = FakeTool.install(tmp_path, "kubesec", answer=b"[...]", probes={"version": b"version 2.14.2\n"}, fault=Fault.PANIC)
desk = Desk(rules=ScanRules(programs={"kubesec": tool.path}, timeouts={"kubesec": tool.seconds}), path=os.environ["PATH"])
result = await PLUGIN.scan(subject, desk)
assert result.status is EXPECTED[Fault.PANIC]
await tool.assert_nothing_is_left()
```

- `answer` is what it prints (or writes to the file that follows one of `output_options`) when nothing is wrong.
- `probes`: what it prints, status 0, to a call whose arguments hold that word (looked at in this order, before all else):
  no fault touches these, so that a probe succeeds and the scan itself meets the fault. `needs` narrows the fault to calls
  whose arguments hold that word; others are answered well.
- `faults` are the rows; MISSING installs nothing. NO_COVERAGE, OLD_DATABASE and EMPTY_DATABASE are matters of what a tool
  answers: give the bad answer as `answer`, or a probe of it, with `fault=None`; they stand in EXPECTED for the comparison.
- `status` is the exit status of a good answer; `bytes_written` the size of HUGE (the table's is `GIBIBYTE`).
- `tool.calls()` tells argv, environment, working folder and input of each call; `tool.pids()` every process it began.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from aegis.model.scan import ScanStatus

GIBIBYTE = 1 << 30


class Fault(StrEnum):
    """What goes wrong."""

    MISSING = "missing"
    TIMEOUT = "timeout"
    """It does not end, ignores TERM, and has begun a child that does the same."""
    PANIC = "panic"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    HUGE = "huge"
    """It prints without end: `bytes_written` of them, after a good beginning."""
    WRONG_JSON = "wrong-json"
    NOT_JSON = "not-json"
    KILLED_PARENT = "killed-parent"
    """Its main process is killed; a child of it lives on and holds the pipes."""
    DISK_FULL = "disk-full"
    STDERR_ONLY = "stderr-only"
    NO_COVERAGE = "no-coverage"
    OLD_DATABASE = "old-database"
    EMPTY_DATABASE = "empty-database"


ACTED = tuple(fault for fault in Fault if fault not in {Fault.NO_COVERAGE, Fault.OLD_DATABASE, Fault.EMPTY_DATABASE})
"""The rows that this program acts by itself."""

EXPECTED: Mapping[Fault, frozenset[ScanStatus]] = {
    **dict.fromkeys(Fault, frozenset({ScanStatus.ERROR})),
    Fault.MISSING: frozenset({ScanStatus.SKIPPED}),
    Fault.TIMEOUT: frozenset({ScanStatus.TIMEOUT}),
    Fault.NO_COVERAGE: frozenset({ScanStatus.PARTIAL, ScanStatus.ERROR}),
    Fault.OLD_DATABASE: frozenset({ScanStatus.PARTIAL, ScanStatus.ERROR}),
}
"""How a scan must end; PARTIAL counts as an error."""

_PROGRAM = """#!{python} -I
import json, os, signal, subprocess, sys, time
folder, name = os.path.split(os.path.abspath(__file__))
with open(os.path.join(folder, name + ".plan"), "rb") as file:
    plan = json.load(file)

def note(kind, text):
    with open(os.path.join(folder, name + "." + kind), "a") as file:
        file.write(text + "\\n")

def out(data):
    for at, word in enumerate(sys.argv[:-1]):
        if word in plan["output_options"]:
            with open(sys.argv[at + 1], "wb") as file:
                file.write(data)
            return
    sys.stdout.buffer.write(data)
    sys.stdout.flush()

def child():
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
    note("pids", str(subprocess.Popen([sys.executable, "-I", "-c", script]).pid))

note("pids", str(os.getpid()))
read = sys.stdin.buffer.read() if not sys.stdin.isatty() else b""
note("calls", json.dumps(dict(argv=sys.argv[1:], env=dict(os.environ), cwd=os.getcwd(), listing=os.listdir("."),
                              stdin=read.decode("utf-8", "replace"))))
for word, said in plan["probes"]:
    if word in sys.argv[1:]:
        sys.stdout.write(said)
        sys.exit(0)
answer = plan["answer"].encode("utf-8", "surrogateescape")
fault = plan["fault"] if plan["needs"] in ["", *sys.argv[1:]] else ""
if fault == "timeout":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child()
    note("ready", "")
    time.sleep(300)
elif fault == "killed-parent":
    child()
    os.kill(os.getpid(), signal.SIGKILL)
elif fault == "panic":
    sys.stderr.write("\\x1b[31mpanic: runtime error: invalid memory address or nil pointer dereference\\x1b[0m\\n"
                     "goroutine 1 [running]:\\nmain.main()\\n")
    sys.exit(2)
elif fault == "disk-full":
    out(answer[: len(answer) // 2])
    sys.stderr.write("FATAL write /tmp/report: no space left on device\\n")
    sys.exit(1)
elif fault == "stderr-only":
    sys.stderr.write(plan["answer"])
elif fault == "truncated":
    out(answer[: max(1, len(answer) * 2 // 3)])
elif fault == "wrong-json":
    out(json.dumps(["x", dict(unexpected=[1, None], Results=dict(a=1), results=7, errors="none")]).encode())
elif fault == "not-json":
    out(b"<html><body>502 Bad Gateway</body></html>")
elif fault == "huge":
    out(answer[: max(1, len(answer) // 2)])
    block = b"a" * (1 << 20)
    for _ in range(plan["bytes_written"] >> 20):
        os.write(1, block)
elif fault != "empty":
    out(answer)
    sys.stderr.write(plan["stderr"])
    sys.exit(plan["status"])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeTool:
    """One installed.

    Attributes:
        path: the program; not there for MISSING.
        seconds: a deadline that suits the fault.
    """

    path: Path
    seconds: float

    @classmethod
    def install(
        cls,
        folder: Path,
        name: str,
        *,
        answer: bytes | str | Any = b"",
        probes: Mapping[str, str | bytes] | None = None,
        fault: Fault | None = None,
        needs: str = "",
        status: int = 0,
        stderr: str = "",
        output_options: Sequence[str] = ("-o", "--output"),
        bytes_written: int = 96 << 20,
    ) -> FakeTool:
        """Put it into a folder; `answer` may be a JSON value too."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        tool = cls(path=path, seconds=1.5 if fault is Fault.TIMEOUT else 60.0)
        if fault is Fault.MISSING:
            return tool
        plan = {
            "answer": _text(answer if isinstance(answer, bytes | str) else json.dumps(answer)),
            "probes": [[word, _text(said)] for word, said in (probes or {}).items()],
            "fault": fault.value if fault else "",
            "needs": needs,
            "status": status,
            "stderr": stderr,
            "output_options": list(output_options),
            "bytes_written": bytes_written,
        }
        (folder / f"{name}.plan").write_text(json.dumps(plan), encoding="utf-8")
        path.write_text(_PROGRAM.replace("{python}", sys.executable), encoding="utf-8")
        path.chmod(0o755)
        return tool

    def calls(self) -> list[dict[str, Any]]:
        """What it was called with, the first first."""
        return [json.loads(line) for line in self._lines("calls")]

    def pids(self) -> list[int]:
        """Every process that it began, itself included."""
        return [int(line) for line in self._lines("pids")]

    async def assert_nothing_is_left(self) -> None:
        """No orphan and no zombie of it."""
        left: list[int] = []
        for _ in range(250):
            left = [pid for pid in self.pids() if Path(f"/proc/{pid}").exists()]
            if not left:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"left over: {left}")

    def _lines(self, kind: str) -> list[str]:
        file = self.path.with_name(f"{self.path.name}.{kind}")
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _text(data: bytes | str) -> str:
    return data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else data

"""What the local cluster's falco pods run: it writes down the alerts that the node's runtime watch hands over."""

import json
import os
import signal
import socket
import sys
import time

MESSAGE_MAX = 1 << 20
PRIORITY = "Debug"
DROP = "Falco internal: syscall event drop"


def main() -> int:
    env = os.environ  # noqa: TID251 - a program of a pod, which has no settings but these
    as_json = env.get("FALCO_JSON_OUTPUT", "true").lower() in {"true", "1", "yes"}
    hostname = env.get("FALCO_HOSTNAME") or socket.gethostname()
    for line in (
        "Falco of the local cluster: rules and formats of Falco 0.44.1 over the kubelet's runtime watch",
        f"System info: Linux {os.uname().release} ({os.uname().machine}), node {hostname}",
        "Loaded event sources: syscall",
        "Enabled event sources: syscall",
        "Opening 'syscall' source with seccomp user notification.",
    ):
        note(line)
    signal.signal(signal.SIGTERM, end)
    with socket.socket(fileno=os.dup(0)) as watch:
        while message := watch.recv(MESSAGE_MAX):
            told = json.loads(message)
            alert = drop(told["dropped"]) if "dropped" in told else told
            show({"hostname": hostname, **alert}, as_json=as_json)
    note("Syscall event source closed")
    return 0


def end(_number: int, _frame: object) -> None:
    note("SIGTERM received, exiting...")
    sys.exit(0)


def note(text: str) -> None:
    print(f"{time.strftime('%a %b %e %H:%M:%S %Y', time.gmtime())}: {text}", flush=True)


def show(alert: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(alert, separators=(",", ":"), ensure_ascii=False), flush=True)
    else:
        # A line break in a command line would begin a line that nobody wrote.
        print(
            "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(alert["output"])),
            flush=True,
        )


def drop(count: int) -> dict[str, object]:
    now = time.time_ns()
    moment, rest = time.gmtime(now // 10**9), f"{now % 10**9:09d}"
    words = f"{DROP}. {count} system calls dropped in last second."
    return {
        "output": f"{time.strftime('%H:%M:%S', moment)}.{rest}: {PRIORITY} {words}",
        "output_fields": {"n_drops": str(count)},
        "priority": PRIORITY,
        "rule": DROP,
        "source": "internal",
        "tags": [],
        "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', moment)}.{rest}Z",
    }


if __name__ == "__main__":
    sys.exit(main())

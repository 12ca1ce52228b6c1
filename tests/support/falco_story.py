"""A small history of Falco's alerts: a CI runner that installs packages, and an attack in one of its pods.

The rules, priorities, programs and command lines are those of alerts that Falco 0.44.1 wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from aegis.falco.alert import Alert, parse_alert
from aegis.falco.document import moment_text

BEGIN = 1_795_000_000 * 1_000_000_000
SECOND = 1_000_000_000

CHAIN = (
    ("Read sensitive file untrusted", "Warning", "cat", "/usr/bin/cat", "cat /etc/shadow"),
    ("Search Private Keys or Passwords", "Warning", "find", "/usr/bin/find", "find / -name id_rsa"),
    ("Known Cryptominer Process Executed", "Critical", "xmrig", "/tmp/tmp.yc/xmrig", "xmrig"),
    ("Execution from /dev/shm", "Warning", ".k", "/dev/shm/.k", ".k"),
    ("Netcat Remote Code Execution in Container", "Warning", "nc", "/usr/bin/nc.openbsd", "nc -lvp 39911 -e /bin/sh"),
    (
        "Contact EC2 Instance Metadata Service From Container",
        "Notice",
        "curl",
        "/usr/bin/curl",
        "curl -s 169.254.169.254",
    ),
)
"""Rule, priority, program, path and command line of each step of the attack."""

PACKAGES = "Launch Package Management Process in Container"
DROPPED = "Drop and execute new binary in container"


def alert(
    rule: str,
    *,
    at: float = 0.0,
    priority: str = "Warning",
    pod: str = "runner-6d4b75cb6d-hwt8p",
    namespace: str | None = "ci",
    image: str | None = "docker.io/library/debian",
    name: str = "cat",
    path: str | None = None,
    line: str = "",
    **fields: Any,
) -> Alert:
    """One alert as Falco writes it in JSON; `at`: seconds after the beginning, `a__b` in a field's name: `a.b`."""
    told = {
        "container.id": pod[-5:] * 2 if pod else "host",
        "container.image.repository": image,
        "container.image.tag": "12" if image else None,
        "container.name": "main",
        "evt.type": "execve",
        "k8s.ns.name": namespace,
        "k8s.pod.name": pod or None,
        "proc.cmdline": line or name,
        "proc.exepath": path if path is not None else f"/usr/bin/{name}",
        "proc.name": name,
        "proc.pname": "bash",
        "proc.tty": 0,
        **{key.replace("__", "."): value for key, value in fields.items()},
    }
    time = moment_text(BEGIN + int(at * SECOND))
    document = {
        "hostname": "node-1",
        "output": f"{time}: {priority} {rule} | command={told['proc.cmdline']}",
        "output_fields": told,
        "priority": priority,
        "rule": rule,
        "source": "syscall",
        "tags": [],
        "time": time,
    }
    found = parse_alert(json.dumps(document))
    assert found is not None
    return found


def noise(pods: Iterable[str], times: int = 8, **more: Any) -> list[Alert]:
    """Packages installed at run time, by two programs of one package manager."""
    found = []
    for round_, pod in ((round_, pod) for round_ in range(times) for pod in pods):
        for name in ("apt-get", "dpkg"):
            how = {"priority": "Error", "line": f"{name} install -y jq curl", "name": name, **more}
            found.append(alert(PACKAGES, at=round_ * 90.0, pod=pod, **how))
    return found


def chain(pod: str = "runner-6d4b75cb6d-xk2wz", at: float = 700.0, **more: Any) -> list[Alert]:
    """Each step of the attack, a second apart."""
    return [
        alert(rule, at=at + number, priority=priority, pod=pod, name=name, path=path, line=line, **more)
        for number, (rule, priority, name, path, line) in enumerate(CHAIN)
    ]


def lines(history: Iterable[Alert]) -> str:
    """The alerts as Falco's log."""
    return "".join(json.dumps(dict(one.document)) + "\n" for one in history)

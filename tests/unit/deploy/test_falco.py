"""The rules that are shipped load, lint clean, and say what they are meant to say; the values hold no secret."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.falco.evaluate import compiled
from aegis.falco.layout import laid_out
from aegis.falco.lint import lint
from aegis.falco.rules import load

ROOT = Path(__file__).parents[3] / "deploy" / "falco"
FILES = [(path.name, path.read_text(encoding="utf-8")) for path in sorted((ROOT / "rules").glob("*.yaml"))]

SHELL = {
    "evt.type": "execve", "container.id": "c1", "proc.name": "bash", "proc.pname": "python3", "proc.cmdline": "bash",
    "proc.vpid": 7, "container.image.repository": "ghcr.io/kosmos/zeus", "k8s.ns.name": "kosmos-agents",
}  # fmt: skip
SOCKET = {
    "evt.type": "connect", "container.id": "c1", "container.image.repository": "ghcr.io/kosmos/zeus", "evt.rawres": 0,
    "fd.typechar": "4", "fd.snet": "10.42.1.1", "fd.sport": 9000,
}  # fmt: skip
FILE = {
    "evt.type": "openat2", "evt.is_open_read": "true", "fd.typechar": "f", "fd.num": 3, "container.id": "c1",
    "container.image.repository": "ghcr.io/kosmos/zeus", "fd.name": "/etc/shadow",
}  # fmt: skip
MCP = SHELL | {"container.image.repository": "ghcr.io/x/mcp-files", "k8s.ns.name": "mcp", "proc.pname": "bash"}
SHADOW = SHELL | {"container.image.repository": "x", "k8s.ns.name": "aegis-shadow-1a-candidate", "proc.pname": "runc"}
SWITCH = {"evt.type": "execve", "container.id": "c1", "k8s.ns.name": "shop", "proc.cmdline": "sh -c kill-switch"}


def first(fields: dict[str, Any]) -> str | None:
    """The rule that Falco tells the event by."""
    for one in load(FILES).rules:
        if compiled(one.condition)(fields):
            return one.rule.name
    return None


def test_they_load_and_lint_clean() -> None:
    ruleset = load(FILES)
    found = lint(ruleset, FILES)
    assert (ruleset.errors, ruleset.warnings, found.warnings, found.notes) == ([], [], [], [])
    assert len(ruleset.rules) == 8


def test_they_are_laid_out() -> None:
    for name, text in FILES:
        found = laid_out(text)
        assert (name, found.text, found.kept) == (name, text, ())


@pytest.mark.skipif("FALCO_RULES" not in os.environ, reason="FALCO_RULES names no folder of Falco's default rules")
def test_they_change_nothing_of_the_default_rules() -> None:
    names = ("falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")
    default = [(name, (Path(os.environ["FALCO_RULES"]) / name).read_text(encoding="utf-8")) for name in names]
    before, after = load(default), load([*default, *FILES])
    assert after.successful
    assert not after.warnings
    assert [one.condition for one in after.rules[: len(before.rules)]] == [one.condition for one in before.rules]


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        (SHELL, "KOSMOS Agent Shell Spawn"),
        (SHELL | {"k8s.ns.name": None, "container.image.repository": None, "container.name": "zeus"}, "KOSMOS Agent Shell Spawn"),
        (SHELL | {"container.id": "host"}, None),
        (SHELL | {"k8s.ns.name": "shop", "container.image.repository": "nginx"}, None),
        (SOCKET, None),
        (SOCKET | {"fd.sport": 8081}, "KOSMOS Agent Network Connection"),
        (SOCKET | {"fd.snet": "8.8.8.8"}, "KOSMOS Agent Network Connection"),
        (SOCKET | {"fd.snet": "8.8.8.8", "fd.sport": 443}, None),
        (SOCKET | {"fd.snet": "127.0.0.1", "fd.sport": 8081}, None),
        (SOCKET | {"fd.sport": 5432}, "MCP Database Direct Access"),
        (SOCKET | {"fd.sport": 5432, "container.image.repository": "x/mcp-database"}, None),
        (SOCKET | {"fd.sport": 5432, "container.image.repository": "nginx"}, None),
        (FILE, "KOSMOS Sensitive File Access"),
        (FILE | {"fd.name": "/etc/passwd"}, None),
        (FILE | {"fd.name": "/var/run/secrets/kubernetes.io/serviceaccount/token"}, None),
        (FILE | {"fd.name": "/app/SECRETS.env"}, "KOSMOS Sensitive File Access"),
        (FILE | {"fd.name": "/root/.aws/credentials"}, "KOSMOS Sensitive File Access"),
        (MCP, "MCP Server Unauthorized Tool Call"),
        (MCP | {"proc.pname": "node"}, None),
        (MCP | {"proc.vpid": 1, "proc.pname": "containerd-shim"}, None),
        (SWITCH, "Unauthorized Kill Switch Attempt"),
        (SWITCH | {"user.loginname": "root"}, "Unauthorized Kill Switch Attempt"),
        (SWITCH | {"k8s.ns.name": "aegis-system"}, "KOSMOS Kill Switch Triggered"),
        (SWITCH | {"container.id": "host", "user.loginname": "admin"}, "KOSMOS Kill Switch Triggered"),
        (SWITCH | {"evt.type": "open", "proc.cmdline": "emergency-halt"}, None),
        (SHADOW, "AEGIS Shadow Environment Access"),
        (SHADOW | {"proc.vpid": 1}, None),
        (SHADOW | {"proc.pname": "python3"}, None),
        (SHADOW | {"proc.is_container_liveness_probe": "true"}, None),
        (SHADOW | {"evt.type": "openat"}, None),
    ],
)  # fmt: skip
def test_what_they_tell(fields: dict[str, Any], rule: str | None) -> None:
    assert first(fields) == rule


def test_the_values() -> None:
    text = (ROOT / "values.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    sidekick = values["falcosidekick"]["config"]
    assert values["driver"]["kind"] == "modern_ebpf"
    assert values["falco"]["json_output"] is True
    assert sidekick["webhook"]["address"].endswith("/falco")
    assert sidekick["telegram"]["minimumpriority"] == "critical"
    env = {one["name"]: one for one in sidekick["extraEnv"]}
    assert env["LOKI_FORMAT"]["value"] == "json"
    secrets = {name: one for name, one in env.items() if name != "LOKI_FORMAT"}
    assert all("secretKeyRef" in one["valueFrom"] for one in secrets.values())
    assert not {"existingSecret", "token", "chatid", "webhookurl"} & {
        *sidekick,
        *sidekick["telegram"],
        *sidekick["slack"],
    }
    assert not re.search(r"hooks\.slack\.com|bot\d+:", text)


def test_the_readme_names_what_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for key in ("aegis-header", "slack-webhook", "telegram-token", "telegram-chat"):
        assert key in text
        assert key in (ROOT / "values.yaml").read_text(encoding="utf-8")

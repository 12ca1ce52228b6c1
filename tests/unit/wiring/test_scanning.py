"""Settings become what scanners work with."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.errors import UsageError
from aegis.falco.priority import Priority
from aegis.model.security import Severity
from aegis.security.desk import ScanRules
from aegis.security.policy import SecurityPolicy
from aegis.settings import LoadedSettings, load
from aegis.settings.schema import SCANNERS
from aegis.wiring.places import Places
from aegis.wiring.policies import delivery_policy
from aegis.wiring.scanning import scan_desk, scan_rules, security_rules


def loaded(tmp_path: Path, **variables: str) -> LoadedSettings:
    return load(environ={"HOME": str(tmp_path), **variables})


def test_without_settings_the_tools_look_as_they_do_by_themselves(tmp_path: Path) -> None:
    made, usual = scan_rules(loaded(tmp_path).settings), ScanRules()
    different = {name for name in ScanRules.__dataclass_fields__ if getattr(made, name) != getattr(usual, name)}
    assert different == {"timeouts"}
    assert set(made.timeouts) <= set(SCANNERS)


def test_the_seeds_names_reach_the_tools(tmp_path: Path) -> None:
    env = {
        "SECURITY_KUBESEC_MIN_SCORE": "3",
        "SECURITY_ZAP_API_URL": "http://127.0.0.1:9",
        "SECURITY_FALCO_SEVERITY": "critical",
        "AEGIS_SECURITY__TRIVY_TOKEN": "t",
        "AEGIS_SECURITY__ZAP_API_KEY": "k",
        "AEGIS_SECURITY__TRIVY_PATH": "/opt/trivy",
        "AEGIS_SECURITY__SEMGREP_TIMEOUT_SECONDS": "7",
        "AEGIS_SECURITY__TRIVY_SCRATCH": "a:1,b:2",
    }
    rules = scan_rules(loaded(tmp_path, **env).settings)
    assert (rules.kubesec_min_score, rules.zap_api_url, rules.zap_api_key) == (3, "http://127.0.0.1:9", "k")
    assert (rules.falco_threshold, rules.trivy_token, rules.trivy_scratch) == (Priority.CRITICAL, "t", ("a:1", "b:2"))
    assert (dict(rules.programs), rules.seconds("semgrep")) == ({"trivy": Path("/opt/trivy")}, 7.0)
    assert "'t'" not in repr(rules), "secrets are not shown"


def test_programs_are_looked_for_on_the_path_of_whoever_calls(tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "trivy"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    desk = scan_desk(loaded(tmp_path, PATH=str(tool.parent)), Places(folder=tmp_path / "state"))
    assert (desk.program("trivy"), desk.cache) == (tool, tmp_path / "state" / "scans")
    assert scan_desk(loaded(tmp_path, PATH=str(tmp_path))).program("trivy") is None


def test_docker_is_where_docker_s_own_variable_says(tmp_path: Path) -> None:
    assert scan_desk(loaded(tmp_path, DOCKER_HOST="unix:///run/a")).rules.docker_host == "unix:///run/a"
    set_here = {"DOCKER_HOST": "unix:///run/a", "AEGIS_SECURITY__DOCKER_HOST": "unix:///run/b"}
    assert scan_desk(loaded(tmp_path, **set_here)).rules.docker_host == "unix:///run/b"


def test_what_is_required_and_what_is_let_off_reach_the_trial(tmp_path: Path) -> None:
    waivers = tmp_path / "waivers.yaml"
    waivers.write_text("- {id: CVE-1, owner: ana, reason: not built in, expires: 2099-01-01}\n")
    env = {
        "AEGIS_SECURITY__REQUIRED": "semgrep",
        "AEGIS_SECURITY__FAIL_OPEN": "trivy,zap",
        "AEGIS_SECURITY__CEILING": "critical",
        "AEGIS_SECURITY__FAIL_ON": "medium",
        "AEGIS_SECURITY__PODSECURITY_LEVEL": "baseline",
        "AEGIS_SECURITY__WAIVERS": str(waivers),
        "SECURITY_TRIVY_SEVERITY": "LOW",
        "SECURITY_ZAP_ENABLED": "false",
        "SECURITY_KUBESEC_ENABLED": "false",
    }
    given = loaded(tmp_path, **env)
    rules = security_rules(given.settings, scan_desk(given))
    assert rules.policy == SecurityPolicy(
        ceiling=Severity.CRITICAL,
        fail_on=Severity.MEDIUM,
        required=frozenset({"semgrep"}),
        fail_open=frozenset({"trivy", "zap"}),
    )
    assert (set(rules.off), set(rules.trivy_severities)) == ({"zap", "kubesec"}, {Severity.LOW})
    assert (rules.podsecurity_baseline_only, [one.owner for one in rules.waivers]) == (True, ["ana"])


def test_an_approval_names_the_waivers_by_what_they_say(tmp_path: Path) -> None:
    waivers = tmp_path / "waivers.yaml"
    given = loaded(tmp_path, AEGIS_SECURITY__WAIVERS=str(waivers)).settings
    with pytest.raises(UsageError, match="cannot read the waivers"):
        security_rules(given, scan_desk(loaded(tmp_path)))
    versions = {delivery_policy(given).version}
    for text in ("[]\n", "- {id: CVE-1, owner: ana, reason: x, expires: 2099-01-01}\n"):
        waivers.write_text(text)
        versions.add(delivery_policy(given).version)
    assert len(versions) == 3


def test_the_tokens_of_tools_are_no_rule(tmp_path: Path) -> None:
    usual = delivery_policy(loaded(tmp_path).settings).version
    assert delivery_policy(loaded(tmp_path, AEGIS_SECURITY__TRIVY_TOKEN="x").settings).version == usual
    assert delivery_policy(loaded(tmp_path, AEGIS_SECURITY__FAIL_OPEN="trivy").settings).version != usual

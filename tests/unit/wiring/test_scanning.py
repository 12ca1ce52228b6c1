"""Settings become what scanners work with."""

from __future__ import annotations

from pathlib import Path

from aegis.falco.priority import Priority
from aegis.security.desk import ScanRules
from aegis.settings import LoadedSettings, load
from aegis.settings.schema import SCANNERS
from aegis.wiring.places import Places
from aegis.wiring.scanning import scan_desk, scan_rules


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

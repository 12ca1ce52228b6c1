from __future__ import annotations

from pathlib import Path

import pytest

from aegis.errors import UsageError
from aegis.settings import load
from aegis.settings.names import ALIASES, PREDECESSOR, is_service_link, key_of, variable_of
from aegis.settings.schema import keys


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def test_defaults(home: dict[str, str], tmp_path: Path) -> None:
    loaded = load(environ=home)
    assert loaded.settings.verification.crashes == 7
    assert loaded.settings.shadow.secrets == "synthetic"
    assert loaded.settings.state.folder == tmp_path / ".local/state/aegis"
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.notices == ()


def test_flags_beat_environment_beats_file_beats_default(home: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("shadow: {trials: 6, max_concurrent: 2}\nverification:\n  crashes: 8\n")
    env = home | {"AEGIS_SHADOW__TRIALS": "7", "AEGIS_VERIFICATION__CRASHES": "9"}
    loaded = load(file, {"verification.crashes": 10, "shadow.secrets": None}, environ=env)
    assert loaded.settings.shadow.max_concurrent == 2
    assert loaded.settings.shadow.trials == 7
    assert loaded.settings.verification.crashes == 10
    assert loaded.origins["shadow.max_concurrent"] == f"file {file}"
    assert loaded.origins["shadow.trials"] == "environment AEGIS_SHADOW__TRIALS"
    assert loaded.origins["verification.crashes"] == "flag"
    assert loaded.origins["shadow.secrets"] == "default"


def test_the_users_file_is_read_and_the_working_directorys_is_not(
    home: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for name in ("config.yaml", "aegis.yaml", ".env"):
        (here / name).write_text("shadow: {trials: 9}\n" if name != ".env" else "AEGIS_SHADOW__TRIALS=9\n")
    monkeypatch.chdir(here)
    assert load(environ=home).settings.shadow.trials == 5
    (tmp_path / ".config/aegis").mkdir(parents=True)
    (tmp_path / ".config/aegis/config.yaml").write_text("shadow: {trials: 4}\n")
    assert load(environ=home).settings.shadow.trials == 4
    other = tmp_path / "xdg/aegis"
    other.mkdir(parents=True)
    (other / "config.yaml").write_text("shadow: {trials: 3}\n")
    assert load(environ=home | {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}).settings.shadow.trials == 3


@pytest.mark.parametrize(
    ("env", "file", "words", "hint"),
    [
        ({"AEGIS_SHADOW__TRAILS": "1"}, "", "AEGIS_SHADOW__TRAILS is no setting", "AEGIS_SHADOW__TRIALS"),
        ({"AEGIS_TRIALS": "1"}, "", "AEGIS_TRIALS is no setting", ""),
        ({"AEGIS_PORT": "8080"}, "", "AEGIS_PORT is no setting", ""),
        ({}, "shadow: {trails: 1}", "shadow.trails is no setting", "shadow.trials"),
        ({}, "shadow: 5", "shadow is no section", ""),
        ({}, "- a", "not a mapping", ""),
        ({}, "a: [", "not YAML", ""),
        ({"AEGIS_SHADOW__TRIALS": "many"}, "", r"shadow.trials \(environment AEGIS_SHADOW__TRIALS\)", ""),
        ({"AEGIS_VERIFICATION__CRASHES": "1"}, "", "verification.crashes", ""),
        ({"AEGIS_SHADOW__NAMESPACE_PREFIX": "aegis-shadow-x"}, "", "NAMESPACE_PREFIX is no setting", ""),
        ({"AEGIS_SHADOW__EGRESS_ALLOWED": "10.0.0.0/8"}, "", "EGRESS_ALLOWED is no setting", ""),
        ({"AEGIS_SHADOW__SECRETS_ALLOWED": "db"}, "", "NAMESPACE/NAME", ""),
        ({"AEGIS_SHADOW__SECRETS_ALLOWED": "shop/db,shop/"}, "", "NAMESPACE/NAME", ""),
        ({"AEGIS_SAFETY__FREEZE_WINDOWS": "sometimes"}, "", "not a freeze window", ""),
        ({"AEGIS_VERIFICATION__MAX_SECONDS": "10"}, "", "shorter than", ""),
        ({"SECURITY_FALCO_SEVERITY": "LOUD"}, "", "security.falco_severity_threshold", ""),
    ],
)
def test_what_is_wrong_is_refused(
    home: dict[str, str], tmp_path: Path, env: dict[str, str], file: str, words: str, hint: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(file)
    with pytest.raises(UsageError, match=words) as caught:
        load(path, environ=home | env)
    assert hint in caught.value.hint


def test_a_missing_file_is_an_error_only_where_it_was_asked_for(home: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load(tmp_path / "none.yaml", environ=home)


@pytest.mark.parametrize(
    ("name", "value", "tolerated"),
    [
        ("AEGIS_PORT", "tcp://10.0.0.1:8080", True),
        ("AEGIS_SERVICE_HOST", "10.0.0.1", True),
        ("AEGIS_SERVICE_PORT", "8080", True),
        ("AEGIS_SERVICE_PORT_HTTP", "8080", True),
        ("AEGIS_PORT_8080_TCP", "tcp://10.0.0.1:8080", True),
        ("AEGIS_PORT_8080_TCP_PORT", "8080", True),
        ("AEGIS_PORT_8080_TCP_ADDR", "10.0.0.1", True),
        ("AEGIS_WEBHOOK_SERVICE_HOST", "10.0.0.1", True),
        ("AEGIS_WEBHOOK_PORT", "tcp://10.0.0.1:1", True),
        ("AEGIS_WEBHOOK_PORT", "1", False),
        ("AEGIS_SHADOW__PORT", "tcp://10.0.0.1:1", False),
    ],
)
def test_service_links(home: dict[str, str], name: str, value: str, tolerated: bool) -> None:
    assert is_service_link(name, value) is tolerated
    if tolerated:
        load(environ=home | {name: value})
    else:
        with pytest.raises(UsageError):
            load(environ=home | {name: value})


def test_aliases_are_read_announced_and_lose(home: dict[str, str]) -> None:
    loaded = load(environ=home | {"SECURITY_FALCO_SEVERITY": "critical", "SECURITY_TRIVY_SEVERITY": "LOW, HIGH"})
    assert loaded.settings.security.falco_severity_threshold == "CRITICAL"
    assert loaded.settings.security.trivy_severity == ("LOW", "HIGH")
    assert "AEGIS_SECURITY__FALCO_SEVERITY_THRESHOLD" in " ".join(loaded.notices)
    both = load(environ=home | {"SECURITY_FALCO_ENABLED": "true", "AEGIS_SECURITY__FALCO_ENABLED": "false"})
    assert both.settings.security.falco_enabled is False
    assert any("differ" in notice for notice in both.notices)


def test_the_predecessors_names_only_when_asked(home: dict[str, str]) -> None:
    env = home | {"K8S_CONTEXT": "prod", "OBS_PROMETHEUS_URL": "http://p"}
    assert load(environ=env).settings.kubernetes.context == ""
    assert load(environ=env | {"AEGIS_COMPAT": "1"}).settings.kubernetes.context == "prod"


def test_secrets_are_masked(home: dict[str, str]) -> None:
    loaded = load(environ=home | {"AEGIS_PROMETHEUS__TOKEN": "hunter2"})
    assert loaded.settings.prometheus.token
    assert loaded.settings.prometheus.token.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(loaded.settings) + str(list(loaded.shown()))


def test_every_alias_and_key_has_a_target_and_a_meaning() -> None:
    assert set(ALIASES.values()) | set(PREDECESSOR.values()) <= set(keys())
    assert all(keys().values())
    assert all(key_of(variable_of(key)) == key for key in keys())


def test_kube_options(home: dict[str, str]) -> None:
    loaded = load(None, {"kubernetes.context": "dev", "kubernetes.kubeconfig": "/k"}, environ=home)
    options = loaded.kube_options(as_user="bob")
    assert (options.context, options.kubeconfig, options.as_user, options.environ) == ("dev", Path("/k"), "bob", home)


@pytest.mark.parametrize("key", ["AEGIS_SECURITY__REQUIRED", "AEGIS_SECURITY__FAIL_OPEN"])
def test_only_scanners_can_be_required_or_let_off(home: dict[str, str], key: str) -> None:
    load(environ=home | {key: "trivy,falco"})
    with pytest.raises(UsageError, match="'clair' is no scanner"):
        load(environ=home | {key: "trivy,clair"})


def test_severities_are_read_in_any_case_and_a_wrong_one_is_refused(home: dict[str, str]) -> None:
    loaded = load(environ=home | {"SECURITY_TRIVY_SEVERITY": "medium, High"})
    assert loaded.settings.security.trivy_severity == ("MEDIUM", "HIGH")
    with pytest.raises(UsageError, match=r"security\.trivy_severity"):
        load(environ=home | {"SECURITY_TRIVY_SEVERITY": "TERRIBLE"})


def test_secrets_of_tools_are_masked(home: dict[str, str]) -> None:
    loaded = load(environ=home | {"AEGIS_SECURITY__TRIVY_TOKEN": "t0p", "AEGIS_SECURITY__ZAP_API_KEY": "s3cret"})
    shown = {key: value for key, value, _ in loaded.shown()}
    assert "t0p" not in str(shown["security.trivy_token"])
    assert "s3cret" not in str(shown["security.zap_api_key"])

"""`aegis triage` on files: the report, the exit status, the diff; and on what was really captured, where that is there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from falco_story import CHAIN, PACKAGES, alert, chain, lines, noise

from aegis.interfaces.cli.main import run

PODS = ("runner-6d4b75cb6d-hwt8p", "runner-6d4b75cb6d-xk2wz")
RULES = f"""
- rule: {PACKAGES}
  desc: d
  condition: evt.type = execve and proc.name in (apt-get, dpkg)
  output: "%proc.name"
  priority: ERROR
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "noise.jsonl").write_text(lines(noise(PODS)))
    (tmp_path / "attack.jsonl").write_text(lines([*noise(PODS), *chain(PODS[1])]))
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "values.yaml").write_text("# ours\ncustomRules: {}\n")
    return tmp_path


def answered(capsys: pytest.CaptureFixture[str], *words: object, status: int) -> dict[str, Any]:
    assert run(["triage", *map(str, words), "-o", "json", "-q"]) == status, capsys.readouterr().err
    answer = json.loads(capsys.readouterr().out)
    assert isinstance(answer, dict)
    assert answer["kind"] == "TriageReport"
    return answer


def test_noise_ends_with_zero_and_a_diff_of_the_values(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--from", place / "noise.jsonl", "--rules", place / "rules.yaml", "--values", place / "values.yaml")
    report = answered(capsys, *words, "--owner", "platform", "--expires", "2027-01-31", status=0)
    (group,) = report["groups"]
    assert group["classification"] == report["classification"] == "benign-true-positive"
    assert group["alerts"] == len(group["ids"]) == len(set(group["ids"])) == 32
    bake, exception = group["proposals"]
    assert (bake["kind"], exception["kind"]) == ("image-bake", "exception")
    assert bake["image"]["packages"] == ["curl", "jq"]
    assert exception["proof"]["suppressed_benign"] == 32
    assert exception["proof"]["suppressed_suspicious"] == 0
    assert exception["proof"]["method"] == "replay"
    assert "+customRules:\n+  zz-aegis-exceptions.yaml: |-\n" in exception["values_diff"]
    assert "\n # ours\n" in exception["values_diff"]
    assert exception["runbook"].startswith("- ")
    assert "\n" not in exception["runbook"]
    assert (exception["owner"], exception["expires"]) == ("platform", "2027-01-31")


def test_the_baseline_entry_that_is_written_is_one_that_is_read(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = answered(capsys, "--from", place / "noise.jsonl", status=0)
    entry = report["groups"][0]["proposals"][0]["baseline_entry"]
    (place / "baseline.yaml").write_text(entry)
    again = answered(capsys, "--from", place / "noise.jsonl", "--baseline", place / "baseline.yaml", status=0)
    assert any("baseline.yaml" in reason for reason in again["groups"][0]["reasons"])


def test_an_attack_ends_with_one_and_none_of_it_is_mended(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = answered(capsys, "--from", place / "attack.jsonl", status=1)
    assert report["escalate"] is True
    (attack,) = report["attacks"]
    assert attack["rules"] == [rule for rule, *_ in CHAIN]
    for group in report["groups"]:
        if PACKAGES in group["rules"]:
            assert group["classification"] == "benign-true-positive"
            assert [each["kind"] for each in group["proposals"]] == ["image-bake"]
            assert [each["kind"] for each in group["withdrawn"]] == ["exception"]
        else:
            assert group["classification"] == "real"
            assert group["proposals"] == group["withdrawn"] == []


def test_a_rule_is_asked_for_and_the_attack_beside_it_is_still_seen(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = answered(capsys, PACKAGES, "--from", place / "attack.jsonl", status=0)
    (group,) = report["groups"]
    assert group["contested"] == 16
    assert report["not_shown"] == {"real": len(CHAIN), "unsure": 0, "benign": 0}
    critical = answered(capsys, "--from", place / "attack.jsonl", "--priority", "critical", status=1)
    assert [each["rules"] for each in critical["groups"]] == [["Known Cryptominer Process Executed"]]


def test_the_text_says_what_to_do(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["triage", "--from", str(place / "attack.jsonl")]) == 1
    seen = capsys.readouterr()
    assert "ATTACK" in seen.out
    assert "Nothing of this is silenced" in seen.out
    assert "1. image-bake" in seen.out
    assert "not proposed: an exception" in seen.out
    assert "looking for attacks in 38 alerts" in seen.err


def test_hostile_words_reach_neither_the_terminal_nor_the_reports_structure(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "\x1b[2Japt-get install jq\n- **pwned** `x`"
    (place / "hostile.jsonl").write_text(lines(noise(PODS, line=words)))
    run(["triage", "--from", str(place / "hostile.jsonl")])
    assert "\x1b" not in capsys.readouterr().out
    run(["triage", "--from", str(place / "hostile.jsonl"), "-o", "json", "-q"])
    for group in json.loads(capsys.readouterr().out)["groups"]:
        for mend in group["proposals"]:
            assert "pwned" not in (mend["runbook"] or "")


def test_a_source_that_lost_events_is_inconclusive(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drop = '{"rule":"Falco internal: syscall event drop","priority":"Debug","output":"o","source":"internal"}\n'
    (place / "lossy.jsonl").write_text(lines(noise(PODS)) + drop)
    report = answered(capsys, "--from", place / "lossy.jsonl", status=3)
    assert report["source"]["complete"] is False
    (place / "lossy.jsonl").write_text(lines([alert("Write below etc")]) + drop)
    answered(capsys, "--from", place / "lossy.jsonl", status=1)


def test_an_alert_that_a_log_holds_twice_counts_once(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "twice.jsonl").write_text(lines(noise(PODS)) * 2)
    report = answered(capsys, "--from", place / "twice.jsonl", status=0)
    assert (report["source"]["alerts"], report["source"]["duplicates"]) == (32, 32)
    assert report["groups"][0]["alerts"] == 32


def test_an_alert_that_was_cut_is_missed_and_said_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = lines(noise(PODS))
    (place / "cut.jsonl").write_text("Falco initialized\n" + log + log.splitlines()[0][:200] + "\n")
    report = answered(capsys, "--from", place / "cut.jsonl", status=3)
    assert report["source"]["notes"] == ["1 lines are alerts that were cut or are broken"]


def test_no_alert_at_all_is_no_good_news(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "empty.log").write_text("Falco initialized\n")
    report = answered(capsys, "--from", place / "empty.log", status=3)
    assert "no alert at all" in report["source"]["notes"][0]
    answered(capsys, status=3)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--from", "missing.jsonl"], "cannot read missing.jsonl"),
        (["--source", "noise.jsonl"], "is no source"),
        (["Launch package management", "--from", "noise.jsonl"], "Did you mean 'Launch Package Management Process"),
        (["--from", "noise.jsonl", "--source", "falco"], "two sources"),
        (["--from", "noise.jsonl", "--priority", "loud"], "is no priority"),
        (["--from", "noise.jsonl", "--expires", "soon"], "is no date"),
        (["--from", "noise.jsonl", "--baseline", "rules.yaml"], "unknown key"),
        (["--from", "noise.jsonl", "--values", "missing.yaml"], "cannot read"),
        (["--from", "noise.jsonl", "--values", "noise.jsonl"], "cannot be used"),
        (["--from", "noise.jsonl", "--rules", "values.yaml"], "Falco would refuse the rules"),
        (["--source", "victorialogs"], "victorialogs.url is not set"),
        (["verify", "x"], "whose alerts is not said"),
        (["verify", "x", "-n", "a", "--source", "falco", "--from", "noise.jsonl"], "two sources"),
    ],
)
def test_wrong_usage(
    place: Path, words: list[str], why: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    assert run(["triage", *words]) == 2
    assert why in capsys.readouterr().err


def test_verify_reads_a_file(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["triage", "verify", PACKAGES, "-n", "ci", "--since", "2020-01-01T00:00:00Z", "-o", "json", "-q"]
    assert run([*words, "--workload", "runner", "--from", str(place / "noise.jsonl")]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["outcome"], found["fired_here"]) == ("TriageVerification", "firing", 32)
    assert run([*words, "--workload", "other", "--from", str(place / "noise.jsonl")]) == 0
    assert json.loads(capsys.readouterr().out)["fired_elsewhere"] == 32
    words[2] = "Launch package management"
    assert run([*words, "--workload", "runner", "--from", str(place / "noise.jsonl")]) == 3
    assert "is its name right" in json.loads(capsys.readouterr().out)["reason"]


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["triage", "--help"]) == 0
    told = capsys.readouterr().out
    assert "Usage: aegis triage [OPTIONS] [RULE]" in told
    assert "aegis triage verify" in told
    assert run(["triage", "verify", "--help"]) == 0
    assert "Usage: aegis triage verify [OPTIONS] RULE" in capsys.readouterr().out


REAL = os.environ.get("FALCO_ALERTS", "")
NEVER = {
    "Read sensitive file untrusted",
    "Known Cryptominer Process Executed",
    "Execution from /dev/shm",
    "Netcat Remote Code Execution in Container",
    "Launch Suspicious Network Tool in Container",
    "Contact EC2 Instance Metadata Service From Container",
}


@pytest.mark.skipif(not REAL, reason="FALCO_ALERTS names no file of captured alerts")
def test_what_was_really_captured(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = answered(capsys, "--from", REAL, status=1)
    assert sum(group["alerts"] for group in report["groups"]) == report["source"]["alerts"] == 440
    silenced = [group for group in report["groups"] if group["proposals"]]
    assert not NEVER & {rule for group in silenced for rule in group["rules"]}
    runner = [
        group for group in report["groups"] if PACKAGES in group["rules"] and group["workload"]["name"] == "runner"
    ]
    assert [group["alerts"] for group in runner] == [87]
    assert runner[0]["proposals"][0]["kind"] == "image-bake"
    assert all(each["proof"] for group in silenced for each in group["proposals"])

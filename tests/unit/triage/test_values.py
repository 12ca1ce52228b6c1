"""A team's values: one rule more, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aegis.triage.values import FILE, Unchangeable, custom_rules, difference, with_rule

RULE = '# aegis exception: alerts=1\n- rule: a\n  condition: >-\n    and not (x = "y")\n  override:\n    condition: append\n'
VALUES = """\
# what we run
driver:
  kind: modern_ebpf   # since 0.38

customRules:
  # ours
  rules-team.yaml: |-
    - macro: m
      condition: evt.type = open   # why

    # the end

falco:
  json_output: true
"""


def test_a_first_file_of_ours_and_then_a_second_rule_in_it() -> None:
    once = with_rule(VALUES, RULE)
    assert yaml.safe_load(once)["customRules"][FILE] == RULE.rstrip("\n")
    twice = with_rule(once, RULE.replace("rule: a", "rule: b"))
    assert [rule["rule"] for rule in yaml.safe_load(yaml.safe_load(twice)["customRules"][FILE])] == ["a", "b"]
    for text in (once, twice):
        kept = [line for line in text.splitlines() if line in VALUES.splitlines()]
        assert kept == VALUES.splitlines()
    assert custom_rules(twice)[-1][0] == FILE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: 1",
        "a: 1\n",
        "customRules: {}\n",
        "customRules: {}  # none yet\na: 1\n",
        "customRules:\na: 1\n",
        "customRules: ~\n",
        "falco:\n  customRules: {}\n  a: 1\n",
        "falco:\n  customRules:\n    r.yaml: |\n      - list: l\n        items: []\n  a: 1\n",
        "customRules:\n    r.yaml: 'x'\n",
        "customRules:\n  r.yaml: |-\n    - list: l\n      items: []",
    ],
)
def test_however_it_is_written(text: str) -> None:
    changed = with_rule(text, RULE)
    before: dict[str, Any] = yaml.safe_load(text) or {}
    after: dict[str, Any] = yaml.safe_load(changed)
    place = after["falco"] if "falco" in before else after
    assert place["customRules"].pop(FILE) == RULE.rstrip("\n")
    old: dict[str, Any] = before.get("falco", before)
    assert place["customRules"] == (old.get("customRules") or {})
    place.pop("customRules")
    old.pop("customRules", None)
    assert before == after
    assert with_rule(changed, RULE)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- a\n", "no mapping"),
        ("a: [", "no YAML"),
        ("customRules: [a]\n", "is no mapping"),
        ("customRules: {r.yaml: x}\n", "braces"),
        (f"customRules:\n  {FILE}: x\n", "no block of lines"),
        ("x: &r\n  r.yaml: a\ncustomRules: *r\n", "it is no YAML|would not be"),
    ],
)
def test_what_cannot_be_changed_is_refused(text: str, why: str) -> None:
    with pytest.raises(Unchangeable, match=why):
        with_rule(text, RULE)


@given(st.text(alphabet="abc:#-|>{}[]'\" \n\tcustomRules", max_size=120))
def test_any_text_is_refused_or_only_grows_by_the_rule(text: str) -> None:
    try:
        before = yaml.safe_load(text)
        changed = with_rule(text, RULE)
    except (Unchangeable, yaml.YAMLError):
        return
    after = yaml.safe_load(changed)
    rest = {key: value for key, value in after.items() if key not in {"customRules", "falco"}}
    assert rest == {key: value for key, value in (before or {}).items() if key not in {"customRules", "falco"}}


@pytest.mark.parametrize("text", [VALUES, VALUES.rstrip("\n"), "a: 1"])
def test_the_diff_is_one_that_patch_reads(text: str, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(text)
    changed = with_rule(text, RULE)
    diff = difference(text, changed, "values.yaml")
    assert diff.startswith("--- a/values.yaml\n+++ b/values.yaml\n")
    git = shutil.which("git")
    if git is None:
        pytest.skip("there is no git")
    subprocess.run([git, "apply", "-"], input=diff.encode(), cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "values.yaml").read_text() == changed

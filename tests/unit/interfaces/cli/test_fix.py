"""The file of `--changes`."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.errors import UsageError
from aegis.interfaces.cli.fix import Wish, parse_changes
from aegis.model.canonical import digest
from aegis.model.changes import Apply, JsonPatch

ITEM = "{target: {kind: Deployment, name: web}, type: apply, patch: {spec: {replicas: 2}}}"
PATCH = "{target: {kind: Deployment, name: web}, type: json-patch, patch: [{op: remove, path: /spec/paused}]}"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "fix.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", [f"[{ITEM}]", f"changes: [{ITEM}]", ITEM, f"- {ITEM}"])
def test_a_list_a_mapping_and_one_item_are_taken(tmp_path: Path, text: str) -> None:
    (change,) = parse_changes(written(tmp_path, text), "shop")
    assert isinstance(change, Apply)
    assert change.target.namespace == "shop"
    assert change.patch == {"spec": {"replicas": 2}}


def test_a_json_patch_is_taken(tmp_path: Path) -> None:
    (change,) = parse_changes(written(tmp_path, f"[{PATCH}]"), "shop")
    assert isinstance(change, JsonPatch)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "[3]", "{a: [", f"[{ITEM.replace('apply', 'merge')}]", "[{type: apply, patch: {}}]", "a: &a [*a]"],
)
def test_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        parse_changes(written(tmp_path, text), "shop")


def test_only_what_json_knows_is_taken(tmp_path: Path) -> None:
    values = "{when: 2026-01-01, much: .inf, none: .nan, 1: one, at: !!str 5}"
    text = f"- {{target: {{kind: Deployment, name: web}}, type: apply, patch: {values}}}"
    (change,) = parse_changes(written(tmp_path, text), "shop")
    assert isinstance(change, Apply)
    assert change.patch == {"when": "2026-01-01", "much": ".inf", "none": ".nan", "1": "one", "at": "5"}
    assert digest(change.patch)


def test_what_grows_or_never_ends_is_refused(tmp_path: Path) -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    for text in ("\n".join(["a0: &a0 [x]", *levels]), f"- {ITEM}\n---\n- {ITEM}", "- !!binary aGk="):
        with pytest.raises(UsageError):
            parse_changes(written(tmp_path, text), "shop")
    with pytest.raises(UsageError, match="too large"):
        parse_changes(Path("/dev/zero"), "shop")


def test_two_ways_to_say_which_fix_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Wish(fix_id="a", changes=tmp_path)

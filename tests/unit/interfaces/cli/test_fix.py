"""The file of `--changes`."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.errors import UsageError
from aegis.interfaces.cli.fix import Wish, parse_changes
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
    ["", "[]", "3", "[3]", "{a: [", f"[{ITEM.replace('apply', 'delete')}]", "[{type: apply, patch: {}}]", "a: &a [*a]"],
)
def test_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        parse_changes(written(tmp_path, text), "shop")


def test_two_ways_to_say_which_fix_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Wish(fix_id="a", changes=tmp_path)

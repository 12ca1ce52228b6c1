from __future__ import annotations

from aegis.model.drift import changed_marks, spec_hash


def test_status_and_metadata_are_no_drift() -> None:
    before = {"metadata": {"generation": 1, "annotations": {"a": "1"}}, "spec": {"x": 1}, "status": {"ready": 1}}
    after = {"metadata": {"generation": 2}, "spec": {"x": 1}, "status": {}}
    assert spec_hash(before) == spec_hash(after)


def test_a_changed_specification_is_drift() -> None:
    assert spec_hash({"spec": {"x": 1}}) != spec_hash({"spec": {"x": 2}})


def test_a_config_map_has_no_generation_so_its_data_tells() -> None:
    assert spec_hash({"kind": "ConfigMap", "data": {"a": "1"}}) != spec_hash({"kind": "ConfigMap", "data": {"a": "2"}})


def test_replicas_count_unless_an_autoscaler_owns_them() -> None:
    one, two = {"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}
    assert spec_hash(one) != spec_hash(two)
    assert spec_hash(one, autoscaled=True) == spec_hash(two, autoscaled=True)


def test_marks_count_where_they_are_named() -> None:
    before = {"metadata": {"labels": {"app": "a", "tier": "x"}, "annotations": {"note/1": "old"}}, "spec": {"x": 1}}
    after = {"metadata": {"labels": {"app": "b", "tier": "x"}, "annotations": None}, "spec": {"x": 1}}
    assert changed_marks(before, after) == ("annotations/note/1", "labels/app")
    assert spec_hash(before, marks=("labels/tier",)) == spec_hash(after, marks=("labels/tier",))
    assert spec_hash(before, marks=("labels/app",)) != spec_hash(after, marks=("labels/app",))
    assert spec_hash(before, marks=("annotations/note/1",)) != spec_hash(after, marks=("annotations/note/1",))

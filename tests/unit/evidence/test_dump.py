import json
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis.evidence.dump import Dump, read_dump

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web-1", "namespace": "shop"},
    "spec": {"containers": [{"name": "web"}]},
}


def _write(folder: Path, **files: Any) -> Dump:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_dump([folder])


def _subjects(dump: Dump) -> list[str]:
    return [f"{item.source} {item.subject}" for item in dump.evidence if item.source != "note"]


def test_objects_lists_events_and_several_documents(tmp_path: Path) -> None:
    event = {
        "kind": "Event",
        "type": "Warning",
        "reason": "Failed",
        "message": "m",
        "involvedObject": {"kind": "Pod", "name": "web-1", "namespace": "shop"},
    }
    dump = _write(
        tmp_path,
        a__list_DOT_json={"kind": "List", "items": [POD, event]},
        b_DOT_yaml=yaml.safe_dump_all([
            {**POD, "metadata": {"name": "web-2", "namespace": "shop"}},
            {**POD, "kind": "Service"},
        ]),
    )

    assert _subjects(dump) == [
        "object Pod/web-1 in shop",
        "object Pod/web-2 in shop",
        "object Service/web-1 in shop",
        "event Pod/web-1 in shop",
    ]
    assert dump.unreadable == ()


def test_the_tree_that_cluster_info_dump_lays(tmp_path: Path) -> None:
    text = "==== START logs for container web of pod shop/web-1 ====\nhello\n==== END logs for container web of pod shop/web-1 ====\n"
    dump = _write(
        tmp_path,
        shop__pods_DOT_json={
            "kind": "PodList",
            "apiVersion": "v1",
            "items": [{"metadata": POD["metadata"], "spec": POD["spec"]}],
        },
    )
    dump = _write(tmp_path, **{"shop__web-1__logs_DOT_txt": text})

    assert _subjects(dump) == ["object Pod/web-1 in shop", "log Pod/web-1 in shop"]
    (log,) = (item for item in dump.evidence if item.source == "log")
    assert log.payload == {"container": "web", "lines": ["hello"]}
    assert dump.evidence[-1].payload["listed"] == [{"kind": "Pod", "namespace": "shop"}]


def test_logs_find_their_pod_by_their_path(tmp_path: Path) -> None:
    dump = _write(
        tmp_path,
        pod_DOT_json=POD,
        **{
            "logs-web-1_DOT_log": "now",
            "logs-previous-web-1_DOT_log": "before",
            "other__stray-0__main__logs_DOT_txt": "stray",
        },
    )

    found = {
        (item.source, str(item.subject), item.payload["container"]): item.payload["lines"]
        for item in dump.evidence
        if "lines" in item.payload
    }
    assert found == {
        ("log", "Pod/web-1 in shop", "web"): ["now"],
        ("log-previous", "Pod/web-1 in shop", "web"): ["before"],
        ("log", "Pod/stray-0 in other", "main"): ["stray"],
    }


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    dump = _write(
        tmp_path,
        empty_DOT_yaml="",
        broken_DOT_json='{"a": ',
        prose_DOT_txt="It was a dark and stormy night.",
        pod_DOT_json=POD,
    )

    assert _subjects(dump) == ["object Pod/web-1 in shop"]
    assert {path.name for path, _ in dump.unreadable} == {"empty.yaml", "broken.json", "prose.txt"}


def test_an_alert_names_the_target(tmp_path: Path) -> None:
    dump = _write(
        tmp_path,
        alert_DOT_json={
            "labels": {"alertname": "Down", "pod": "web-1", "namespace": "shop"},
            "annotations": {"summary": "s"},
        },
    )

    assert str(dump.target) == "Pod/web-1 in shop"
    assert _subjects(dump) == ["alert Pod/web-1 in shop"]


def test_text_without_a_namespace_gets_that_of_its_namesake(tmp_path: Path) -> None:
    table = "LAST SEEN   TYPE      REASON   OBJECT      MESSAGE\n2m          Warning   Failed   pod/web-1   no\n"
    dump = _write(tmp_path, pod_DOT_json=POD, events_DOT_txt=table)

    assert _subjects(dump) == ["object Pod/web-1 in shop", "event Pod/web-1 in shop"]


def test_secrets_lose_their_values_here_too(tmp_path: Path) -> None:
    dump = _write(tmp_path, s_DOT_json={**POD, "kind": "Secret", "data": {"k": "c2VjcmV0"}})

    assert "c2VjcmV0" not in str(dump.evidence)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(max_size=300), st.sampled_from(["x.yaml", "x.json", "x.txt", "x.log", "describe-pod-x.txt", "logs.txt"]))
def test_any_file_is_read_or_named(tmp_path: Path, text: str, name: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", errors="replace")

    read_dump([path])

"""Every manifest is read in one way or not at all, and no tool finds more in the text than the value."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from aegis.model.refs import ObjectRef
from aegis.model.security import SecurityFinding, Severity
from aegis.security.canonical import canonical_objects, canonicalise, files, render, together
from aegis.security.strict_yaml import NotCanonical

POD = """apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
    - name: app
      image: nginx:1.27
      securityContext:
        privileged: true
"""

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["y", "No", "~", "", "0777", "1e3", ".5", "- a", "a: b", "#trivy:ignore:*", "x # nosemgrep", "kics-scan ignore",
     "%YAML", "---", "\u2028#", "\x85", "\ufeff", "&a", "*a", "!!bool", "'", '"', "\\", "a\n# checkov:skip=1\n"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def obj(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "x"}, **fields}


@given(value=VALUES)
@example(value=5e-324)
@example(value=1e16)
def test_the_text_means_the_value_to_any_reader_and_hides_nothing(value: Any) -> None:
    whole = obj(payload=value)
    text = render(whole)
    assert "#" not in text
    assert "&" not in [line.strip()[:1] for line in text.splitlines()]
    for word in ("trivy:ignore", "nosem", "checkov:skip", "kics-scan ignore"):
        assert word not in text
    assert yaml.load(text, yaml.CSafeLoader) == whole
    assert yaml.load(text, yaml.SafeLoader) == whole


@given(value=VALUES)
def test_reading_what_was_written_changes_nothing(value: Any) -> None:
    (once,) = canonical_objects([obj(payload=value)]).objects
    (twice,) = canonicalise(once.text).objects
    assert twice.object == once.object
    assert twice.text == once.text
    assert twice.lines == tuple(range(1, len(once.lines) + 1))


@given(data=st.binary(max_size=200) | st.text("{}[]&*!|>'\"%#:-,? \n\tab1<", max_size=60).map(str.encode))
def test_whatever_is_given_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(NotCanonical):
        assert all(item.ref.name for item in canonicalise(data).objects)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (POD + "kind: Job\n", "stands twice"),
        (POD.replace("kind: Pod", 'kind: Pod\n"kind": Job'), "stands twice"),
        (POD + "true: 1\n'true': 2\n", "stands twice"),
        (POD + "a: &a [*a]\n", "within what it names"),
        (POD + "a: *b\n", "names nothing"),
        (POD + "a: !!binary aGk=\n", "none of JSON's types"),
        (POD + "a: !!python/name:os.system ''\n", "none of JSON's types"),
        (POD + "a: !!int x\n", "invalid literal"),
        (POD + "a: .nan\n", "no number of JSON"),
        (POD + "? {a: 1}\n: 2\n", "no name"),
        (POD + "<<: 1\n", "no mapping"),
        (POD + "a: " + "[" * 5000, "nested more than"),
        (POD + "items: []\n", "read as a list by some"),
        (POD.replace("kind: Pod", "kind: PodList") + "items: {}\n", "read as a list by some"),
        (POD.replace("        privileged: true", "        privileged: true\n        Privileged: false"), "has both"),
        ("a: 1\n", "no kind"),
        ("- 1\n", "no object"),
        ("apiVersion: v1\nkind: Pod\n", "no name"),
        ("apiVersion: v1\nkind: Pod\nmetadata: []\n", "no name"),
        ("a: 'x", "end of stream"),
        ("a: \x00", "control characters"),
        ('{"apiVersion": "v1", "a": "\\ud83d"}', "Unicode"),
    ],
)
def test_refused_and_said_where(text: str, why: str) -> None:
    with pytest.raises(NotCanonical, match=why):
        canonicalise(text, source="pod.yaml")


def test_aliases_may_not_grow() -> None:
    rows = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    rows += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(NotCanonical, match="grow beyond"):
        canonicalise(POD + "\n".join(rows))
    with pytest.raises(NotCanonical, match="grow beyond"):  # no one document does, all together do
        canonicalise("\n---\n".join([POD + "\n".join(rows[:6])] * 60))


def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(NotCanonical, match="larger than 8 MiB"):
        canonicalise(b"#" * (8 << 20) + b"\n")


def test_kubectls_idea_of_plain_scalars() -> None:
    text = "apiVersion: v1\nkind: X\nmetadata: {name: x}\nv: [yes, Off, y, 0o17, 017, 1:30, 2026-01-01, 1e3, ~, 1_0]\n"
    (item,) = canonicalise(text).objects
    assert item.object["v"] == [True, False, True, "0o17", 15, "1:30", "2026-01-01", 1000.0, None, 10]


def test_merge_keys_and_aliases_are_written_out() -> None:
    text = (
        POD.replace("      securityContext:\n        privileged: true\n", "")
        + "x: &x {privileged: true, a: 1}\ny: {<<: *x, a: 2}\n"
    )
    (item,) = canonicalise(text).objects
    assert item.object["y"] == {"privileged": True, "a": 2}
    assert "&" not in item.text
    assert "*" not in item.text


def test_lists_in_lists_and_lists_of_one_kind_are_opened() -> None:
    inner = {"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"generateName": "web-"}, "spec": {}}]}
    whole = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [inner, obj(), {"apiVersion": "v1", "kind": "List"} | {"items": None}],
    }
    assert [str(item.ref) for item in canonical_objects([whole]).objects] == ["Pod/web", "Thing/x"]


def test_a_list_of_more_lists_than_anybody_writes() -> None:
    whole: dict[str, Any] = obj()
    for _ in range(20):
        whole = {"apiVersion": "v1", "kind": "List", "items": [whole]}
    with pytest.raises(NotCanonical, match="read as a list"):
        canonical_objects([whole])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_document_in_any_encoding(encoding: str, ending: str) -> None:
    text = f"%YAML 1.1\n--- # one\n{POD}---   \n---\n{POD.replace('web', 'two')}...\n# end\n".replace("\n", ending)
    assert [item.ref.name for item in canonicalise(text.encode(encoding)).objects] == ["web", "two"]


def test_json_with_tabs_and_halves_of_characters() -> None:
    text = '{\t"apiVersion": "v1", "kind": "ConfigMap",\n\t"metadata": {"name": "c"}, "data": {"a": "\\ud83d\\ude00\\\\ud83d\\/"}}'
    (item,) = canonicalise(text, source="c.json").objects
    assert item.object["data"] == {"a": "\U0001f600\\ud83d/"}
    assert item.line_of("metadata") == 2


def test_annotations_that_tell_scanners_to_skip_are_taken_away_and_said() -> None:
    template = {"metadata": {"annotations": {"cortex.io/skip1": "x", "team": "a"}}, "spec": {"containers": []}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "annotations": {"checkov.io/skip1": "CKV=x", "bridgecrew.io/skip": "y"}},
        "spec": {"template": template},
    }
    told = canonical_objects([deployment])
    (item,) = told.objects
    assert item.object["spec"]["template"]["metadata"]["annotations"] == {"team": "a"}
    assert item.object["metadata"]["annotations"] == {}
    assert len(told.notes) == 3
    assert deployment["metadata"]["annotations"]  # type: ignore[index]  # what was given is as it was


def test_keys_of_a_config_map_may_differ_in_case() -> None:
    template = {"spec": {"containers": [], "nodeSelector": {"a": "1", "A": "2"}}}
    canonical_objects([obj(data={"a": "1", "A": "2"}), obj(spec={"template": template})])


def finding(location: str = "", file: str = "", line: int = 0) -> SecurityFinding:
    return SecurityFinding(
        source="x",
        rule_id="r",
        severity=Severity.HIGH,
        title="",
        description="",
        subject=ObjectRef(api_version="v1", kind="Pod", name="web"),
        location=location,
        file=file,
        line=line,
    )


def test_a_finding_is_led_back_to_its_line() -> None:
    manifests = together([canonicalise("# a comment\n" + POD, source="deploy/pod.yaml"), canonical_objects([obj()])])
    (name, text), *_ = files(manifests.plain).items()
    assert name == "0001-pod-web.yaml"
    at = text.splitlines().index("        privileged: true") + 1
    by_tool = manifests.locate(finding(file=f"/tmp/x/{name}", line=at))
    assert (by_tool.file, by_tool.line) == ("deploy/pod.yaml", 10)
    assert manifests.locate(finding("containers[app].securityContext.privileged")).line == 10
    assert manifests.locate(finding("spec.containers[0].image")).line == 8
    assert manifests.locate(finding("containers[none].image")).line == 6
    assert manifests.locate(finding("metadata.name")).line == 4
    assert manifests.locate(finding(file="other.yaml", line=3)).file == "deploy/pod.yaml"

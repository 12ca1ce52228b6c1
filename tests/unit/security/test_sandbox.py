"""Proofs of concept: what is read, how it is held, and what an end of one says."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aegis.errors import UsageError
from aegis.security.sandbox import (
    CONTAINER,
    SANDBOX,
    ProofOfConcept,
    Run,
    Target,
    evidence,
    judged,
    load_proof,
    plan_of_proof,
    read_proof,
)
from aegis.security.scanners.podsecurity import look

SPEC: dict[str, Any] = {"image": "python:3.12-slim", "command": ["python", "/proof/script"], "script": "print(1)\n"}
TARGET = Target(host="web", names=("web.ns",), address="10.96.0.7", port=80, pods={"app": "web"}, pod_port="http")
RUN = Run(namespace="ns", name="aegis-proof-x", labels={"aegis.io/probe": "aegis-proof-x"}, fuse=120)


def written(**spec: Any) -> str:
    body = {"apiVersion": "aegis.io/v1", "kind": "ProofOfConcept", "metadata": {"name": "x"}, "spec": {**SPEC, **spec}}
    return yaml.safe_dump(body)


def planned(run: Run = RUN) -> dict[str, Any]:
    return {obj["kind"]: obj for obj in plan_of_proof(read_proof(written()), TARGET, run)}


def test_a_proof_is_read() -> None:
    proof = read_proof(written(service="web", port=8080))
    assert proof == ProofOfConcept(
        name="x",
        image="python:3.12-slim",
        command=("python", "/proof/script"),
        script="print(1)\n",
        service="web",
        port=8080,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no ProofOfConcept"),
        ("[1]", "no ProofOfConcept"),
        ("a: b: c", "no YAML"),
        ("!!python/object/apply:os.system [id]", "no YAML"),
        (written(image="--privileged"), "spec.image"),
        (written(image=""), "spec.image"),
        (written(command="sh -c x"), "no list of words"),
        (written(command=[]), "no list of words"),
        (written(script=" "), "spec.script"),
        (written(service="Web/../x"), "spec.service"),
        (written(port=True), "spec.port"),
        (written(port=70000), "spec.port"),
        (written(hostNetwork=True), "spec has no hostNetwork"),
        (written(script="x" * 300_000), "larger than"),
        (written().replace("name: x", "name: X_Y"), "metadata.name"),
    ],
)
def test_what_is_no_proof_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_proof(text)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    for content, words in ((None, "cannot be read"), (b"\xff", "cannot be read"), (b"[]", "no ProofOfConcept")):
        path = tmp_path / "proof.yaml"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UsageError, match=words) as raised:
            load_proof(path)
        assert str(path) in raised.value.message


def test_its_job_meets_the_restricted_standard_and_has_no_token() -> None:
    job = planned()["Job"]
    assert look([job]).findings == ()
    spec = job["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["activeDeadlineSeconds"] == RUN.fuse
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"]
    assert {"cpu", "memory", "ephemeral-storage"} == set(spec["containers"][0]["resources"]["limits"])
    assert (job["spec"]["backoffLimit"], spec["restartPolicy"]) == (0, "Never")
    assert "runtimeClassName" not in spec
    assert (
        planned(Run(**{**_fields(RUN), "runtime_class": "gvisor"}))["Job"]["spec"]["template"]["spec"][
            "runtimeClassName"
        ]
        == "gvisor"
    )


def _fields(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in Run.__dataclass_fields__}


def test_it_may_reach_its_target_and_nothing_else_not_even_names() -> None:
    objects = planned()
    policy, template = objects["NetworkPolicy"]["spec"], objects["Job"]["spec"]["template"]
    assert policy["policyTypes"] == ["Egress"]
    assert policy["egress"] == [{"to": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": "http"}]}]
    assert policy["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert SANDBOX in template["metadata"]["labels"]
    assert template["spec"]["hostAliases"] == [{"ip": "10.96.0.7", "hostnames": ["web", "web.ns"]}]
    assert template["spec"]["dnsPolicy"] == "None"
    assert {one["name"]: one["value"] for one in template["spec"]["containers"][0]["env"]}["AEGIS_TARGET"] == "web:80"
    assert template["spec"]["containers"][0]["name"] == CONTAINER


@pytest.mark.parametrize(
    ("status", "why", "word"),
    [
        (0, "", "true"),
        (10, "", "false"),
        (1, "", "unknown"),
        (2, "", "unknown"),
        (127, "", "unknown"),
        (137, "", "unknown"),
        (None, "", "unknown"),
        (0, "the cluster ended it", "unknown"),
        (10, "it did not end", "unknown"),
    ],
)
def test_only_two_ends_say_something(status: int | None, why: str, word: str) -> None:
    attempt = judged("x", status, "", why=why)
    assert attempt.word == attempt.to_dict()["exploitable"] == word
    assert bool(attempt.reason) == (word == "unknown")


def test_evidence_is_the_end_of_it_bounded_and_without_secrets() -> None:
    log = "\n".join([*(f"line {n} " + "x" * 1000 for n in range(500)), "\x1b[2Jroot password=hunter2secret", ""])
    lines = evidence(log)
    assert len(lines) == 40
    assert all(len(line) <= 300 for line in lines)
    assert lines[-1].startswith("root password=<redacted")


@given(st.text(max_size=400))
def test_evidence_of_any_text_moves_no_cursor(text: str) -> None:
    assert not any(ord(char) < 32 for line in evidence(text) for char in line)
    json.dumps(judged("x", 0, text).to_dict())

"""What lies in a folder is known before trivy is asked, so that what it passes over is missed."""

from __future__ import annotations

from pathlib import Path

import pytest
from evasions import EVASIONS, REFUSED

from aegis.model.scan import ScanStatus
from aegis.security.trivytool import folders
from aegis.security.trivytool.asking import Failed

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: nginx:1.27}]}\n"


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def test_files_that_trivy_has_to_look_at(tmp_path: Path) -> None:
    write(tmp_path, {
        "go.mod": "module a\n",
        "sub/requirements.txt": "django==4.2.5\n",
        "node_modules/x/package-lock.json": "{}",
        ".git/requirements.txt": "django==4.2.5\n",
        "Dockerfile": "FROM a\n",
        "sub/Dockerfile.prod": "# empty\n",
        "sub/web.dockerfile": "ARG A\nfrom b\n",
        "README.md": "# trivy:ignore:*\n",
    })  # fmt: skip
    (tmp_path / "linked.yaml").symlink_to("/etc/passwd")
    found = folders.survey(tmp_path, root=False)
    assert sorted(found.expected) == ["Dockerfile", "go.mod", "sub/requirements.txt", "sub/web.dockerfile"]
    assert (found.manifests.objects, found.refused, found.orders) == ((), {}, ())


@pytest.mark.parametrize("name", sorted(EVASIONS))
def test_every_way_of_writing_a_pod_is_a_manifest_or_refused(name: str, tmp_path: Path) -> None:
    found = folders.survey(write(tmp_path, {"deploy.yaml": EVASIONS[name]}), root=False)
    if name in REFUSED:
        assert list(found.refused) == ["deploy.yaml"]
    else:
        assert any(item.ref.kind == "Pod" for item in found.manifests.objects)


def test_other_yaml_and_a_charts_templates_are_no_manifests(tmp_path: Path) -> None:
    write(tmp_path, {
        "ci.yaml": "job: !reference [a]\n",
        "values.yaml": "replicas: 3\n",
        "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "chart/templates/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Values.name }}}\n",
        "broken.yaml": "apiVersion: v1\nkind: Pod\na: [b\n",
    })  # fmt: skip
    found = folders.survey(tmp_path, root=False)
    assert (found.manifests.objects, list(found.refused)) == ((), ["broken.yaml"])


def test_orders_to_look_away_are_found_with_their_line(tmp_path: Path) -> None:
    write(tmp_path, {
        "Dockerfile": "FROM a\n#trivy:ignore:DS-0002\nUSER root\n",
        "main.tf": "# tfsec:ignore:aws-x exp:2026-01-01\n",
        "pod.yaml": f"# trivy:ignore:KSV-0017\n{POD}",
    })  # fmt: skip
    assert folders.survey(tmp_path, root=False).orders == (
        ("Dockerfile", 2, "trivy:ignore:DS-0002"),
        ("main.tf", 1, "tfsec:ignore:aws-x"),
        ("pod.yaml", 1, "trivy:ignore:KSV-0017"),
    )


def test_one_file_is_a_folder_of_one(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "a==1\n", "other.yaml": POD})
    found = folders.survey(tmp_path / "requirements.txt", root=False)
    assert (found.expected, found.manifests.objects) == (("requirements.txt",), ())


def test_a_root_is_not_source(tmp_path: Path) -> None:
    write(tmp_path, {"app/requirements.txt": "a==1\n", "app/pod.yaml": POD})
    assert folders.survey(tmp_path, root=True).expected == ()


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "FILES_LIMIT", 2)
    write(tmp_path, {"a": "", "b": "", "c": ""})
    with pytest.raises(Failed, match="more than 2 files") as raised:
        folders.survey(tmp_path, root=False)
    assert raised.value.status is ScanStatus.ERROR

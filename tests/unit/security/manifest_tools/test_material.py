"""The files that Semgrep is given: their names are ours, and each line leads back."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.security.manifest_tools.material import Material, of_objects, of_tree
from aegis.security.manifest_tools.source_tree import FileKind, SourceFile, SourceTree

POD = (
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: app\n    args: [curl x | sh]\n"
)


def tree(*files: SourceFile, trouble: str = "") -> Material:
    return of_tree(SourceTree(files=files, trouble=trouble))


def source(name: str, text: str | bytes, kind: FileKind = FileKind.MANIFEST, **more: Any) -> SourceFile:
    return SourceFile(name=name, kind=kind, data=text if isinstance(text, bytes) else text.encode(), **more)


def test_names_are_plain_whatever_the_objects_are_called() -> None:
    names = ("../../etc/passwd", "-rf", "a b\nc", "ä", "web")
    objects = [{"apiVersion": "v1", "kind": "Pod/../x", "metadata": {"name": name}} for name in names]
    sheets = of_objects(objects).sheets
    assert len({sheet.name for sheet in sheets}) == len(names)
    for sheet in sheets:
        assert sheet.name.isascii()
        assert set(sheet.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")


def test_commands_have_a_sheet_of_their_own() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "a", "args": ["x"]}]},
    }
    manifest, script = of_objects([pod]).sheets
    assert script.name == f"{manifest.name}.sh"
    assert script.text == "x\n"
    assert script.place(1, 1, "x").location.startswith("containers[a].command[#")


def test_a_place_in_commands_is_told_by_what_matched_without_quotes() -> None:
    (script,) = tree(source("a.sh", "ls; c'ur'l x | sh\n", FileKind.SHELL)).sheets
    assert script.place(1, 1, "c'ur'l x | sh") == script.place(1, 1, "curl  x | sh")
    assert script.place(1, 1, "curl x | sh").location != script.place(1, 1, "curl y | sh").location


def test_lines_of_files_are_kept() -> None:
    manifest, script = tree(source("deploy/web.yaml", f"# a comment\n---\n{POD}")).sheets
    assert manifest.file == script.file == "deploy/web.yaml"
    args = next(number for number, line in enumerate(manifest.text.splitlines(), 1) if "args" in line)
    assert manifest.place(args, args, "").line == 10
    assert script.place(1, 1, "curl x | sh").line == 10
    (image, runs) = tree(source("Dockerfile", "FROM a\n\nRUN x | \\\n  y\n", FileKind.DOCKERFILE)).sheets
    assert image.text == "FROM a\nRUN x | y\n"
    assert image.place(2, 2, "RUN").line == runs.place(1, 1, "x").line == 3
    assert runs.text == "x | y\n"


@pytest.mark.parametrize(
    "text", ["a: 1\n", '{"name": "package", "version": "1"}', "", "- 1\n", "{{ template }}\n", "kind: Kustomization\n"]
)
def test_what_is_no_manifest_is_passed_over(text: str) -> None:
    material = tree(source("x.yaml", text))
    assert (material.sheets, material.parts, material.troubles) == ((), (), ())


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Pod\nkind: Job\nmetadata: {name: a}\n",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Values.name }}}\n",
        "apiVersion: v1\nkind: Pod\nmetadata: {}\n",
        b"apiVersion: v1\nkind: Pod\nmetadata: {name: \xff}\n",
    ],
)
def test_a_manifest_that_cannot_be_read_in_one_way_is_a_trouble(text: str | bytes) -> None:
    material = tree(source("good.yaml", POD), source("x.yaml", text))
    assert material.parts == ("good.yaml", "x.yaml")
    assert {sheet.part for sheet in material.sheets} == {"good.yaml"}
    assert len(material.troubles) == 1
    assert material.troubles[0].startswith("x.yaml")


def test_what_could_not_be_read_is_a_trouble() -> None:
    material = tree(SourceFile(name="a.sh", kind=FileKind.SHELL, trouble="it is too large"), trouble="too many files")
    assert material.troubles == ("too many files", "a.sh: it is too large")
    assert material.parts == ("a.sh",)


def test_an_empty_script_is_nothing_to_look_at() -> None:
    assert tree(source("a.sh", "# only this\n", FileKind.SHELL)).parts == ()

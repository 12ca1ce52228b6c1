"""Where findings are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some
from scans import IMAGE, looked, of_image, privileged, scan, vulnerable

from aegis.security.reports.place import Place, place_of, relative
from aegis.security.reports.scan import Family


def test_the_file_and_line_of_the_finding() -> None:
    item = privileged()
    assert place_of(scan(looked("podsecurity", item)), item) == Place(file="deploy/web.yaml", line=7)


@pytest.mark.parametrize(
    ("within", "file", "shown"),
    [
        ("", "web.yaml", "web.yaml"),
        ("deploy", "web.yaml", "deploy/web.yaml"),
        ("deploy/prod", "../base/web.yaml", "deploy/base/web.yaml"),
        ("deploy", "/elsewhere/web.yaml", "elsewhere/web.yaml"),
        ("deploy", "../../outside.yaml", "outside.yaml"),
        ("deploy", "stdin", "stdin"),
    ],
)
def test_a_path_is_that_of_the_repository(within: str, file: str, shown: str) -> None:
    item = privileged(file=file)
    assert place_of(scan(looked("podsecurity", item), within=within), item).file == shown


def test_an_image_is_shown_by_its_name() -> None:
    assert place_of(of_image(), vulnerable()) == Place(file=IMAGE.name)


def test_what_ran_is_shown_by_its_workload() -> None:
    item = privileged(source="falco", file="", line=0)
    given_scan = scan(looked("falco", item), family=Family.RUNTIME)
    assert place_of(given_scan, item) == Place(file="shop/Deployment/web")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/etc/passwd", "etc/passwd"),
        ("../../a", "a"),
        ("a/./b//c", "a/b/c"),
        ("http://web.shop:80/x?y", "web.shop:80/x?y"),
        ("C:\\a\\b", "C:/a/b"),
        ("", "unknown"),
        ("..", "unknown"),
    ],
)
def test_no_path_leaves_its_folder(path: str, shown: str) -> None:
    assert relative(path) == shown


@given(some.text())
def test_any_path_is_relative(path: str) -> None:
    done = relative(path)
    assert done
    assert not done.startswith("/")
    assert ".." not in done.split("/")

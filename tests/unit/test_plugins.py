from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from aegis.errors import Defect
from aegis.plugins import discover


class Speaker(Protocol):
    name: str

    def speak(self) -> str: ...


_GOOD = "class _S:\n    name = '{0}'\n    def speak(self): return '{0}!'\nPLUGIN = _S()\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Path]:
    folder = tmp_path / f"plugs_{abs(hash(request.node.nodeid))}"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
        del sys.modules[name]
    discover.cache_clear()


def test_finds_in_order_what_is_dropped_in(package: Path) -> None:
    for name in ("zebra", "ant"):
        (package / f"{name}.py").write_text(_GOOD.format(name))
    (package / "_shared.py").write_text("")
    found: tuple[Speaker, ...] = discover(package.name, Speaker)
    assert [plugin.speak() for plugin in found] == ["ant!", "zebra!"]
    assert discover(package.name, Speaker) is found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "has no PLUGIN"),
        ("class PLUGIN:\n    name = 'a'\n    speak = None\n", "is a class"),
        ("class _S:\n    name = 'a'\nPLUGIN = _S()\n", "lacks speak"),
    ],
)
def test_a_module_that_is_no_plugin_is_an_error(package: Path, text: str, words: str) -> None:
    (package / "bad.py").write_text(text)
    with pytest.raises(Defect, match=words):
        discover(package.name, Speaker)


def test_two_of_one_name_are_an_error(package: Path) -> None:
    for module in ("a", "b"):
        (package / f"{module}.py").write_text(_GOOD.format("same"))
    with pytest.raises(Defect, match="two plug-ins"):
        discover(package.name, Speaker)

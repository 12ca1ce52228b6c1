"""The documents say what is so: links lead somewhere, commands exist, the page of settings is the schema's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aegis.interfaces.cli.commands import COMMANDS
from aegis.settings.page import page

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_within_the_project_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_that_is_shown_exists(document: Path) -> None:
    shown = re.findall(r"(?:^|[`$(] ?)aegis ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(shown) <= set(COMMANDS)


def test_the_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if name not in text] == []


def test_every_make_target_that_is_shown_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shown = {
        word
        for document in PAGES
        for words in re.findall(
            r"`make ((?:[a-z]+ ?)+)`|^make ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE
        )
        for word in " ".join(words).split()
    }
    assert {"demo", "test"} <= shown <= targets


def test_the_page_of_settings_is_made_from_the_schema() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == page() + "\n"


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs" / "adr").glob("*.md")]
    assert sorted(numbers) == [f"{index:04d}" for index in range(1, len(numbers) + 1)]

"""KIND/NAME and KIND NAME."""

from __future__ import annotations

import pytest

from aegis.errors import UsageError
from aegis.interfaces.cli.targets import split_target


@pytest.mark.parametrize(
    ("words", "found"),
    [((), None), (("deploy/web",), ("deploy", "web")), (("deploy", "web"), ("deploy", "web"))],
)
def test_both_spellings(words: tuple[str, ...], found: tuple[str, str] | None) -> None:
    assert split_target(words) == found


@pytest.mark.parametrize("words", [("web",), ("deploy/",), ("/web",), ("a/b/c",), ("a", "b", "c"), ("deploy/x", "web")])
def test_anything_else_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        split_target(words)

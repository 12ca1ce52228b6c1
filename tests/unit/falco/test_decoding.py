"""Single values of an item are read as Falco reads them, or refused in its words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aegis.falco.decoding import entry_of, overrides_of, priority_of, text_of, texts_of, truth_of, whole_of
from aegis.falco.problems import Context, LoadError
from aegis.falco.source import Mapping, Sequence, documents

HERE = Context(file="r.yaml", what="rule 'x'", line=1, column=1)


def item(text: str) -> Mapping:
    (document,) = documents(text)
    assert isinstance(document, Mapping)
    return document


def test_values() -> None:
    node = item("{a: x, b: Yes, c: off, d: 12, e: [1, two], f: info, g: [[a, b], c]}")
    assert text_of(node, "a", HERE) == "x"
    assert (truth_of(node, "b", HERE), truth_of(node, "c", HERE)) == (True, False)
    assert whole_of(node, "d", HERE) == 12
    assert texts_of(node, "e", HERE) == ["1", "two"]
    assert priority_of(item("{priority: info}"), HERE).word == "Informational"
    several = node.get("g")
    assert isinstance(several, Sequence)
    assert entry_of(several, HERE) == (("a", "b"), "c")


def test_overrides() -> None:
    node = item("{override: {condition: append, priority: replace}}")
    assert overrides_of(node, ("condition",), ("priority",), HERE) == (["condition"], ["priority"])
    assert overrides_of(item("{a: b}"), (), (), HERE) == ([], [])


@pytest.mark.parametrize(
    ("read", "text", "why"),
    [
        (text_of, "{z: 1}", "no mapping for key 'a'"),
        (text_of, "{a: }", "is empty"),
        (text_of, "{a: ''}", "must be non-empty"),
        (text_of, "{a: [1]}", "not a scalar"),
        (truth_of, "{a: maybe}", "Can't decode"),
        (whole_of, "{a: -1}", "Can't decode"),
        (texts_of, "{a: x}", "not a sequence"),
        (texts_of, "{a: [[x]]}", "not scalar"),
    ],
)
def test_what_is_refused(read: Callable[[Mapping, str, Context], object], text: str, why: str) -> None:
    with pytest.raises(LoadError, match=why):
        read(item(text), "a", HERE)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{override: {a: append}}", "cannot be appended"),
        ("{override: {a: replace}}", "cannot be replaced"),
        ("{override: {a: b}}", "Invalid override"),
    ],
)
def test_overrides_that_are_refused(text: str, why: str) -> None:
    with pytest.raises(LoadError, match=why):
        overrides_of(item(text), (), (), HERE)

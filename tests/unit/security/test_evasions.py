"""One privileged pod in every disguise: found in each, or the manifest is refused. Real tools are held to it in tests/scanners."""

from __future__ import annotations

import pytest
from evasions import EVASIONS, REFUSED, SEEN

from aegis.security.canonical import canonicalise
from aegis.security.scanners.podsecurity import look
from aegis.security.strict_yaml import NotCanonical


@pytest.mark.parametrize("name", SEEN)
def test_it_is_found(name: str) -> None:
    found = look(canonicalise(EVASIONS[name], source=name).plain).findings
    assert name in {item.subject.name for item in found if item.rule_id == "pss-baseline-privileged"}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_it_is_refused(name: str) -> None:
    with pytest.raises(NotCanonical):
        canonicalise(EVASIONS[name], source=name)


def test_all_disguises_look_alike_afterwards() -> None:
    texts = {
        item.text.replace(f"name: {name}\n", "name: NAME\n").partition("annotations:")[0]
        for name in ("plain", "word-yes", "tag", "crlf", "list", "directive", "comment-for-semgrep", "utf-16", "letter")
        for item in canonicalise(EVASIONS[name]).objects
        if item.ref.kind == "Pod"
    }
    assert len(texts) == 1

"""What stays of a triage can be pasted: the words of whoever was watched are words there, and nothing else."""

from __future__ import annotations

from datetime import date

import pytest
from falco_story import PACKAGES, alert
from hypothesis import given
from hypothesis import strategies as st

from aegis.falco.alert import Alert
from aegis.triage.baseline import Entry, read
from aegis.triage.chains import correlated
from aegis.triage.classify import Context, Judged, judged
from aegis.triage.records import baseline_entry, runbook_line
from aegis.triage.tuning import Mend

TODAY = date(2026, 11, 21)
MEND = Mend(kind="exception", rule=PACKAGES, summary="s", proof=None, owner="team\n# x", expires=date(2027, 1, 1))
WORDS = st.one_of(
    st.sampled_from([
        "a*b",
        "[x]",
        "a?",
        "`x`",
        "- x: y",
        "a\nb",
        "#",
        "{{x}}",
        'q"q',
        "it's",
        "é",
        "val(x)",
        "null",
        "1",
    ]),
    st.text(min_size=1, max_size=30),
)


def group(history: list[Alert]) -> Judged:
    context = Context(history=history, found=correlated(history), entries=(), today=TODAY)
    return judged(context)[0]


@given(name=WORDS, namespace=WORDS, image=WORDS)
def test_the_entry_vouches_for_exactly_what_it_was_made_from(name: str, namespace: str, image: str) -> None:
    one = alert(PACKAGES, name=name, path="/usr/bin/x", namespace=namespace, image=image)
    text = baseline_entry([one], group([one]), MEND)
    if not text:
        return
    entries: tuple[Entry, ...] = read(text, "t", is_own=False)
    assert all(entry.vouches_for(one, TODAY) for entry in entries)
    for other in (
        alert(PACKAGES, name=f"{name}x", path="/usr/bin/x", namespace=namespace, image=image),
        alert(PACKAGES, name=name, path="/usr/bin/x", namespace=f"{namespace}x", image=image),
        alert(PACKAGES, name=name, path="/usr/bin/x", namespace=namespace, image=f"x{image}"),
    ):
        assert not any(entry.vouches_for(other, TODAY) for entry in entries)


@given(name=WORDS, namespace=WORDS)
def test_the_runbooks_line_is_one_line_without_markup(name: str, namespace: str) -> None:
    one = alert(PACKAGES, name=name, path=f"/opt/{name}", namespace=namespace)
    line = runbook_line(group([one]), MEND, TODAY)
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert line.count("`") == 2
    assert line.count("**") == 2
    assert not set("<[|\\#") & set(line)


@pytest.mark.parametrize("kind", ["image-bake", "exception", "suppression"])
def test_what_was_done_is_told(kind: str) -> None:
    one = alert(PACKAGES, name="apt-get")
    mend = Mend(kind=kind, rule=PACKAGES, summary="s", proof=None)  # type: ignore[arg-type]  # one of them
    told = {"image-bake": "Built into", "exception": "Scoped exception", "suppression": "Rule switched off"}[kind]
    assert told in runbook_line(group([one]), mend, TODAY)

"""Shadows, kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aegis.errors import NotFound, Unavailable
from aegis.model.refs import ObjectRef
from aegis.model.shadow import Home, ShadowSession, Stage, Wanted
from aegis.model.verdict import Decision, GateResult, Outcome
from aegis.stores.shadows import FileShadowStore

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
SESSION = ShadowSession(
    id="1a2b3c4d",
    provider="namespace",
    cluster_uid="c",
    target=WEB,
    created_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    stage=Stage.STANDING,
    home=Home(name="aegis-shadow-1a2b3c4d-s", uid="u1"),
    isolation=GateResult(gate="isolation", outcome=Outcome.PASSED, required=True),
    workloads=(Wanted(ref=WEB, pods=2),),
    gaps=("no load",),
    decision=Decision.ACCEPT,
)


@pytest.fixture
def store(tmp_path: Path) -> FileShadowStore:
    return FileShadowStore(tmp_path / "shadows", cluster_uid="c")


def test_what_is_kept_is_found_again(store: FileShadowStore) -> None:
    later = replace(SESSION, id="1a99", created_at=NOW + timedelta(minutes=1), isolation=None, home=None)
    for session in (SESSION, later, replace(SESSION, id="ffff", cluster_uid="another")):
        store.save(session)
    assert store.list() == [later, SESSION], "the newest first, and only of this cluster"
    assert store.load("1a2b3c4d") == store.load("1a2") == SESSION
    store.forget(SESSION.id)
    store.forget(SESSION.id)
    assert store.list() == [later]


def test_saving_replaces(store: FileShadowStore) -> None:
    store.save(SESSION)
    store.save(replace(SESSION, stage=Stage.DELETING))
    assert store.load(SESSION.id).stage is Stage.DELETING


@pytest.mark.parametrize("words", ["", "x", "1a", "../1a2b3c4d"])
def test_what_is_not_there_or_not_clear_is_not_found(store: FileShadowStore, words: str) -> None:
    store.save(SESSION)
    store.save(replace(SESSION, id="1a99"))
    with pytest.raises(NotFound):
        store.load(words)


def test_nothing_is_made_for_those_who_only_look(store: FileShadowStore, tmp_path: Path) -> None:
    assert store.list() == []
    store.forget("x")
    assert list(tmp_path.iterdir()) == []


def test_an_id_leads_nowhere_else(store: FileShadowStore) -> None:
    with pytest.raises(NotFound):
        store.save(replace(SESSION, id="../../x"))


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"\xff", b'{"id": 3}'])
def test_a_damaged_file_is_named(store: FileShadowStore, tmp_path: Path, content: bytes) -> None:
    store.save(SESSION)
    (tmp_path / "shadows" / "1a2b3c4d.json").write_bytes(content)
    with pytest.raises(Unavailable, match=r"1a2b3c4d\.json"):
        store.list()

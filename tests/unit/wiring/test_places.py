"""Where the state lies, and who may look into it."""

from __future__ import annotations

from pathlib import Path

from aegis.settings import load
from aegis.wiring.places import Places, places_of


def test_the_head_of_the_log_is_kept_apart_from_it(tmp_path: Path) -> None:
    places = Places(folder=tmp_path)
    assert places.anchor.parent != places.audit


def test_the_usual_state_folder_is_closed_and_one_that_a_person_named_is_not(tmp_path: Path) -> None:
    for name in ("xdg/aegis", "named"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "xdg").chmod(0o755)
    env = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "xdg")}
    usual = places_of(load(None, {}, environ=env)).folder
    named = places_of(load(None, {}, environ=env | {"AEGIS_STATE__FOLDER": str(tmp_path / "named")})).folder
    assert [path.stat().st_mode & 0o777 for path in (usual, usual.parent, named)] == [0o700, 0o755, 0o755]

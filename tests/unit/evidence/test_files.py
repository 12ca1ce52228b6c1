import os
from pathlib import Path

from aegis.evidence.files import MOST_BYTES, TextFile, Unread, read_files


def _why(found: list[TextFile | Unread]) -> dict[str, str]:
    return {item.path.name: item.why for item in found if isinstance(item, Unread)}


def test_files_are_read_in_order_with_their_folders(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "two.txt").write_text("2")
    (tmp_path / "a.txt").write_text("1")

    found = list(read_files([tmp_path]))

    assert [(item.parts, item.text) for item in found if isinstance(item, TextFile)] == [
        (("a.txt",), "1"),
        (("b", "c", "two.txt"), "2"),
    ]


def test_a_link_may_not_lead_out(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret").write_text("s")
    (inside / "out").symlink_to(outside / "secret")
    (inside / "folder").symlink_to(outside)
    (inside / "broken").symlink_to(inside / "nowhere")
    (inside / "loop").symlink_to(inside / "loop")
    (inside / "here").write_text("h")
    (inside / "in").symlink_to(inside / "here")

    found = list(read_files([inside]))

    assert sorted(item.path.name for item in found if isinstance(item, TextFile)) == ["here", "in"]
    assert set(_why(found)) == {"out", "folder", "broken", "loop"}


def test_what_is_no_text_or_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\x7fELF\0\0")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(MOST_BYTES + 1)

    found = _why(list(read_files([tmp_path, tmp_path / "missing"])))

    assert found.keys() == {"binary", "pipe", "huge", "missing"}


def test_depth_is_bounded(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(30):
        deep = deep / "d"
        deep.mkdir()
    (deep / "x").write_text("x")

    assert [type(item) for item in read_files([tmp_path])] == [Unread]

"""Reading files of waivers from a disk; their content is the business of `test_waivers.py` and `test_openvex.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.errors import UsageError
from aegis.security.waiver_files import load


def test_both_forms_are_read(tmp_path: Path) -> None:
    waivers = tmp_path / "waivers.yaml"
    waivers.write_text("waivers:\n- {id: CVE-1, owner: ana, reason: r, expires: 2026-12-31}\n")
    assert [waiver.id for waiver in load(waivers)] == ["CVE-1"]
    vex = tmp_path / "vex.json"
    vex.write_text(
        '{"@context": "https://openvex.dev/ns/v0.2.0", "author": "a", "timestamp": "2026-01-01T00:00:00Z",\n'
        '\t"statements": [{"vulnerability": {"name": "CVE-2"}, "status": "fixed", "products": [{"@id": "x"}]}]}'
    )
    assert [waiver.id for waiver in load(vex)] == ["CVE-2"]


@pytest.mark.parametrize("content", [None, b"a: [", b"a: 1\na: 2", b"\xff\xff", b"#" * (9 << 20)])
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "waivers.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=r"waivers\.yaml"):
        load(file)

"""A small vulnerability database for the real trivy, and images to look at: written here, so that no test downloads one.

`trivy.db` is a bbolt file. Its format, as far as it is needed: pages of one size; each page begins with its number (u64),
what it is (u16), how many entries it has (u16) and over how many more pages it runs (u32). Pages 0 and 1 are metas, of
which the one with the higher transaction number holds; then a list of free pages, and the leaves. A leaf entry is a flag
(1: its value is a bucket), its offset from the entry itself, and the lengths of key and value; keys are sorted. The value
of a bucket is the number of its page and a sequence number. Nothing here has so many entries that it needs a branch.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_PAGE = 4096
_MAGIC = 0xED0CDAED
_LEAF, _META, _FREE = 0x02, 0x04, 0x10
_HEADER = struct.Struct("<QHHI")
_ENTRY = struct.Struct("<IIII")
_BUCKET = struct.Struct("<QQ")
_META_BODY = struct.Struct("<IIIIQQQQQ")


class Bucket(dict[str, Any]):
    """A bucket: keys to buckets, or to JSON values."""


def write_bolt(path: Path, root: Bucket) -> None:
    """Write a bbolt file with these buckets."""
    pages: dict[int, bytes] = {2: _page(2, _FREE, 0, b"")}
    following = 3
    root_page, following = _write_bucket(root, pages, following)
    for number in (0, 1):
        pages[number] = _meta(number, root_page, following)
    with path.open("wb") as file:
        for number in sorted(pages):
            file.seek(number * _PAGE)
            file.write(pages[number])
        file.truncate(max(following, 8) * _PAGE)


def _write_bucket(bucket: Bucket, pages: dict[int, bytes], following: int) -> tuple[int, int]:
    entries: list[tuple[int, bytes, bytes]] = []
    for key, value in sorted(bucket.items(), key=lambda item: item[0].encode()):
        if isinstance(value, Bucket):
            number, following = _write_bucket(value, pages, following)
            entries.append((1, key.encode(), _BUCKET.pack(number, 0)))
        else:
            entries.append((0, key.encode(), json.dumps(value).encode()))
    index, data = bytearray(), bytearray()
    for at, (flag, name, content) in enumerate(entries):
        offset = (len(entries) - at) * _ENTRY.size + len(data)
        index += _ENTRY.pack(flag, offset, len(name), len(content))
        data += name + content
    body = _page(following, _LEAF, len(entries), bytes(index + data))
    pages[following] = body
    return following, following + len(body) // _PAGE


def _page(number: int, kind: int, count: int, body: bytes) -> bytes:
    more = (_HEADER.size + len(body) - 1) // _PAGE
    return (_HEADER.pack(number, kind, count, more) + body).ljust((more + 1) * _PAGE, b"\0")


def _meta(number: int, root_page: int, following: int) -> bytes:
    body = _META_BODY.pack(_MAGIC, 2, _PAGE, 0, root_page, 0, 2, following, number)
    return _page(number, _META, 0, body + struct.pack("<Q", _fnv1a(body)))


def _fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) % (1 << 64)
    return value


# ── what the database knows ──────────────────────────────────────────────────────────────────────────────────────────

_SEVERITIES = ("UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL")


def vulnerability(severity: str, title: str) -> dict[str, Any]:
    """What is known of a vulnerability apart from packages."""
    number = _SEVERITIES.index(severity)
    return {"Title": title, "Description": f"{title}.", "Severity": severity, "VendorSeverity": {"nvd": number}}


def os_advisory(fixed: str, *vendor_ids: str) -> dict[str, Any]:
    """An advisory of a distribution; `fixed` empty: nobody has mended it."""
    return {**({"FixedVersion": fixed} if fixed else {}), **({"VendorIDs": list(vendor_ids)} if vendor_ids else {})}


def library_advisory(vulnerable: str, patched: str, *vendor_ids: str) -> dict[str, Any]:
    """An advisory of a language's packages."""
    return {"VulnerableVersions": [vulnerable], "PatchedVersions": [patched], "VendorIDs": list(vendor_ids)}


def bucket(tree: Mapping[str, Any], depth: int) -> Bucket:
    """Mappings as buckets, down to a depth; what is deeper is JSON."""
    return Bucket({key: bucket(value, depth - 1) if depth > 1 else value for key, value in tree.items()})


def write_database(
    folder: Path,
    advisories: Mapping[str, Mapping[str, Mapping[str, Any]]],
    vulnerabilities: Mapping[str, Any],
    *,
    updated: datetime | None = None,
) -> Path:
    """A cache folder of trivy with a database in it.

    Args:
        folder: where; made if it is not there.
        advisories: by source (`debian 12`, `pip::GitHub Security Advisory Pip`), package and id.
        vulnerabilities: by id.
        updated: when the database says that it was made; now if None.

    Returns:
        The folder.
    """
    place = folder / "db"
    place.mkdir(parents=True, exist_ok=True)
    root = bucket(advisories, 3)
    root["vulnerability"] = bucket(vulnerabilities, 1)
    root["data-source"] = bucket({name: {"ID": "test", "Name": name, "URL": ""} for name in advisories}, 1)
    write_bolt(place / "trivy.db", root)
    moment = updated or datetime.now(UTC)
    stamp = moment.isoformat().replace("+00:00", "Z")
    later = (moment + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    metadata = {"Version": 2, "UpdatedAt": stamp, "NextUpdate": later, "DownloadedAt": stamp}
    (place / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    return folder

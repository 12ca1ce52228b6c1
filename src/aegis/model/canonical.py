"""One spelling for one value: canonical JSON and its digest.

Keys sorted, no blanks, UTF-8, no NaN: close to RFC 8785 (JCS) for what Kubernetes objects hold (strings, integers,
booleans, null), so that equal values have equal bytes and a digest can be bound to them.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """The canonical bytes of a JSON value.

    Raises:
        ValueError: for NaN and infinities, which JSON does not have.
        TypeError: for what is no JSON value.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", errors="surrogatepass")


def digest(value: Any) -> str:
    """`sha256:` and the hexadecimal SHA-256 of the canonical JSON of a value."""
    return "sha256:" + hashlib.sha256(canonical_json(value)).hexdigest()

"""Values in the query languages of VictoriaLogs and Loki, both of which read a Go string: nothing gets out of the quotes."""

from __future__ import annotations

import json


def quoted(value: str) -> str:
    """A value as a double-quoted Go string.

    JSON's escapes are a part of Go's ("The Go Programming Language Specification", String literals). What is no Unicode
    (a lone surrogate) has no form there: it becomes U+FFFD, which matches nothing that is stored.
    """
    sound = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return json.dumps(sound, ensure_ascii=False)

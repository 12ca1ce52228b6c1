"""Taking secrets out of what is read, where it is read: nothing behind this module ever sees one.

A secret becomes `<redacted:KIND:NNNNNN>`: the six digits are a keyed hash, so that equal secrets stay equal within one
process while the digits tell nothing to who lacks the key. (Digits, because `aegis.model.symptom.mask` masks numbers:
so lines compare across processes too.) Redacting twice changes nothing.

Every pattern is bounded or begins at a boundary, so time grows linearly with the text, whatever the text.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

_NAME: Final = (
    r"(?:(?<!invalid )(?<!unexpected )(?<!missing )(?<!expired )"
    r"(?:password|passwd|passphrase|passcode|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|signing[_-]?key|encryption[_-]?key|account[_-]?key|dockerconfigjson)"
    r"|(?<=[\w.-])(?<!old)pwd)"
)
_NOT_A_VALUE: Final = (
    r"(?:s?[_.-]?(?:name|namespace|ref|keyref|file|path|mount|dir|expir|request|type|count|length|ttl|policy|review"
    r"|audience|issuer|version|provider|store|class|rotation|controller)|(?<=secret)s\b|(?<=token)s\b)"
)
_SAYS_SECRET: Final = re.compile(rf"{_NAME}(?!{_NOT_A_VALUE})", re.IGNORECASE)

_ASSIGNED: Final = re.compile(
    rf"(?P<head>{_NAME}(?!{_NOT_A_VALUE})[\w.-]{{0,64}}(?:\\?[\"'])?[ \t]{{0,8}}[:=][ \t]{{0,8}}(?:(?:bearer|basic)[ \t]{{1,8}})?)"
    r"(?!true\b|false\b|null\b|none\b|nil\b|<)"
    r"(?:(?P<quote>\\?[\"'])(?!<redacted:)(?P<quoted>[^\"'\\\n]{1,4096})|(?P<bare>[^\s\"'\\,;&<>(){}\[\]]{1,4096}))",
    re.IGNORECASE,
)
_HINTS: Final = ("passw", "passp", "passc", "pwd", "secret", "token", "credential", "key", "dockerconfig")
"""A line without any of these cannot match `_ASSIGNED`, which is the slowest pattern."""

_HEADER: Final = re.compile(
    r"(?P<head>authorization[\"']?[ \t]{0,8}[:=][ \t]{0,8}[\"']?(?:bearer|basic|token|digest|apikey)[ \t]{1,8})"
    r"(?P<value>[A-Za-z0-9._~+/=-]{1,8192})",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(  # not `basic authentication`: a plain word is no credential
    r"\b(?P<head>(?i:bearer|basic)[ \t]{1,8})(?![A-Za-z]?[a-z]{0,64}(?![A-Za-z0-9._~+/=-]))"
    r"(?P<value>[A-Za-z0-9._~+/=-]{12,8192})"
)
_JWT: Final = re.compile(r"(?<![\w-])eyJ[\w-]{6,8192}\.[\w-]{4,8192}(?:\.[\w-]{0,8192})?")
_URL: Final = re.compile(
    r"(?P<head>\b[A-Za-z][A-Za-z0-9+.-]{0,20}://(?:[^/\s:@\"'<>]{0,256}:)?)(?!<redacted:)(?P<value>[^/\s@\"'<>]{1,1024})(?=@)"
)
_WELL_KNOWN: Final = (
    ("jwt", ("eyJ",), _JWT),
    (
        "aws-key",
        ("AKIA", "ASIA", "AGPA", "AIDA", "AROA", "ANPA"),
        re.compile(r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[0-9A-Z]{16}\b"),
    ),
    (
        "github-token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{30,255})\b"),
    ),
    ("gitlab-token", ("glpat-",), re.compile(r"\bglpat-[\w-]{16,255}")),
    ("slack-token", ("xox",), re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,255}")),
    ("google-key", ("AIza",), re.compile(r"\bAIza[\w-]{35}")),
    (
        "api-key",
        ("sk_", "sk-", "rk_", "rk-"),
        re.compile(r"\b[sr]k[-_](?:live|test|proj|ant)[-_][\w-]{12,255}"),
    ),
)
"""Kind, what the text must contain for the pattern to be worth trying, pattern."""

_BEGIN_KEY: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END_KEY: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_MARK: Final = re.compile(r"<redacted:[a-z-]+:\d{6}>")

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_DEEPEST: Final = 100


class Redactor:
    """Redacts with one key.

    Args:
        key: makes the digits; equal secrets compare only under equal keys.
        remember: keep what was taken out, in memory only, so that `restore` can put it back.
    """

    def __init__(self, *, key: bytes, remember: bool = False) -> None:
        self._key = key
        self._originals: dict[str, str] | None = {} if remember else None

    def text(self, text: str) -> str:
        """The text without private keys, tokens, passwords in URLs and values that a name calls secret."""
        text = self._private_keys(text)
        for kind, literals, pattern in _WELL_KNOWN:
            if any(literal in text for literal in literals):
                text = pattern.sub(partial(self._matched, kind), text)
        if "://" in text:
            text = _URL.sub(lambda match: match["head"] + self._mark("url", match["value"]), text)
        for pattern in (_HEADER, _BEARER):
            text = pattern.sub(lambda match: match["head"] + self._mark("token", match["value"]), text)
        return "\n".join(self._assignments(line) for line in text.split("\n"))

    def object(self, value: Any) -> Any:
        """A JSON value without secrets: texts as `text`, and by what Kubernetes' structure says.

        The data of a Secret, the value of an environment variable or key whose name says secret, and the same within
        a last-applied annotation. The value given stays as it is.
        """
        return self._any(value, depth=0)

    def restore(self, text: str) -> str:
        """Put back what this redactor took out (with `remember`); a mark that it did not make stays."""
        originals = self._originals or {}
        return _MARK.sub(lambda match: originals.get(match[0], match[0]), text)

    def _mark(self, kind: str, secret: str) -> str:
        number = int.from_bytes(hmac.digest(self._key, secret.encode("utf-8", "surrogatepass"), hashlib.sha256)[:8])
        mark = f"<redacted:{kind}:{number % 1_000_000:06d}>"
        if self._originals is not None and self._originals.setdefault(mark, secret) != secret:
            return self._mark(kind, secret + "\0")
        return mark

    def _matched(self, kind: str, match: re.Match[str]) -> str:
        return self._mark(kind, match[0])

    def _assignments(self, line: str) -> str:
        folded = line.casefold()
        return _ASSIGNED.sub(self._assigned, line) if any(hint in folded for hint in _HINTS) else line

    def _assigned(self, match: re.Match[str]) -> str:
        value = match["quoted"] or match["bare"]
        return match["head"] + (match["quote"] or "") + self._mark("value", value)

    def _private_keys(self, text: str) -> str:
        begin = _BEGIN_KEY.search(text)
        if begin is None:
            return text
        parts: list[str] = []
        at = 0
        while begin is not None:
            end = _END_KEY.search(text, begin.end())
            stop = end.end() if end else len(text)
            parts += [text[at : begin.start()], self._mark("private-key", text[begin.start() : stop])]
            at = stop
            begin = _BEGIN_KEY.search(text, at)
        return "".join((*parts, text[at:]))

    def _any(self, value: Any, *, depth: int) -> Any:
        if depth > _DEEPEST:
            return self._mark("depth", "")
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return self._mapping(value, depth=depth)
            case list() | tuple():
                return self._list(list(value), depth=depth)
            case _:
                return value

    def _mapping(self, value: Mapping[str, Any], *, depth: int) -> dict[str, Any]:
        secret = value.get("kind") == "Secret" and "metadata" in value
        named = isinstance(value.get("name"), str) and says_secret(value["name"])
        result: dict[str, Any] = {}
        for key, item in value.items():
            if secret and key in {"data", "stringData"} and isinstance(item, Mapping):
                result[key] = {name: self._whole("secret", content) for name, content in item.items()}
            elif isinstance(item, str) and ((key == "value" and named) or says_secret(key)):
                result[key] = self._whole("value", item)
            elif key == _LAST_APPLIED and isinstance(item, str):
                result[key] = self._last_applied(item, depth=depth)
            else:
                result[key] = self._any(item, depth=depth + 1)
        return result

    def _list(self, items: list[Any], *, depth: int) -> list[Any]:
        """A list; a private key spread over its lines is taken out line by line."""
        result: list[Any] = []
        inside = False
        for item in items:
            if not isinstance(item, str):
                result.append(self._any(item, depth=depth + 1))
                continue
            ends = inside and _END_KEY.search(item)
            result.append(self._whole("private-key", item) if inside else self.text(item))
            if inside:
                inside = not ends
            else:
                begun = list(_BEGIN_KEY.finditer(item))
                inside = bool(begun) and not _END_KEY.search(item, begun[-1].end())
        return result

    def _last_applied(self, text: str, *, depth: int) -> str:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return self.text(text)
        return json.dumps(self._any(value, depth=depth + 1), separators=(",", ":"), ensure_ascii=False)

    def _whole(self, kind: str, value: Any) -> Any:
        if not isinstance(value, str) or not value or _MARK.fullmatch(value):
            return value
        return self._mark(kind, value)


def says_secret(name: str) -> bool:
    """Whether a variable or key of this name holds a secret: `DB_PASSWORD` does, `secretName` and `TOKEN_FILE` do not."""
    return _SAYS_SECRET.search(name[:256]) is not None


def contains_mark(value: Any) -> bool:
    """Whether a JSON value holds a redaction mark: such a value must never be written anywhere."""
    match value:
        case str():
            return _MARK.search(value) is not None
        case Mapping():
            return any(contains_mark(key) or contains_mark(item) for key, item in value.items())
        case list() | tuple():
            return any(contains_mark(item) for item in value)
        case _:
            return False


_OF_THIS_PROCESS: Final = Redactor(key=secrets.token_bytes(32))


def redact_text(text: str) -> str:
    """`Redactor.text` with a key of this process."""
    return _OF_THIS_PROCESS.text(text)


def redact_object(value: Any) -> Any:
    """`Redactor.object` with a key of this process."""
    return _OF_THIS_PROCESS.object(value)

"""Which environment variables a line of output says are not set. Pure.

Programs say it in many words: `KeyError: 'REGION'`, `sh: 1: REGION: parameter not set`, `REGION is required`, `Set the
REGION environment variable`, `required key REGION missing value`. Two things are looked for in one line: words that say
that something is lacking, and a name as variables have them. Where the line speaks of variables, or says of the very name
that it is lacking, the line itself is the sign. Else the name may stand there by chance, and counts only for who knows
from elsewhere that there is such a variable.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from errno import errorcode

LONGEST = 1000
"""Characters of a line that are read."""

_STATE = r"(?:set|defined|found|provided|given|specified|supplied|configured|present|declared|exported|initiali[sz]ed)"
_LACK = (
    rf"(?:(?:not|n't|never) (?:been )?{_STATE}|does(?: not|n't) exist|undefined|unset|unbound|missing|absent|required|needed"
    r"|must (?:be |not be )?(?:set|given|provided|defined|specified|present|supplied|empty|blank|null)"
    r"|(?:is|was) (?:empty|blank|null|nil|none)|can(?:not|'t) be (?:empty|blank|null|found)"
    r"|parameter (?:null or )?not set|could(?: not|n't) be (?:found|resolved))"
)
_WANT = (
    r"(?:KeyError|key not found|missing|undefined|unset|required|requires?|need(?:s|ed)?|no value for|no such (?:key|variable)"
    r"|(?:please|must|first|to)[ ,]+(?:set|provide|define|specify|export|supply)|\bset|(?:could|can|did)(?: ?not|n't) (?:find|resolve|read|load)"
    r"|expected|undefined array key|cannot be null)"
)
_OF_VARIABLES = re.compile(
    r"\benv(?:s|ironment|config)?\b|\b(?:environment|env|config(?:uration)?)[ _-]?var|\bvariables?\b|KeyError|placeholder"
    r"|array key|\bkey not found\b|Parameter ['\"]|os\.Getenv|process\.env|unbound|parameter (?:null or )?not set|NotPresent|EnvError",
    re.IGNORECASE,
)
_SAYS_LACK = re.compile(rf"{_LACK}|{_WANT}|NotPresent", re.IGNORECASE)
_NAME = r"[A-Z][A-Z0-9_]{1,63}"
_NAMED = re.compile(rf"(?<![\w./@-]){_NAME}(?![\w=/-])(?!\.\w)")
_OPEN, _CLOSE = r"[\"'`“\u2018(\[{<]*\$?\{?", r"\}?[\"'`”\u2019)\]}>]*"
_LINK = r"[:,]?(?: (?:env(?:ironment)?(?: var(?:iable)?)?|var(?:iable)?|key|configuration|setting|is|was|are|has|have|which|that|of|the|a|an|it|value))*[:,]? ?\[?['\"]? ?"
_BESIDE = (
    re.compile(rf"{_OPEN}(?P<name>{_NAME}){_CLOSE}{_LINK}(?i:{_LACK}|not present)"),
    re.compile(rf"(?i:{_WANT}){_LINK}{_OPEN}(?P<name>{_NAME})(?![\w=/-]){_CLOSE}"),
)
_SHELL = re.compile(rf"^\S+: (?:line )?\d+: (?P<name>{_NAME}): (?!not found|[Pp]ermission denied|command not found)")
_ANY_CASE = re.compile(r"(?:KeyError: ?|key not found: ?:?)['\"](?P<name>[A-Za-z_]\w{1,63})['\"]")
_CODES = frozenset({*errorcode.values(), *signal.Signals.__members__, "ENOTFOUND", "EAI_AGAIN"})
_COMMON = _CODES | {
    "ERROR", "WARN", "WARNING", "INFO", "DEBUG", "FATAL", "TRACE", "CRITICAL", "NOTICE", "ALERT", "PANIC",
    "SEVERE", "HTTP", "HTTPS", "TLS", "SSL", "TCP", "UDP", "DNS", "IP", "URL", "URI", "URLS", "JSON", "YAML",
    "XML", "HTML", "SQL", "CSV", "API", "GET", "POST", "PUT", "PATCH", "HEAD", "DELETE", "OPTIONS", "NOT",
    "FOUND", "NULL", "NONE", "NIL", "TRUE", "FALSE", "OK", "FAIL", "FAILED", "EOF", "AND", "OR", "THE", "IS",
    "ID", "UTC", "GMT", "AM", "PM", "CPU", "RAM", "OOM", "PID", "UID", "GID", "ASCII", "UTF", "SSH", "FTP",
    "SMTP", "LDAP", "AWS", "GCP", "ENV", "VAR", "CONFIG", "FILE", "EXIT",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """A variable that a line says is not set.

    Attributes:
        name: the variable.
        clear: whether the line itself says so; else it may be chance, and somebody else has to know the variable.
    """

    name: str
    clear: bool


def lacking(line: str) -> tuple[Lacking, ...]:
    """The variables that a line says are not set, the clear ones first, each once."""
    line = line[:LONGEST]
    if (shell := _SHELL.search(line)) is not None:
        return (Lacking(name=shell["name"], clear=True),)
    if not _SAYS_LACK.search(line):
        return ()
    found = sorted(_found(line), key=lambda one: not one.clear)
    return tuple({one.name: one for one in reversed(found)}.values())[::-1]


def _found(line: str) -> Iterator[Lacking]:
    beside = [match["name"] for pattern in _BESIDE for match in pattern.finditer(line)]
    named = [match[0] for match in _NAMED.finditer(line)]
    compound = any("_" in name for name in named)
    of_variables = _OF_VARIABLES.search(line) is not None
    for name in (*beside, *named):
        if name in _COMMON or ("_" not in name and compound):
            continue
        said_of_it = name in beside and ("_" in name or _is_plain(line, name))
        yield Lacking(name=name, clear=of_variables or said_of_it)
    for match in _ANY_CASE.finditer(line):
        yield Lacking(name=match["name"], clear=match["name"].isupper())


def _is_plain(line: str, name: str) -> bool:
    """Whether a name of one word is the only word in capitals: else it may be an abbreviation."""
    return all(match[0] == name or match[0] in _COMMON for match in _NAMED.finditer(line))

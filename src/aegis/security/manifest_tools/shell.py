"""What a manifest, a Dockerfile or a script has a shell do, one command a line, so that rules for lines see it. Pure.

Source of `$(NAME)`: Kubernetes replaces it in `command` and `args` by the container's own variables; `$$(NAME)` stays.
Quotes and backslashes within a word mean nothing to a shell: each line that has some is written without them as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aegis.kube.pod_template import ContainerAt, containers, pod_spec_of
from aegis.model.refs import Json

_HOOKS: Final = ("lifecycle.postStart", "lifecycle.preStop", "livenessProbe", "readinessProbe", "startupProbe")
_VARIABLE: Final = re.compile(r"\$\$\([^()]*\)|\$\(([^()]+)\)")
_QUOTES: Final = re.compile(r"""[\\'"^]""")
_BLANKS: Final = re.compile(r"\$\{?IFS\}?(?:\$\d)?")
_FIRST_LINE: Final = re.compile(r"#!.*\b(?:ba|da|z|k|a)?sh\b")
_SCRIPT: Final = (".sh", ".bash", ".ksh", ".zsh")
_LONGEST: Final = 20_000
_LONGEST_WORD: Final = 400
_OVERLAP: Final = 1000
OVERLONG: Final = "aegis: this command was too long to be looked at as a whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One line that a shell may come to run.

    Attributes:
        text: without line breaks.
        location: the place that holds it.
        line: its first line in the file it comes from, from 1; 0 where that is not known.
        written: the place where it stands, if that is another.
    """

    text: str
    location: str
    line: int = 0
    written: str = ""


def commands_of(obj: Json) -> Iterator[Command]:
    """What the containers of an object run, and the scripts that a ConfigMap or Secret holds as text."""
    for at in containers(pod_spec_of(obj) or {}):
        yield from _of_container(at)
    for group in ("data", "stringData") if obj.get("kind") in {"ConfigMap", "Secret"} else ():
        for name, text in _mapping(obj.get(group)).items():
            if isinstance(text, str) and (str(name).endswith(_SCRIPT) or is_script(text)):
                yield from commands(text, location=f"{group}[{name}]")


def is_script(text: str) -> bool:
    """Whether the first line says that a shell is to run it."""
    return _FIRST_LINE.match(text) is not None


def commands(text: str, *, location: str = "", numbered: bool = False) -> Iterator[Command]:
    """The commands of a script: continued lines joined, comments left out, and each again without its quotes.

    Args:
        text: the script.
        location: the place that holds it.
        numbered: whether lines are counted.
    """
    line = 1
    for parts in _joined(text):
        plain = " ".join(_short(word) for part in parts for word in part.removesuffix("\\").split())
        bare = " ".join(_QUOTES.sub("", _BLANKS.sub(" ", plain)).split())
        for form in dict.fromkeys((plain, bare)):
            for piece in _pieces(form):
                yield Command(text=piece, location=location, line=line if numbered else 0)
        line += len(parts)


def _short(word: str) -> str:
    """The word, without the middle of one that is there to push apart what belongs together."""
    return word if len(word) <= _LONGEST_WORD else f"{word[: _LONGEST_WORD // 2]}…{word[-_LONGEST_WORD // 2 :]}"


def _pieces(text: str) -> Iterator[str]:
    """The line itself; one that would keep every rule busy in parts that overlap, and a mark that it was one. No comment."""
    if text.startswith("#"):
        return
    for start in range(0, len(text), _LONGEST):
        yield text[max(0, start - _OVERLAP) : start + _LONGEST]
    if len(text) > _LONGEST:
        yield OVERLONG


def _joined(text: str) -> list[list[str]]:
    """Lines, those together that a backslash or an open pipe holds together."""
    groups: list[list[str]] = []
    open_ = False
    for line in text.splitlines():
        stripped = line.strip()
        if open_:
            groups[-1].append(stripped)
        else:
            groups.append([stripped])
        open_ = stripped.endswith(("\\", "|", "&&")) and not groups[-1][0].startswith("#")
    return groups


def _of_container(at: ContainerAt) -> Iterator[Command]:
    known = {
        str(item.get("name")): str(item["value"])
        for item in _items(at.spec.get("env"))
        if isinstance(_mapping(item).get("value"), str)
    }
    words = [*_items(at.spec.get("command")), *_items(at.spec.get("args"))]
    written = f"{at.path}.args" if _items(at.spec.get("args")) else ""
    for command in commands(_line(words, known), location=f"{at.path}.command"):  # a command may move to args
        yield replace(command, written=written)
    for place in _HOOKS:
        found: Any = at.spec
        for key in (*place.split("."), "exec", "command"):
            found = _mapping(found).get(key)
        yield from commands(_line(_items(found), {}), location=f"{at.path}.{place}.exec.command")


def _line(words: list[Any], known: Mapping[str, str]) -> str:
    return " ".join(_VARIABLE.sub(lambda match: known.get(match[1] or "", match[0]), str(word)) for word in words)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

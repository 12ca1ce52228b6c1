"""Reads YAML and JSON as Kubernetes means it: no tags, no dates, no aliases that grow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

_MOST_ALIASES: Final = 50
_MOST_DOCUMENTS: Final = 20_000
_DEEPEST: Final = 200
_ALIAS: Final = re.compile(r"(?:^|[\s\[{,:-])\*[A-Za-z0-9_-]")
_OPENING: Final = re.compile(r"[\[{]{200}|(?:- ){200}")


class Unparsed(ValueError):
    """The text is neither YAML nor JSON that may be read."""


class _Loader(yaml.CSafeLoader):
    """Scalars as JSON knows them: `yes`, `on` and dates stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool"}
    ]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def documents(text: str) -> Iterator[Any]:
    """The documents of a JSON or YAML text.

    Raises:
        Unparsed: if it is none, or one that would grow beyond bounds.
    """
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped[:1] in {"{", "["}:
        try:
            yield json.loads(stripped)
        except RecursionError:
            raise Unparsed("nested too deep") from None
        except ValueError:
            yield from _json_lines(stripped)
        return
    yield from _yaml(text)


def _json_lines(text: str) -> Iterator[Any]:
    """Several JSON values one after the other, on lines of their own or not.

    Raises:
        Unparsed: if it is none, or too many.
    """
    decoder = json.JSONDecoder()
    at, found = 0, 0
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            raise Unparsed("not JSON") from None
        yield value
        found += 1
        if found > _MOST_DOCUMENTS:
            raise Unparsed(f"more than {_MOST_DOCUMENTS} documents")
        at = end
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1


def _yaml(text: str) -> Iterator[Any]:
    if _OPENING.search(text):
        raise Unparsed("nested too deep")
    try:
        if _ALIAS.search(text):
            _count_aliases(text)
        for index, document in enumerate(yaml.load_all(text, Loader=_Loader)):
            if index > _MOST_DOCUMENTS:
                raise Unparsed(f"more than {_MOST_DOCUMENTS} documents")
            yield document
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise Unparsed(f"not YAML: {problem}") from None
    except (RecursionError, ValueError) as error:
        raise Unparsed(str(error) or "nested too deep") from None


def _count_aliases(text: str) -> None:
    aliases = 0
    for event in yaml.parse(text, Loader=_Loader):
        aliases += isinstance(event, yaml.AliasEvent)
        if aliases > _MOST_ALIASES:
            raise Unparsed("too many YAML aliases")

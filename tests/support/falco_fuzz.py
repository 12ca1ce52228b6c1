"""Odd inputs for the Falco language: random, made of its words, and real ones with something changed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

WORDS = (
    "and", "or", "not", "in", "exists", "=", "==", "!=", "<", "<=", ">", ">=", "contains", "icontains", "startswith",
    "endswith", "glob", "iglob", "regex", "pmatch", "intersects", "oneof", "anyof", "allof", "val(", "tolower(", "len(",
    "join(", "concat(", "basename(", "(", ")", ",", "[", "]", '"', "'", "\\", " ", "\n", "\t", "\r", "\x0b", "\x00", "é",
    "\u2028", "proc.name", "fd.sip", "evt.arg", "evt.type", "proc.aname[2]", "fd.net", "evt.num", "a", "sh", "0x1f", "1e+5",
    "10.0.0.0/8", "::1", "-1", "*", "[a-z]*", ".*", "(((", "/etc", "",
)  # fmt: skip
SEEDS = tuple(
    json.loads(line)["cond"]
    for line in (Path(__file__).parents[1] / "unit" / "falco" / "conditions.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
)
GROWING: dict[str, Callable[[int], str]] = {
    "and": lambda n: " and ".join(["proc.name = a"] * n),
    "or": lambda n: " or ".join(["proc.name = a"] * n),
    "list": lambda n: f"proc.name in ({', '.join(['abc'] * n)})",
    "not": lambda n: "not " * n + "proc.name = a",
    "not(": lambda n: "not(" * n,
    "parentheses": lambda n: "(" * n + "proc.name = a" + ")" * n,
    "blanks": lambda n: " " * n + "proc.name = a" + "\n" * n,
    "escapes": lambda n: f'proc.name = "{chr(92)}n{(chr(92) + "n") * n}"',
    "quotes": lambda n: "proc.name = " + '"' * n,
    "open string": lambda n: 'proc.name = "' + "a" * n,
    "escaped quotes": lambda n: 'proc.name = "' + '\\"' * n,
    "open list": lambda n: "proc.name in (" + '"a",' * n,
    "transformers": lambda n: "tolower(" * n,
    "field": lambda n: "a" + ".b" * n + " = 1",
    "argument": lambda n: f"proc.aname[{'1' * n}] = a",
    "number": lambda n: f"evt.num = {'1' * n}",
    "lines": lambda n: "proc.name = a\n" * n,
}
"""Texts that grow with a number."""


def inputs(seed: int, count: int) -> Iterator[str]:
    """So many texts, the same for the same seed."""
    choose = random.Random(seed)  # noqa: S311 - the same inputs for the same seed
    for _ in range(count):
        kind = choose.random()
        if kind < 0.2:
            yield "".join(map(chr, choose.choices(range(1, 0x250), k=choose.randrange(60))))
        elif kind < 0.6:
            glue = choose.choice(("", " ", " "))
            yield glue.join(choose.choices(WORDS, k=choose.randrange(1, 25)))
        else:
            yield mutated(choose, choose.choice(SEEDS))


def mutated(choose: random.Random, text: str) -> str:
    """A text with one to four places changed."""
    for _ in range(choose.randrange(1, 5)):
        at = choose.randrange(len(text) + 1)
        change = choose.randrange(5)
        if change == 0:
            text = text[:at] + choose.choice(WORDS) + text[at:]
        elif change == 1:
            text = text[:at] + text[at + choose.randrange(1, 8) :]
        elif change == 2:
            text = text[:at] + chr(choose.randrange(1, 0x180)) + text[at + 1 :]
        elif change == 3:
            end = at + choose.randrange(20)
            text = text[:end] + text[at:end] + text[end:]
        else:
            text = text[:at]
    return text

"""From the text of a condition to its tree.

```
or         = and { "or" ( blank and | "(" or ")" ) }
and        = not { "and" ( blank not | "(" or ")" ) }
not        = { "not" blank } ( "not(" or ")" | check )
check      = "(" or ")" | left operation | identifier
left       = field | transformer
field      = name [ "[" ( quoted | argument ) "]" ]
transformer= ( "tolower(" | "toupper(" | … ) term { "," term } ")"
term       = field | transformer | quoted | number | "(" [ term { "," term } ] ")"
operation  = "exists"
           | ( "<=" | "<" | ">=" | ">" ) ( right | number )
           | ( "==" | "=" | "!=" | "glob " | … ) [ blank modifier blank ( list | identifier ) ] | ( right | string )
           | ( "intersects" | "in" | "pmatch" ) ( list | right | identifier )
right      = "val(" field ")" | transformer
list       = "(" [ string { "," string } ] ")"
string     = quoted | bare
```
Source: the grammar of libsinsp's `filter/parser.h`, and what Falco 0.44.1 answered where it differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from aegis.falco.tree import (
    And,
    Comparison,
    Condition,
    Exists,
    Field,
    Group,
    Literal,
    Not,
    Or,
    Reference,
    Term,
    Transformed,
)

DEEPEST = 100
"""Levels of parentheses, negations and transformers that are followed."""

NUMBER_OPERATORS = ("<=", "<", ">=", ">")
STRING_OPERATORS = (
    "==", "=", "!=", "glob", "iglob", "contains", "icontains", "bcontains", "startswith", "bstartswith", "endswith", "regex",
)  # fmt: skip
LIST_OPERATORS = ("intersects", "in", "pmatch")
MODIFIERS = ("oneof", "anyof", "allof")
TRANSFORMERS = ("tolower", "toupper", "b64", "basename", "len", "join", "concat", "getopt")

_BLANKS = re.compile(r"[ \t\x08\r\n]*")
_NEGATION = re.compile(r"not[ \t\n\v\f\r]+")
_IDENTIFIER = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*(?:\.[a-zA-Z][a-zA-Z0-9_]*)+")
_ARGUMENT = re.compile(r"[^\]\[\"' \t\n\v\f\r]+")
_HEX = re.compile(r"0[xX][0-9a-zA-Z]+")
_NUMBER = re.compile(r"[+\-]?[0-9]+\.?[0-9]*(?:[eE][+\-][0-9]+)?")
_BARE = re.compile(r"[^()\"' \t\n\v\f\r=,]+")
_MODIFIER = re.compile(rf"({'|'.join(MODIFIERS)})[ \t\x08\r\n]+(?=\(|(?!(?:and|or)\b)[a-zA-Z])")
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "\\": "\\", "/": "/", " ": "\\"}
_WORDS = tuple(f"{word} " if word.isalpha() else word for word in STRING_OPERATORS)
_OPERATORS = ", ".join(f"'{word}'" for word in ("exists", *NUMBER_OPERATORS, *STRING_OPERATORS, *LIST_OPERATORS))
_RIGHT = "a field with a valid transformer: " + ", ".join(f"'{name}'" for name in ("val", *TRANSFORMERS))


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a text: from 0, and its line and column from 1."""

    index: int
    line: int
    column: int


class ConditionError(ValueError):
    """A text that is no condition.

    Attributes:
        message: what was expected, in Falco's words.
        place: where the reading stopped.
    """

    def __init__(self, message: str, source: str, index: int) -> None:
        before = re.split(r"[\r\n]", source[:index])
        self.message, self.place = message, Place(index, len(before), len(before[-1]) + 1)
        self._line = before[-1] + re.split(r"[\r\n]", source[index:], maxsplit=1)[0]
        super().__init__(message)

    def explained(self) -> str:
        """The message, the line it is about, and a caret under the place."""
        start = max(0, self.place.column - 61)
        shown = self._line[start : start + 100].replace("\t", " ")
        return f"{self.message}\n  {shown}\n  {' ' * (self.place.column - 1 - start)}^"


def parse(source: str) -> Condition:
    """The tree of a condition.

    Raises:
        ConditionError: it is none.
    """
    return _Parser(source).whole()


class _Parser:
    def __init__(self, source: str) -> None:
        self._source, self._at, self._depth = source, 0, 0
        self._token = ""

    def whole(self) -> Condition:
        if not self._source:
            raise self._error("filter input string is empty")
        found = self._or()
        if self._at != len(self._source):
            raise self._error(f"unexpected token after '{self._token}', expecting 'or', 'and'")
        return found

    # Logic.

    def _or(self) -> Condition:
        children = self._joined("or", self._and)
        return Or(children) if len(children) > 1 else children[0]

    def _and(self) -> Condition:
        children = self._joined("and", self._not)
        return And(children) if len(children) > 1 else children[0]

    def _joined(self, word: str, operand: Callable[[], Condition]) -> tuple[Condition, ...]:
        self._blank()
        children = [operand()]
        self._blank()
        while self._word(word):
            if self._blank():
                children.append(operand())
            elif self._word("("):
                children.append(self._embedded())
            else:
                raise self._error(f"expected blank or '(' after '{word}'")
            self._blank()
        return tuple(children)

    def _not(self) -> Condition:
        negated = False
        while self._take(_NEGATION):
            negated = not negated
        if self._word("not("):
            negated = not negated
            child = self._embedded()
        else:
            child = self._check()
        return Not(child) if negated else child

    def _embedded(self) -> Condition:
        """What follows an opening parenthesis, up to the closing one."""
        self._deeper()
        child = self._or()
        self._expect(")", "expected a ')' token")
        self._depth -= 1
        return child

    def _check(self) -> Condition:
        self._blank()
        if self._word("("):
            return self._embedded()
        left = self._field() or self._transformer()
        if left is not None:
            return self._operation(left)
        if self._take(_IDENTIFIER):
            return Reference(self._token)
        raise self._error("expected a '(' token, a field check, or an identifier")

    def _operation(self, left: Field | Transformed) -> Condition:
        self._blank()
        if self._word("exists"):
            return Exists(left)
        if self._one_of(NUMBER_OPERATORS):
            return Comparison(left, self._token, self._number_or_right())
        if self._one_of(_WORDS):
            return self._string_comparison(left, self._token.strip())
        if self._one_of(LIST_OPERATORS):
            return Comparison(left, self._token, self._list_or_right())
        raise self._error(f"expected a valid check operator: one of {_OPERATORS}")

    def _string_comparison(self, left: Field | Transformed, operator: str) -> Condition:
        self._blank()
        if self._source[self._at - 1].isspace() and self._take(_MODIFIER):
            modifier = self._token.strip()
            return Comparison(left, operator, self._list_or_name(), modifier)
        return Comparison(left, operator, self._string_or_right())

    # Values.

    def _number_or_right(self) -> Term:
        self._blank()
        if (right := self._right()) is not None:
            return right
        if self._take(_HEX) or self._take(_NUMBER):
            return Literal(self._token)
        raise self._error(f"expected a number value or {_RIGHT}")

    def _string_or_right(self) -> Term:
        self._blank()
        if (right := self._right()) is not None:
            return right
        if (literal := self._string()) is not None:
            return literal
        raise self._error(f"expected a string value or {_RIGHT}")

    def _list_or_right(self) -> Term:
        self._blank()
        if self._word("("):
            return self._list()
        if (right := self._right()) is not None:
            return right
        if self._take(_IDENTIFIER):
            return Literal(self._token)
        raise self._error(f"expected a list, an identifier, or {_RIGHT}")

    def _list_or_name(self) -> Term:
        if self._word("("):
            return self._list()
        self._take(_IDENTIFIER)
        return Literal(self._token)

    def _list(self) -> Group:
        """What follows an opening parenthesis: strings, up to the closing one."""
        self._blank()
        items: list[Term] = []
        first = self._string()
        if first is not None:
            items.append(first)
            self._blank()
            while self._word(","):
                self._blank()
                following = self._string()
                if following is None:
                    raise self._error("expected a string value")
                items.append(following)
                self._blank()
        self._expect(")", "expected a ')' token")
        return Group(tuple(items))

    def _right(self) -> Term | None:
        if not self._word("val("):
            return self._transformer()
        self._blank()
        field = self._field()
        if field is None:
            raise self._error("expected a field within 'val' transformer")
        self._blank()
        self._expect(")", "expected a ')' token closing the transformer")
        return Transformed("val", (field,))

    def _field(self) -> Field | None:
        if not self._take(_NAME):
            return None
        name = self._token
        if not self._word("["):
            return Field(name)
        argument = self._quoted()
        if argument is None:
            if not self._take(_ARGUMENT):
                raise self._error("expected a valid field argument: a quoted string or a bare string")
            argument = self._token
        self._expect("]", "expected a ']' token")
        return Field(name, argument)

    def _transformer(self) -> Transformed | None:
        if not self._one_of(tuple(f"{name}(" for name in TRANSFORMERS)):
            return None
        name = self._token[:-1]
        self._deeper()
        arguments = [self._term(within_list=False)]
        self._blank()
        while self._word(","):
            arguments.append(self._term(within_list=False))
            self._blank()
        self._expect(")", "expected a ')' token closing the transformer")
        self._depth -= 1
        return Transformed(name, tuple(arguments))

    def _term(self, *, within_list: bool) -> Term:
        self._blank()
        found: Term | None = self._transformer() or self._field()
        if found is None:
            text = self._quoted()
            found = Literal(text) if text is not None else None
        if found is None and self._take(_NUMBER):
            found = Literal(self._token)
        if found is None and not within_list and self._word("("):
            found = self._terms()
        if found is not None:
            return found
        if within_list:
            raise self._error("expected transformer list argument: field, transformer, quoted string, or number")
        wanted = "field, transformer, quoted string, number, or transformer list"
        raise self._error(f"expected field transformer argument: {wanted}")

    def _terms(self) -> Group:
        self._blank()
        if self._word(")"):
            return Group(())
        items = [self._term(within_list=True)]
        self._blank()
        while self._word(","):
            items.append(self._term(within_list=True))
            self._blank()
        self._expect(")", "expected a ')' token closing the transformer list")
        return Group(tuple(items))

    def _string(self) -> Literal | None:
        quoted = self._quoted()
        if quoted is not None:
            return Literal(quoted)
        return Literal(self._token) if self._take(_BARE) else None

    def _quoted(self) -> str | None:
        """A string in quotes, without them and its escapes; an opening quote without a closing one is none."""
        delimiter = self._source[self._at : self._at + 1]
        if delimiter not in {"'", '"'}:
            return None
        end = self._at + 1
        while end < len(self._source) and (self._source[end] != delimiter or self._source[end - 1] == "\\"):
            end += 1
        if end == len(self._source):
            return None
        inside = self._source[self._at + 1 : end]
        self._at = end + 1
        self._token = self._unescaped(inside, delimiter)
        return self._token

    def _unescaped(self, inside: str, delimiter: str) -> str:
        at, pieces = 0, []
        while (found := inside.find("\\", at)) >= 0:
            pieces.append(inside[at:found])
            character = inside[found + 1 : found + 2]
            if character in {"'", '"'} and character != delimiter:
                raise self._error(f"invalid \\{character} escape in {delimiter}-quoted string")
            if character and character != delimiter and character not in _ESCAPED:
                raise self._error(f"unsupported string escape sequence: \\{character}")
            pieces.append(_ESCAPED.get(character, character))
            at = found + 2
        return "".join([*pieces, inside[at:]])

    # Tokens.

    def _blank(self) -> bool:
        """Skip blanks; whether there were any. They are no token."""
        before = self._at
        match = _BLANKS.match(self._source, before)
        self._at = match.end() if match else before
        return self._at > before

    def _take(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._source, self._at)
        if match is None:
            return False
        self._token, self._at = match[0], match.end()
        return True

    def _word(self, word: str) -> bool:
        if not self._source.startswith(word, self._at):
            return False
        self._token, self._at = word, self._at + len(word)
        return True

    def _one_of(self, words: tuple[str, ...]) -> bool:
        return any(self._word(word) for word in words)

    def _expect(self, word: str, message: str) -> None:
        if not self._word(word):
            raise self._error(message)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth >= DEEPEST:
            raise self._error(f"exceeded max depth limit of {DEEPEST}")

    def _error(self, message: str) -> ConditionError:
        return ConditionError(message, self._source, self._at)

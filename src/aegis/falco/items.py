"""The items of a rule file: lists, macros, rules, their exceptions, and changes to earlier ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aegis.falco.priority import Priority
from aegis.falco.problems import Context

Entry = str | tuple["Entry", ...]
"""A value of an exception: one, or several in a list."""


@dataclass(slots=True, kw_only=True)
class ListItem:
    """A named list of values.

    Attributes:
        index: its place among all definitions.
        visible: the place of its last change: what was defined before may be named in it.
    """

    name: str
    values: list[str]
    context: Context
    index: int = 0
    visible: int = 0


@dataclass(slots=True, kw_only=True)
class Macro:
    """A named condition; `index` and `visible` as those of a list."""

    name: str
    condition: str
    context: Context
    index: int = 0
    visible: int = 0


@dataclass(slots=True, kw_only=True)
class RuleException:
    """An exception of a rule; a field or a comparison that is not given is None."""

    name: str
    fields: Entry | None
    comps: Entry | None
    values: list[Entry]
    context: Context


@dataclass(slots=True, kw_only=True)
class Rule:
    """A rule as it stands after all changes."""

    name: str
    condition: str
    output: str
    description: str
    priority: Priority
    context: Context
    condition_context: Context
    source: str = "syscall"
    enabled: bool = True
    capture: bool = False
    capture_duration: int = 0
    warn_evttypes: bool = True
    skip_if_unknown_filter: bool = False
    tags: list[str] = field(default_factory=list)
    exceptions: list[RuleException] = field(default_factory=list)
    is_unknown_source: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """A change of a rule that was defined before.

    Attributes:
        append: what is added to, by the rule's attribute.
        replace: what is replaced, likewise.
        source: the source that is named, if any: it must be the rule's.
    """

    name: str
    context: Context
    append: Mapping[str, object] = field(default_factory=dict)
    replace: Mapping[str, object] = field(default_factory=dict)
    source: str = ""
    is_old_append: bool = False

"""From the YAML of a rule file to its items; each item that is not as it must be refuses the file, as with Falco.

Source: Falco's `rule_loader_reader.cpp`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from aegis.falco.decoding import (
    entry_of,
    overrides_of,
    priority_of,
    requirement_of,
    sequence_of,
    text_of,
    texts_of,
    truth_of,
    whole_of,
)
from aegis.falco.items import ListItem, Macro, Rule, RuleChange, RuleException
from aegis.falco.problems import Context, ErrorCode, LoadError, Problem, WarningCode
from aegis.falco.source import Mapping, Node, Scalar, Sequence

BARE = re.compile(r"[^()\"'\s=,]+")
IDENTIFIER = re.compile(r"[a-zA-Z]+[a-zA-Z0-9_]*")
_APPENDABLE = ("condition", "output", "desc", "tags", "exceptions")
_REPLACEABLE = (
    "condition", "output", "desc", "priority", "capture", "capture_duration", "tags", "exceptions", "enabled",
    "warn_evttypes", "skip-if-unknown-filter",
)  # fmt: skip
_RULE_KEYS = frozenset({*_REPLACEABLE, "rule", "source", "override", "append"})
_OLD_APPEND = "'append' key is deprecated. Add an 'append' entry (e.g. 'condition: append') under 'override' instead."
_OLD_ENABLED = (
    "The standalone 'enabled' key usage is deprecated. The correct approach requires also a 'replace' entry under the "
    "'override' key (i.e. 'enabled: replace')."
)
_LIST_NAME = "List has an invalid name. List names should match a regular expression: ([^()\"'[:space:]=,]+)"
_BOTH = (
    "Keys 'override' and 'append: true' cannot be used together. Add an 'append' entry (e.g. 'condition: append') under "
    "'override' instead."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enabling:
    """The old way to switch a rule that was defined before: an item with nothing but `enabled`."""

    name: str
    enabled: bool
    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineVersion:
    """The engine that a file needs, at least."""

    version: tuple[int, int, int]
    text: str
    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginVersions:
    """A plug-in that a file needs, by name and version, and what may stand in for it."""

    alternatives: tuple[tuple[str, str], ...]
    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """A list or a macro that is added to an earlier one."""

    item: ListItem | Macro


Item = ListItem | Macro | Rule | RuleChange | Appended | Enabling | EngineVersion | PluginVersions


@dataclass(slots=True)
class Reader:
    """Reads the items of one file.

    Attributes:
        file: its name, for places.
        warnings: what was found on the way.
    """

    file: str
    warnings: list[Problem] = field(default_factory=list)

    def items(self, document: Node) -> Iterable[Item]:
        """The items of a document, in order.

        Raises:
            LoadError: one of them is not as it must be.
        """
        where = Context(file=self.file, what="rules content", line=1, column=1)
        if isinstance(document, Scalar):
            if document.is_null:
                return
            raise LoadError(ErrorCode.YAML_VALIDATE, "Rules content is not yaml", where)
        if isinstance(document, Mapping):
            raise LoadError(ErrorCode.YAML_VALIDATE, "Rules content is not yaml array of objects", where)
        for node in document.items:
            if isinstance(node, Scalar) and node.is_null:
                continue
            if not isinstance(node, Mapping):
                message = "Unexpected element type. Each element should be a yaml associative array."
                raise LoadError(ErrorCode.YAML_VALIDATE, message, self._at(node, "rules content item"))
            yield from self._item(node)

    def _item(self, node: Mapping) -> Iterable[Item]:
        readers: dict[str, Callable[[Mapping], Iterable[Item]]] = {
            "required_engine_version": self._engine_version,
            "required_plugin_versions": self._plugin_versions,
            "list": self._list,
            "macro": self._macro,
            "rule": self._rule,
        }
        kind = next((kind for kind in readers if kind in node), None)
        if kind is None:
            self._warn(WarningCode.UNKNOWN_ITEM, "Unknown top level item", self._at(node, "rules content item"))
            return
        yield from readers[kind](node)

    def _engine_version(self, node: Mapping) -> Iterable[Item]:
        context = self._at(node, "required_engine_version")
        text = text_of(node, "required_engine_version", context)
        parts = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(?:[-+].*)?", text)
        if parts is None and not text.isdigit():
            message = f"Unable to parse engine version '{text}' as a semver string. Expected \"x.y.z\" semver format."
            raise LoadError(ErrorCode.YAML_VALIDATE, message, context)
        version = (int(parts[1]), int(parts[2]), int(parts[3])) if parts else (0, int(text), 0)
        yield EngineVersion(version=version, text=".".join(map(str, version)), context=context)
        self._unknown_keys(node, {"required_engine_version"}, context)

    def _plugin_versions(self, node: Mapping) -> Iterable[Item]:
        context = self._at(node, "required plugin versions")
        for plugin in sequence_of(node.get("required_plugin_versions"), "Value of required_plugin_versions", context):
            needed = [requirement_of(plugin, "Plugin version", context)]
            others = plugin.get("alternatives") if isinstance(plugin, Mapping) else None
            if others is not None:
                alternatives = sequence_of(others, "Value of plugin version alternatives", context)
                needed += [requirement_of(other, "Plugin version alternative", context) for other in alternatives]
            yield PluginVersions(alternatives=tuple(needed), context=context)
        self._unknown_keys(node, {"required_plugin_versions"}, context)

    def _list(self, node: Mapping) -> Iterable[Item]:
        name = text_of(node, "list", self._at(node, "list"))
        context = self._at(node, f"list '{name}'")
        if not BARE.fullmatch(name):
            message = f"List has an invalid name. List names should match a regular expression: ({BARE.pattern.replace(chr(92) + 's', '[:space:]')})"
            self._warn(WarningCode.INVALID_LIST_NAME, message, context)
        item = ListItem(name=name, values=texts_of(node, "items", context), context=context)
        yield Appended(item=item) if self._adds(node, "items", context) else item
        self._unknown_keys(node, {"list", "items", "append", "override"}, context)

    def _macro(self, node: Mapping) -> Iterable[Item]:
        name = text_of(node, "macro", self._at(node, "macro"))
        context = self._at(node, f"macro '{name}'")
        if not IDENTIFIER.fullmatch(name):
            message = (
                f"Macro has an invalid name. Macro names should match a regular expression: ({IDENTIFIER.pattern})"
            )
            self._warn(WarningCode.INVALID_MACRO_NAME, message, context)
        item = Macro(name=name, condition=text_of(node, "condition", context), context=context)
        yield Appended(item=item) if self._adds(node, "condition", context) else item
        self._unknown_keys(node, {"macro", "condition", "append", "override"}, context)

    def _adds(self, node: Mapping, key: str, context: Context) -> bool:
        """Whether a list or a macro is added to an earlier one.

        Raises:
            LoadError: the item says so in two ways.
        """
        append = self._old_append(node, context)
        appended, replaced = overrides_of(node, (key,), (key,), context)
        if append and (appended or replaced):
            raise LoadError(ErrorCode.YAML_VALIDATE, _BOTH, context)
        return append or key in appended

    def _rule(self, node: Mapping) -> Iterable[Item]:
        name = text_of(node, "rule", self._at(node, "rule"))
        context = self._at(node, f"rule '{name}'")
        source = node.get("source")
        named = source.text if isinstance(source, Scalar) and not source.is_null else ""
        append = self._old_append(node, context)
        appended, replaced = overrides_of(node, _APPENDABLE, _REPLACEABLE, context)
        if append and (appended or replaced):
            raise LoadError(ErrorCode.YAML_VALIDATE, _BOTH, context)
        if appended or replaced:
            yield from self._changes(node, context, (appended, replaced), named)
        elif append:
            added = {
                key: self._value(node, key, context, appending=True)
                for key in ("condition", "exceptions")
                if key in node
            }
            yield RuleChange(name=name, context=context, append=added, source=named, is_old_append=True)
        elif not any(key in node for key in ("condition", "output", "desc", "priority")):
            yield Enabling(name=name, enabled=truth_of(node, "enabled", context), context=context)
            self._warn(WarningCode.DEPRECATED_ITEM, _OLD_ENABLED, context)
        else:
            yield self._definition(node, name, context)
        self._unknown_keys(node, _RULE_KEYS, context)

    def _changes(
        self, node: Mapping, context: Context, overrides: tuple[list[str], list[str]], source: str
    ) -> Iterable[Item]:
        name, (appended, replaced) = text_of(node, "rule", context), overrides
        expected = [key for key in _REPLACEABLE if key in node]
        for word, keys in (("append", appended), ("replace", replaced)):
            for key in keys:
                if key not in expected:
                    message = f"An {word} override for '{key}' was specified but '{key}' is not defined"
                    raise LoadError(ErrorCode.YAML_VALIDATE, message, context)
        if appended:
            added = {key: self._value(node, key, context, appending=True) for key in appended}
            yield RuleChange(name=name, context=context, append=added, source=source if "condition" in added else "")
        if replaced:
            put = {key: self._value(node, key, context, appending=False) for key in replaced}
            yield RuleChange(name=name, context=context, replace=put, source=source if "condition" in put else "")
        for key in expected:
            if key not in appended and key not in replaced:
                message = f"Unexpected key '{key}': no corresponding entry under 'override' is defined."
                raise LoadError(ErrorCode.YAML_VALIDATE, message, context)

    def _definition(self, node: Mapping, name: str, context: Context) -> Rule:
        condition = text_of(node, "condition", context)
        output, description = text_of(node, "output", context), text_of(node, "desc", context)
        priority = priority_of(node, context)
        plain = {
            "enabled": True, "capture": False, "warn_evttypes": True, "skip-if-unknown-filter": False,
        }  # fmt: skip
        truths = {key: truth_of(node, key, context) if key in node else usual for key, usual in plain.items()}
        place = node.get("condition")
        return Rule(
            name=name,
            condition=condition,
            output=output.strip(),
            description=description,
            priority=priority,
            context=context,
            condition_context=self._at(place, f"rule '{name}' condition") if place else context,
            source=text_of(node, "source", context) if "source" in node else "syscall",
            enabled=truths["enabled"],
            capture=truths["capture"],
            capture_duration=whole_of(node, "capture_duration", context) if "capture_duration" in node else 0,
            warn_evttypes=truths["warn_evttypes"],
            skip_if_unknown_filter=truths["skip-if-unknown-filter"],
            tags=texts_of(node, "tags", context) if "tags" in node else [],
            exceptions=self._exceptions(node, context, appending=False),
        )

    def _value(self, node: Mapping, key: str, context: Context, *, appending: bool) -> object:
        match key:
            case "exceptions":
                return self._exceptions(node, context, appending=appending)
            case "tags":
                return texts_of(node, key, context)
            case "priority":
                return priority_of(node, context)
            case "capture_duration":
                return whole_of(node, key, context)
            case "enabled" | "capture" | "warn_evttypes" | "skip-if-unknown-filter":
                return truth_of(node, key, context)
            case _:
                return text_of(node, key, context)

    def _exceptions(self, node: Mapping, parent: Context, *, appending: bool) -> list[RuleException]:
        found = node.get("exceptions")
        if found is None or (isinstance(found, Scalar) and found.is_null):
            return []
        if not isinstance(found, Sequence):
            raise LoadError(ErrorCode.YAML_VALIDATE, "Rule exceptions must be a sequence", parent)
        exceptions: list[RuleException] = []
        for one in found.items:
            if not isinstance(one, Mapping):
                raise LoadError(ErrorCode.YAML_VALIDATE, "Rule exception must be a mapping", self._at(one, "exception"))
            exceptions.append(self._exception(one, exceptions, appending=appending))
        return exceptions

    def _exception(self, node: Mapping, earlier: list[RuleException], *, appending: bool) -> RuleException:
        name = text_of(node, "name", self._at(node, "exception"))
        context = self._at(node, f"exception '{name}'")
        if any(other.name == name for other in earlier):
            message = f"Multiple definitions of exception '{name}' in the same rule"
            self._warn(WarningCode.EXCEPTION_NAME_NOT_UNIQUE, message, context)
        fields = node.get("fields")
        if fields is None and not appending:
            raise LoadError(ErrorCode.YAML_VALIDATE, "Item has no mapping for key 'fields'", context)
        comps, values = node.get("comps"), node.get("values")
        if values is not None and not isinstance(values, Sequence):
            raise LoadError(ErrorCode.YAML_VALIDATE, "Rule exception values must be a sequence", context)
        if values is None and appending:
            self._warn(WarningCode.APPEND_NO_VALUES, "Overriding/appending exception with no values", context)
        return RuleException(
            name=name,
            fields=entry_of(fields, context) if fields is not None else None,
            comps=entry_of(comps, context) if comps is not None else None,
            values=[entry_of(value, context) for value in values.items] if values is not None else [],
            context=context,
        )

    def _old_append(self, node: Mapping, context: Context) -> bool:
        append = "append" in node and truth_of(node, "append", context)
        if append:
            self._warn(WarningCode.DEPRECATED_ITEM, _OLD_APPEND, context)
        return append

    def _unknown_keys(self, node: Mapping, known: Iterable[str], context: Context) -> None:
        for key in node.keys:
            if key not in known:
                message = f"Unknown key '{key}'. The key will be ignored."
                self._warn(WarningCode.UNKNOWN_KEY, message, context)

    def _warn(self, code: WarningCode, message: str, context: Context) -> None:
        self.warnings.append(Problem(code, message, context))

    def _at(self, node: Node, what: str) -> Context:
        line, column = node.place
        return Context(file=self.file, what=what, line=line, column=column)

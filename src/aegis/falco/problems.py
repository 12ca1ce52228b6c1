"""What is wrong with a rule file: errors, which refuse it, and warnings, by Falco's own names.

Source: Falco's `falco_load_result.cpp`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """Why rules do not load."""

    FILE_READ = "LOAD_ERR_FILE_READ"
    YAML_PARSE = "LOAD_ERR_YAML_PARSE"
    YAML_VALIDATE = "LOAD_ERR_YAML_VALIDATE"
    COMPILE_CONDITION = "LOAD_ERR_COMPILE_CONDITION"
    COMPILE_OUTPUT = "LOAD_ERR_COMPILE_OUTPUT"
    VALIDATE = "LOAD_ERR_VALIDATE"


class WarningCode(StrEnum):
    """What loads, and yet is probably not what was meant."""

    UNKNOWN_SOURCE = "LOAD_UNKNOWN_SOURCE"
    UNSAFE_NA_CHECK = "LOAD_UNSAFE_NA_CHECK"
    NO_EVTTYPE = "LOAD_NO_EVTTYPE"
    UNKNOWN_FILTER = "LOAD_UNKNOWN_FILTER"
    UNUSED_MACRO = "LOAD_UNUSED_MACRO"
    UNUSED_LIST = "LOAD_UNUSED_LIST"
    UNKNOWN_ITEM = "LOAD_UNKNOWN_ITEM"
    DEPRECATED_ITEM = "LOAD_DEPRECATED_ITEM"
    APPEND_NO_VALUES = "LOAD_APPEND_NO_VALUES"
    EXCEPTION_NAME_NOT_UNIQUE = "LOAD_EXCEPTION_NAME_NOT_UNIQUE"
    INVALID_MACRO_NAME = "LOAD_INVALID_MACRO_NAME"
    INVALID_LIST_NAME = "LOAD_INVALID_LIST_NAME"
    COMPILE_CONDITION = "LOAD_COMPILE_CONDITION"
    UNKNOWN_KEY = "LOAD_UNKNOWN_KEY"


class LintCode(StrEnum):
    """What Falco loads without a word and that yet hides attacks, breaks, or never fires."""

    CATCH_ALL = "AEGIS_CATCH_ALL"
    AND_OR = "AEGIS_AND_OR_WITHOUT_PARENTHESES"
    CIDR_IN_ADDRESS = "AEGIS_CIDR_IN_ADDRESS"
    UNSAFE_EXCEPTION_VALUE = "AEGIS_UNSAFE_EXCEPTION_VALUE"
    EXCEPTION_WITHOUT_COMPS = "AEGIS_EXCEPTION_WITHOUT_COMPS"
    EXCEPTION_EXPIRED = "AEGIS_EXCEPTION_EXPIRED"
    EXCEPTION_FIELD_NOT_IN_OUTPUT = "AEGIS_EXCEPTION_FIELD_NOT_IN_OUTPUT"
    FIELD_NOT_IN_OUTPUT = "AEGIS_FIELD_NOT_IN_OUTPUT"
    NEVER_FIRES = "AEGIS_NEVER_FIRES"
    SHADOWED = "AEGIS_SHADOWED"
    UNMASKS = "AEGIS_UNMASKS"
    REDEFINED = "AEGIS_REDEFINED"
    UNKNOWN_LIST = "AEGIS_UNKNOWN_LIST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where something stands.

    Attributes:
        file: the name of the file.
        what: the item, such as `rule 'Terminal shell in container'`.
        line: from 1.
        column: from 1.
    """

    file: str
    what: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """An error or a warning; `detail` shows the line and a caret where that helps."""

    code: ErrorCode | WarningCode | LintCode
    message: str
    context: Context
    detail: str = ""


class LoadError(Exception):
    """The first error of a rule file: nothing of it is taken."""

    def __init__(self, code: ErrorCode, message: str, context: Context, detail: str = "") -> None:
        super().__init__(message)
        self.problem = Problem(code, message, context, detail)

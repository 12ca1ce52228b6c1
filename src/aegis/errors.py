"""The tree of errors that AEGIS raises on purpose.

```
AegisError
├── UsageError            wrong usage or configuration, a target that is not there    exit 2
├── Refused               drift, mode, protected, freeze, GitOps, void approval       exit 4
├── Unavailable           no cluster, a tool that is required and missing             exit 69
│   ├── Gone              the server forgot what was asked for (410): list again
│   └── TimedOut          a program did not end within its deadline, and was ended
├── PermissionDenied      which verb on which resource                                exit 77
├── NotFound              an object that is not there (a door may make it exit 2)     exit 2
├── Conflict              somebody else wrote first (409)                             exit 4
├── Invalid               the server refused the content (422, 400)                   exit 2
└── Defect                something that cannot happen did                            exit 70
```

The doors (CLI, HTTP, operator) translate an error once; nothing in between catches what it cannot mend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class AegisError(Exception):
    """What failed and why, with what a person can do about it.

    Attributes:
        code: a stable machine name of this kind of error.
        exit_status: the status with which the CLI ends (CONTRACT: 2, 4, 69, 70, 77).
        retryable: whether the same call may succeed later without anybody changing anything.
        hint: what to do, one imperative sentence; empty where there is nothing to say.
    """

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 70
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AegisError):
    """The request or the configuration is wrong."""

    code = "usage"
    exit_status = 2


class NotFound(AegisError):
    """The named object does not exist."""

    code = "not_found"
    exit_status = 2


class Invalid(AegisError):
    """The API server refused the content of a request."""

    code = "invalid"
    exit_status = 2


class Refused(AegisError):
    """A rule of safety forbids what was asked; nothing was written."""

    code = "refused"
    exit_status = 4


class Conflict(AegisError):
    """Somebody else changed or created the object first.

    Attributes:
        conflicts: for server-side apply, who owns the fields that were to be set: (field manager, field path).
    """

    code = "conflict"
    exit_status = 4

    def __init__(self, message: str, *, hint: str = "", conflicts: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message, hint=hint)
        self.conflicts = tuple(conflicts)


class Unavailable(AegisError):
    """Something outside that is needed does not answer."""

    code = "unavailable"
    exit_status = 69
    retryable = True


class Gone(Unavailable):
    """A resourceVersion or a continue token is too old (HTTP 410): list again."""

    code = "gone"


class TimedOut(Unavailable):
    """A program did not end within its deadline; it was ended, with all that it had started."""

    code = "timed_out"


class PermissionDenied(AegisError):
    """The cluster does not permit a verb on a resource."""

    code = "forbidden"
    exit_status = 77


class Defect(AegisError):
    """A state that cannot be reached was reached: a defect of AEGIS."""

    code = "defect"
    exit_status = 70

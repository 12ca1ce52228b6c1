"""The automation's own kill switch, in a file: who set it, when and why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aegis.errors import Unavailable, UsageError
from aegis.model.canonical import canonical_json
from aegis.model.refs import JsonObject
from aegis.ports import Mode
from aegis.stores.durable import replace_file
from aegis.stores.locks import locked, private_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeSetting:
    """The mode with its story; `at` is None where nobody ever set it."""

    mode: Mode
    reason: str = ""
    by: str = ""
    at: datetime | None = None

    def to_dict(self) -> JsonObject:
        """For the file and for reports."""
        return {
            "mode": self.mode.value,
            "reason": self.reason,
            "by": self.by,
            "at": self.at.isoformat().replace("+00:00", "Z") if self.at else None,
        }


class FileMode:
    """An `AutomationMode` in `folder/mode.json`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "mode.json"

    async def read(self) -> Mode:
        """The mode; absent means `run`.

        Raises:
            Unavailable: if the file is there and cannot be read: then nothing may be written.
        """
        return self.setting().mode

    def setting(self) -> ModeSetting:
        """The mode with its story.

        Raises:
            Unavailable: if the file is there and cannot be read.
        """
        try:
            data = json.loads(self._path.read_bytes())
            at = data.get("at")
            return ModeSetting(
                mode=Mode(data["mode"]),
                reason=str(data.get("reason") or ""),
                by=str(data.get("by") or ""),
                at=datetime.fromisoformat(at) if at else None,
            )
        except FileNotFoundError:
            return ModeSetting(mode=Mode.RUN)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unavailable(
                f"the automation's mode cannot be read from {self._path}: {error}",
                hint="Nothing is written until it is set again: `aegis mode set run --reason …`.",
            ) from error

    def set(self, mode: Mode, *, reason: str, by: str) -> ModeSetting:
        """Set the mode, durably.

        Raises:
            UsageError: if no reason is given.
            Unavailable: if it cannot be written.
        """
        if not reason.strip():
            raise UsageError("a reason is needed", hint="Say why with --reason.")
        setting = ModeSetting(mode=mode, reason=reason.strip(), by=by, at=datetime.now(UTC))
        try:
            private_folder(self._path.parent, ours=False)  # the state folder may be one that a person named
            with locked(self._path.with_suffix(".lock")):
                replace_file(self._path, canonical_json(setting.to_dict()) + b"\n")
        except OSError as error:
            raise Unavailable(f"the automation's mode cannot be written to {self._path}: {error.strerror}") from error
        return setting

"""Where the state of this installation lies, and the stores that need no cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aegis.settings import LoadedSettings
    from aegis.stores.audit import FileAuditLog
    from aegis.stores.mode import FileMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things lie in the state folder."""

    folder: Path

    @property
    def incidents(self) -> Path:
        """The incidents of every cluster."""
        return self.folder / "incidents.sqlite"

    @property
    def alerts(self) -> Path:
        """Falco's alerts."""
        return self.folder / "alerts.sqlite"

    @property
    def audit(self) -> Path:
        """The folder of the audit log."""
        return self.folder / "audit"

    @property
    def anchor(self) -> Path:
        """Its head, kept apart from it."""
        return self.folder / "anchor" / "audit-head.json"

    @property
    def locks(self) -> Path:
        """One file a target."""
        return self.folder / "locks"

    @property
    def shadows(self) -> Path:
        """The shadows that stand on their own, one file each."""
        return self.folder / "shadows"

    @property
    def scans(self) -> Path:
        """What scanners keep from run to run."""
        return self.folder / "scans"

    @property
    def local_cluster(self) -> Path:
        """The embedded cluster of `aegis local`."""
        return self.folder / "local"


def places_of(loaded: LoadedSettings) -> Places:
    """Where the state lies. The usual folder is ours alone, and closed (0700); one that a person named is theirs.

    Raises:
        Unavailable: if it cannot be made.
    """
    from aegis.stores.locks import private_folder

    folder = loaded.settings.state.folder
    return Places(folder=private_folder(folder, ours=loaded.origins["state.folder"] == "default"))


def audit_log(places: Places) -> FileAuditLog:
    """The log of this installation, of every cluster."""
    from aegis.stores.audit import FileAuditLog

    return FileAuditLog(places.audit, anchor=places.anchor)


def automation_mode(places: Places) -> FileMode:
    """The kill switch of this installation."""
    from aegis.stores.mode import FileMode

    return FileMode(places.folder)

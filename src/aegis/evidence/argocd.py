"""What `argocd app get` prints, as the Application object that it describes (argoproj.io/v1alpha1)."""

from __future__ import annotations

import re
from typing import Final

from aegis.evidence.outline import Line
from aegis.evidence.tables import table_rows
from aegis.model.refs import JsonObject

_TABLE: Final = re.compile(r"^GROUP\s+KIND\s+NAMESPACE\s+NAME\s", re.MULTILINE)


def application(outline: Line, text: str) -> JsonObject:
    """The Application that an outline describes."""
    namespace, _, name = outline.text_of("Name").rpartition("/")
    sync = outline.text_of("Sync Status").split(" ")[0]
    table = _TABLE.search(text)
    rows = table_rows(text[table.start() :])[1] if table else []
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"destination": {"server": outline.text_of("Server"), "namespace": outline.text_of("Namespace")}},
        "status": {
            "sync": {"status": sync},
            "health": {"status": outline.text_of("Health Status")},
            "operationState": {"phase": outline.text_of("Phase"), "message": outline.text_of("Message")},
            "resources": [_resource(row) for row in rows if row.get("KIND") and row.get("NAME")],
        },
    }


def _resource(row: dict[str, str]) -> JsonObject:
    return {
        "group": row.get("GROUP", ""),
        "kind": row["KIND"],
        "namespace": row.get("NAMESPACE", ""),
        "name": row["NAME"],
        "status": row.get("STATUS", ""),
        "health": {"status": row.get("HEALTH", "")},
        "message": row.get("MESSAGE", ""),
    }

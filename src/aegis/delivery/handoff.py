"""Hand a verified fix to whoever owns the object: a patch, the proof, and the words for a pull request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from aegis.errors import UsageError
from aegis.model.changes import Change, Delete, Evict, JsonPatch, body_of, change_to_dict
from aegis.model.incident import Handoff, Incident
from aegis.model.refs import JsonObject

_LONGEST_NAME: Final = 100
_IN_GIT: Final = (
    "Put the fields of the patch into the manifest there, or add the file to `patches:` of its `kustomization.yaml`; "
    "of a chart, set the values that lead to these fields. The owner then brings it to the cluster."
)
_HOW: Final = {
    "Argo CD": _IN_GIT,
    "Flux": _IN_GIT,
    "Helm": "Set the values that lead to these fields, and run `helm upgrade`: the release would undo a live change.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who writes the object from elsewhere; all empty where nobody does.

    Attributes:
        owner: the kind of owner, as `Argo CD`.
        app: its name for the application.
        repo: where the source lies, as far as it is known.
        path: and where in it.
    """

    owner: str = ""
    app: str = ""
    repo: str = ""
    path: str = ""


def emit(directory: Path, incident: Incident, owner: Owner, remediation: JsonObject) -> Handoff:
    """Write the files.

    Args:
        directory: where to; made if it is not there.
        incident: with its fix and its verdict.
        owner: who owns the object.
        remediation: `kind: Remediation` as it stands, for the bundle.

    Raises:
        UsageError: if the files cannot be written.
    """
    changes = incident.fix.change_set.changes if incident.fix and incident.fix.change_set else ()
    texts = {_name(number, change): _patch_text(change) for number, change in enumerate(changes, start=1)}
    texts["verification.json"] = json.dumps(_bundle(incident, remediation), indent=2, ensure_ascii=False) + "\n"
    texts["PULL_REQUEST.md"] = _pull_request(incident, owner, sorted(texts))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (directory / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write to {directory}: {error.strerror}", hint="Name another folder.") from error
    files = tuple(str(directory / name) for name in sorted(texts))
    return Handoff(owner=owner.owner, app=owner.app, repo=owner.repo, path=owner.path, files=files)


def _name(number: int, change: Change) -> str:
    """A file's name; a name in the cluster that is none on a disk loses what is odd about it."""
    name = "".join(char if char.isalnum() or char in "-." else "-" for char in change.target.name)[:_LONGEST_NAME]
    kind = "".join(filter(str.isalnum, change.target.kind.lower()))
    return f"{number:02d}-{kind}-{name.strip('.')}.{change.type}.yaml"


def _patch_text(change: Change) -> str:
    """What kubectl takes: an object to apply server-side, or a JSON patch."""
    if isinstance(change, Delete | Evict):
        body: Any = change_to_dict(change)
        return str(yaml.safe_dump(body, sort_keys=False))
    body = body_of(change)
    how = f"kubectl patch {change.target.kind.lower()} {change.target.name} --type=json --patch-file"
    if not isinstance(change, JsonPatch):
        metadata = {**body["metadata"], "namespace": change.target.namespace}
        first = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata}
        body = {**first, **{key: value for key, value in body.items() if key not in first}}
        how = "kubectl apply --server-side --field-manager=aegis -f"
    return f"# {how} THIS-FILE -n {change.target.namespace}\n" + str(yaml.safe_dump(body, sort_keys=False))


def _bundle(incident: Incident, remediation: JsonObject) -> JsonObject:
    change_set = incident.fix.change_set if incident.fix else None
    return {
        "apiVersion": "aegis.io/v1",
        "kind": "VerificationBundle",
        "clusterUid": incident.cluster_uid,
        "changeSet": change_set.to_dict() if change_set else None,
        "digest": change_set.digest if change_set else None,
        "remediation": remediation,
    }


def _pull_request(incident: Incident, owner: Owner, files: list[str]) -> str:
    fix, diagnosis, verdict = incident.fix, incident.diagnosis, incident.verdict
    lines = [f"# {fix.summary if fix else incident.target}", ""]
    if diagnosis and diagnosis.explanation:
        lines += ["## Why", "", diagnosis.explanation, ""]
    if verdict:
        lines += [
            "## Verified",
            "",
            f"{verdict.decision}: score {verdict.score_low:.2f} to {verdict.score_high:.2f}.",
            "",
        ]
        lines += ["| gate | outcome | what it saw |", "|---|---|---|"]
        lines += [
            f"| {_cell(gate.gate)} | {gate.outcome} | {_cell(gate.reason or gate.coverage)} |" for gate in verdict.gates
        ]
        lines += ["", *(f"- Not covered: {gap}" for gap in verdict.gaps), ""]
    if fix:
        lines += ["## Where each value comes from", ""]
        lines += [f"- `{item.path}` = `{item.value}`: {item.source}" for item in fix.provenance] + [""]
    lines += ["## Where it belongs", "", *_where(owner), ""]
    lines += ["Files: " + ", ".join(files), "", f"AEGIS incident {incident.id}", ""]
    return "\n".join(lines)


def _where(owner: Owner) -> list[str]:
    """Whose it is, where its source lies, and how the patch gets into that."""
    if not owner.owner:
        return ["Nobody but the cluster itself owns this object: the patch may be applied as it is."]
    lines = [f"- owner: {owner.owner}{f', {owner.app}' if owner.app else ''}"]
    lines += [f"- repository: {owner.repo}"] if owner.repo else ["- repository: not known here"]
    lines += [f"- path: {owner.path}"] if owner.path else []
    how = _HOW.get(owner.owner, "Change what it is made from; the live object alone would be written back.")
    return [*lines, "", how]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

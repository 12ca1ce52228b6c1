"""Looking at manifests: a canonical file for each object in an empty folder, and a section of the report for each file."""

from __future__ import annotations

from collections.abc import Sequence

from aegis.model.refs import Json, ObjectRef
from aegis.model.scan import Coverage
from aegis.model.security import SecurityFinding
from aegis.security.canonical import files
from aegis.security.trivytool import command
from aegis.security.trivytool.asking import ask
from aegis.security.trivytool.command import Bench
from aegis.security.trivytool.findings import misconfigurations, suppressed
from aegis.security.trivytool.look import Look
from aegis.security.trivytool.placed import Placed


async def look_at_manifests(objects: Sequence[Json], at: Bench) -> Look:
    """Check objects.

    Raises:
        Failed: if nothing came of it.
        OSError: if the files cannot be written.
    """
    if not objects:
        return Look(digests=(), findings=(), coverage=Coverage())
    texts = files(objects)
    folder = at.scratch / "manifests"
    folder.mkdir(mode=0o700)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    answer = await ask(command.config(at, folder), at)
    placed = {
        name: Placed.of(ObjectRef.of(obj), text) for (name, text), obj in zip(texts.items(), objects, strict=True)
    }
    findings: list[SecurityFinding] = []
    scanned: list[str] = []
    for section in answer.report.of("config"):
        if section.target in placed and section.type == "kubernetes" and section.checks:
            scanned.append(str(placed[section.target].subject))
            findings += misconfigurations(section, placed[section.target])
    return Look(
        digests=(answer.digest,),
        findings=tuple(findings),
        coverage=Coverage(expected=tuple(str(item.subject) for item in placed.values()), scanned=tuple(scanned)),
        details={"suppressed": suppressed(answer.report)},
    )

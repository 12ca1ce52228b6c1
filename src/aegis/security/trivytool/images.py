"""Looking at an image."""

from __future__ import annotations

from datetime import datetime

from aegis.model.refs import ObjectRef
from aegis.model.scan import Image, ScanStatus
from aegis.security.trivytool import command
from aegis.security.trivytool.asking import Failed
from aegis.security.trivytool.command import Bench
from aegis.security.trivytool.findings import suppressed, vulnerabilities
from aegis.security.trivytool.look import Look
from aegis.security.trivytool.proof import ask_of_one_database, covered


async def look_at_image(subject: Image, at: Bench, *, updated: datetime | None, empty: bool) -> Look:
    """Look for vulnerable packages in an image.

    Args:
        subject: which.
        at: where to run.
        updated: when the database is of.
        empty: whether it holds no packages, by intention.

    Raises:
        Failed: if nothing came of it.
    """
    try:
        argv = command.image(at, subject)
    except ValueError as error:
        raise Failed(ScanStatus.ERROR, str(error)) from error
    if subject.archive is not None and not subject.archive.is_file():
        raise Failed(ScanStatus.ERROR, f"there is no file {subject.archive}")
    answer = await ask_of_one_database(argv, at, updated, home=subject.archive is None)
    report = answer.report
    if not report.layers:
        raise Failed(ScanStatus.SKIPPED, f"{subject.reference} has no layers, so there is nothing to look into")
    coverage = await covered(report, at, empty=empty)
    who = ObjectRef(api_version="", kind="Image", name=subject.reference)
    return Look(
        digests=(answer.digest,),
        findings=tuple(vulnerabilities(report, who)),
        coverage=coverage,
        details={
            "image": subject.reference,
            "image_id": report.image_id,
            "digests": list(report.digests),
            "os": str(report.system) if report.system else "",
            "end_of_life": bool(report.system and report.system.ended),
            "packages": sum(section.packages for section in report.sections),
            "suppressed": suppressed(report),
        },
    )

"""Fixes for images that cannot be run: back to the one that a good revision ran."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Symptom
from aegis.diagnosis.history import good_revisions
from aegis.diagnosis.mend import can_change_template, container_patch, from_revision, human_fix, patch_fix
from aegis.diagnosis.reading import text
from aegis.diagnosis.workload import ContainerView, container_views
from aegis.model.changes import Fix, Risk


def image_fixes(case: Case, symptom: Symptom, view: ContainerView) -> tuple[Fix, ...]:
    """The image of the newest good revision that had another one; else a person must name one."""
    node = case.subject
    group = "initContainers" if view.init else "containers"
    for revision in good_revisions(case.graph, node):
        image = text(revision.container(view.name).get("image"))
        if not image or image in {view.image, *_failing_images(case, symptom)} or not can_change_template(node):
            continue
        fix = patch_fix(
            case,
            node,
            container_patch(node, view.name, {"image": image}),
            id="restore-image",
            summary=f"Set the image of container {view.name} back to {image}",
            risk=Risk.LOW,
            provenance=[from_revision(node, f"{group}[{view.name}].image", image, revision)],
        )
        return (fix,)
    return (human_fix("set-image", f"Name an image that exists for container {view.name} (now {view.image})"),)


def _failing_images(case: Case, symptom: Symptom) -> set[str]:
    """Images that some pod of this workload waits for in vain."""
    views = [view for pod in case.pods for view in container_views(pod)]
    return {view.image for view in views if text(view.waiting.get("reason")) in {"ErrImagePull", symptom.reason}}

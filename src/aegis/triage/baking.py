"""The first mend: put what is installed at run time into the image, so that there is nothing left to tell.

No rule changes: whoever still installs something at run time, an attacker above all, is told as before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aegis.falco.alert import Alert
from aegis.falco.yaml_text import scalar
from aegis.triage.classify import Judged
from aegis.triage.knowledge import ATTACK_TOOLS, DROPPED, INSTALL
from aegis.triage.workloads import identity_of, program_of, toolchain_of

_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+._-]{0,62}(?:=[A-Za-z0-9.+:~_-]{1,64})?", re.ASCII)
_IMAGE: Final = re.compile(r"[a-z0-9][a-zA-Z0-9./:_-]{0,254}", re.ASCII)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_VERBS: Final = frozenset({"install", "add", "i", "reinstall"})
_WITH_VALUE: Final = frozenset({
    "-t",
    "--virtual",
    "--repository",
    "-X",
    "-r",
    "--requirement",
    "-c",
    "-o",
    "--index-url",
    "-i",
})
_MOST: Final = 40

_STEPS: Final[Mapping[str, str]] = {
    "apt": "apt-get update \\\n && apt-get install -y --no-install-recommends {} \\\n && rm -rf /var/lib/apt/lists/*",
    "apk": "apk add --no-cache {}",
    "dnf": "dnf install -y {} \\\n && dnf clean all",
    "zypper": "zypper --non-interactive install {} \\\n && zypper clean --all",
    "pip": "pip install --no-cache-dir {}",
    "npm": "npm install --global {}",
    "gem": "gem install --no-document {}",
}
_TO_PIN: Final = "<digest>"
_TO_NAME: Final = "<packages>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bake:
    """What to build, and where to put it.

    Attributes:
        tool: the package manager, or the program.
        image: the image that the workload runs now, with its tag; none where alerts tell several.
        packages: what is installed, as far as command lines tell it plainly.
        digest: of the image; empty where no alert tells it: then it has to be looked up.
        dockerfile: what to build.
        patch: the manifest's change: which container gets the new image.
        missing: what a person still has to fill in.
    """

    tool: str
    image: str
    packages: tuple[str, ...]
    digest: str
    dockerfile: str
    patch: str
    missing: tuple[str, ...]


def bake(history: Sequence[Alert], judged: Judged) -> Bake | None:
    """What to build for a group; None where nothing that is built would end it."""
    group = judged.group
    alerts = [history[number] for number in group.numbers]
    if not ({INSTALL, DROPPED} & {group.family}) or not _IMAGE.fullmatch(group.workload.image):
        return None
    tools = {toolchain_of(one) for one in alerts} - {""}
    tool = tools.pop() if len(tools) == 1 else ""
    packages = _packages(alerts) if tool else ()
    images = [image for image in judged.traits.images if _IMAGE.fullmatch(image)]
    image = images[0] if len(images) == 1 else group.workload.image
    digest = judged.traits.digest if _DIGEST.fullmatch(judged.traits.digest) else ""
    missing = (
        []
        if digest
        else [f"the digest of {image}: `crane digest {image}`, or the pod's status.containerStatuses[].imageID"]
    )
    missing += [] if packages else ["the packages: no command line names them plainly"]
    missing += ["where the new image is pushed, and its digest after that"]
    return Bake(
        tool=tool or program_of(alerts[0]),
        image=image,
        packages=packages,
        digest=digest,
        dockerfile=_dockerfile(judged, tool, image, digest, packages),
        patch=_patch(judged, alerts),
        missing=tuple(missing),
    )


def _dockerfile(judged: Judged, tool: str, image: str, digest: str, packages: Sequence[str]) -> str:  # noqa: PLR0917 - one text
    step = _STEPS.get(tool, "")
    named = " ".join(packages) or _TO_NAME
    run = f"RUN {step.format(named)}" if step else f"# Install here what brings {_shown(judged.group.process)}."
    lines = [
        f"# What {_shown(str(judged.group.workload))} installed at run time, built in.",
        f"FROM {image}@{digest or _TO_PIN}",
        run,
    ]
    return "\n".join([*lines, ""])


def _patch(judged: Judged, alerts: Sequence[Alert]) -> str:
    """A strategic merge of the pod template; the kind of the owner is not told by a pod's name."""
    workload = judged.group.workload
    names = sorted({name for one in alerts if (name := one.text("container.name"))})
    scheduled = judged.traits.is_scheduled
    lines = [
        "apiVersion: batch/v1" if scheduled else "apiVersion: apps/v1",
        "kind: CronJob" if scheduled else "kind: Deployment  # or what owns the pods",
        f"metadata: {{name: {scalar(workload.name)}, namespace: {scalar(workload.namespace)}}}",
        "spec:",
    ]
    if scheduled:
        lines += ["  jobTemplate:", "    spec:"]
    margin = "    " if scheduled else ""
    name = scalar(names[0]) if len(names) == 1 else "<container>"
    lines += [
        f"{margin}  template:",
        f"{margin}    spec:",
        f"{margin}      containers:",
        f"{margin}        - name: {name}",
        f"{margin}          image: {scalar(f'<registry>/{workload.name}@{_TO_PIN}')}",
    ]
    return "\n".join([*lines, ""])


def _packages(alerts: Iterable[Alert]) -> tuple[str, ...]:
    """What command lines install, if every word of it is plainly a package: they are the words of whoever typed them."""
    found: set[str] = set()
    for alert in alerts:
        found |= set(_installed(alert))
    return tuple(sorted(found)) if len(found) <= _MOST else ()


def _installed(alert: Alert) -> list[str]:
    if not identity_of(alert):
        return []
    words = alert.text("proc.cmdline").split()
    place = next((place for place, word in enumerate(words) if word in _VERBS), None)
    if place is None:
        return []
    names, skip = [], False
    for word in words[place + 1 :]:
        if not skip and not word.startswith("-"):
            if not _PACKAGE.fullmatch(word) or word.partition("=")[0] in ATTACK_TOOLS:
                return []
            names.append(word)
        skip = word in _WITH_VALUE
    return names


def _shown(text: str) -> str:
    """On one line, and nothing that a Dockerfile would read: the words are those of whoever was watched."""
    return "".join(char if char.isalnum() or char in "-_./:@ " else "?" for char in text)[:200]

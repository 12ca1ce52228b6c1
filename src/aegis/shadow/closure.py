"""What a workload needs around it to behave as in production: its closure. Pure: the caller reads what is missing.

From the target and the changes: the workloads, what their pod specs name (ConfigMaps, Secrets, ServiceAccounts, volume
claims), the Services in front of them, and the Services of the same namespace whose names stand in their environment,
commands and configuration, with the workloads behind those. A workload counts as it is and as the fix would have it.
"""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from aegis.kube.patch import PatchError, apply_json_patch
from aegis.kube.pod_template import containers, pod_spec_of, references, template_of
from aegis.kube.strategic import strategic_patch
from aegis.model.changes import Apply, Change, JsonPatch
from aegis.model.refs import Json, ObjectRef
from aegis.shadow.workloads import WORKLOADS, is_behind, owned_by, selects

Known = Mapping[ObjectRef, Json | None]
"""Objects that were asked for; None: it is not there."""

NAMED = {"ConfigMap": "v1", "Secret": "v1", "ServiceAccount": "v1", "PersistentVolumeClaim": "v1"}
"""Kinds that a pod spec names and a shadow copies, with their apiVersion."""

EVERYWHERE = frozenset({
    ("ServiceAccount", "default"),
    ("ConfigMap", "kube-root-ca.crt"),
    ("ConfigMap", "openshift-service-ca.crt"),
})
"""What controllers make in every namespace, also in a shadow."""

MOST_OBJECTS = 60
"""A closure beyond this is no longer a trial of one workload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """What a shadow must hold.

    Attributes:
        subjects: the workloads that are tried.
        dependencies: workloads that these call.
        services: in front of either.
        named: what their pod specs name and exists.
        missing: what has to be read before the closure is whole.
        outside: hosts in other namespaces that are called and that a shadow cuts off.
        target: what was reported.
    """

    target: ObjectRef
    subjects: tuple[ObjectRef, ...] = ()
    dependencies: tuple[ObjectRef, ...] = ()
    services: tuple[ObjectRef, ...] = ()
    named: tuple[ObjectRef, ...] = ()
    missing: tuple[ObjectRef, ...] = ()
    outside: tuple[str, ...] = ()

    @property
    def workloads(self) -> tuple[ObjectRef, ...]:
        """All of them, dependencies first."""
        return (*self.dependencies, *self.subjects)


def closure(target: ObjectRef, changes: Sequence[Change], known: Known) -> Closure:
    """The closure of a target and of what a fix changes, as far as it is known.

    Args:
        target: what was reported: a workload or a Service.
        changes: of the fix; what they touch is part of the closure.
        known: the workloads and Services of the namespace, and what was read so far.
    """
    return _Search(target, changes, known).run()


def hosts_in(text: str, names: Iterable[str], namespace: str) -> set[str]:
    """Which of these Services a piece of configuration or a command names as a host.

    A bare word is too weak a sign within a sentence, so a short name must be the whole text, or stand where an address
    stands: after `//` or `@`, before a port, or with the namespace behind it.
    """
    found = set()
    for name in names:
        word = re.escape(name)
        qualified = rf"(?<![\w.-]){word}\.{re.escape(namespace)}(?:\.svc[\w.]*)?(?![\w-])"
        placed = rf"(?:(?<=//)|(?<=@)){word}(?![\w.-])|(?<![\w./-]){word}(?=[: ]\d{{2,5}}(?!\d))"
        if text.strip() == name or re.search(f"{qualified}|{placed}", text):
            found.add(name)
    return found


def hosts_outside(text: str, namespace: str) -> set[str]:
    """Cluster names of other namespaces: `db.data.svc`, `db.data.svc.cluster.local`."""
    found = re.finditer(r"(?<![\w.-])([a-z][a-z0-9-]*\.([a-z0-9][a-z0-9-]*)\.svc)(?:\.cluster\.local)?(?![\w-])", text)
    return {match[1] for match in found if match[2] != namespace}


def workload_of_pod(pod: Json, known: Known) -> ObjectRef | None:
    """The workload among the known ones that a pod belongs to."""
    for ref, obj in known.items():
        if obj is not None and ref.kind in WORKLOADS and ref.kind != "Pod" and owned_by(pod, ref.kind, ref.name):
            return ref
    return None


class _Search:
    """One walk over what is known."""

    def __init__(self, target: ObjectRef, changes: Sequence[Change], known: Known) -> None:
        self._target = target
        self._namespace = target.namespace
        self._changes = changes
        self._known = known
        self._subjects: dict[ObjectRef, None] = {}
        self._dependencies: dict[ObjectRef, None] = {}
        self._services: dict[ObjectRef, None] = {}
        self._named: dict[ObjectRef, None] = {}
        self._missing: dict[ObjectRef, None] = {}
        self._outside: set[str] = set()

    def run(self) -> Closure:
        self._start()
        queue = deque([*self._subjects, *self._dependencies])
        seen = set(queue)
        while queue:
            called = list(self._visit(queue.popleft()))
            behind = [ref for service in called for ref in self._behind(service) if ref not in seen]
            seen.update(behind)
            queue.extend(behind)
            self._dependencies.update(dict.fromkeys(behind))
        return Closure(
            target=self._target,
            subjects=tuple(self._subjects),
            dependencies=tuple(self._dependencies),
            services=tuple(self._services),
            named=tuple(self._named),
            missing=tuple(self._missing),
            outside=tuple(sorted(self._outside)),
        )

    def _start(self) -> None:
        """The target's own workloads, then whatever else the fix changes."""
        if self._target.kind == "Service":
            self._service(self._target)
            for ref in self._behind(self._target):
                self._subjects[ref] = None
        elif self._target.kind in WORKLOADS or self._whole(self._target) != self._target:
            self._subjects[self._whole(self._target)] = None
        for change in self._changes:
            changed = [ref for ref in self._changed(change.target) if ref not in self._subjects]
            self._dependencies.update(dict.fromkeys(changed))

    def _changed(self, ref: ObjectRef) -> Iterator[ObjectRef]:
        """The workloads that a change of this object touches; what else it is, is taken in."""
        if ref.kind in WORKLOADS:
            yield self._whole(ref)
        elif ref.kind == "Service":
            self._service(ref)
            yield from self._behind(ref)
        elif ref.kind in NAMED:
            self._want(ref)

    def _whole(self, ref: ObjectRef) -> ObjectRef:
        """A pod, or a ReplicaSet, that a workload made stands for that workload."""
        obj = self._known.get(ref)
        if obj is None or ref.kind not in {"Pod", "ReplicaSet"}:
            return ref
        as_pod = {"metadata": {"ownerReferences": [{"kind": "ReplicaSet", "name": ref.name}]}}
        return workload_of_pod(obj if ref.kind == "Pod" else as_pod, self._known) or ref

    def _visit(self, ref: ObjectRef) -> Iterator[ObjectRef]:
        """Take in what one workload names; yields the Services that it calls."""
        workload = self._known.get(ref)
        if ref not in self._known:
            self._missing[ref] = None
        if workload is None:
            return
        for form in (workload, *_changed_forms(ref, workload, self._changes)):
            spec = pod_spec_of(form) or {}
            for reference in references(spec):
                if reference.kind in NAMED:
                    self._want(self._ref(NAMED[reference.kind], reference.kind, reference.name))
            for service, obj in self._all_services():
                if is_behind(obj, form):
                    self._services[service] = None
            yield from self._called(form, spec)

    def _called(self, workload: Json, spec: Json) -> Iterator[ObjectRef]:
        names = {ref.name: ref for ref, _ in self._all_services()}
        for text in (*_texts(workload), *self._configuration(spec)):
            self._outside |= hosts_outside(text, self._namespace)
            for name in sorted(hosts_in(text, names, self._namespace)):
                self._service(names[name])
                yield names[name]

    def _configuration(self, spec: Json) -> Iterator[str]:
        """The values of the ConfigMaps and Secrets that a pod spec names."""
        for reference in references(spec):
            obj = self._known.get(self._ref("v1", reference.kind, reference.name))
            if obj is not None and reference.kind in {"ConfigMap", "Secret"}:
                yield from _values(obj)

    def _want(self, ref: ObjectRef) -> None:
        if (ref.kind, ref.name) in EVERYWHERE:
            return
        if ref not in self._known:
            self._missing[ref] = None
        elif (obj := self._known[ref]) is not None:
            self._named[ref] = None
            for secret in obj.get("imagePullSecrets") or [] if ref.kind == "ServiceAccount" else []:
                self._want(self._ref("v1", "Secret", str(secret.get("name"))))

    def _service(self, ref: ObjectRef) -> None:
        if self._known.get(ref) is not None:
            self._services[ref] = None
        elif ref not in self._known:
            self._missing[ref] = None

    def _behind(self, service: ObjectRef) -> Iterator[ObjectRef]:
        """The workloads behind a Service as it is, and as the fix would have it."""
        obj = self._known.get(service)
        if obj is None:
            return
        selectors = [(obj.get("spec") or {}).get("selector"), *_new_selectors(service, self._changes)]
        for ref, workload in self._known.items():
            if workload is None or ref.kind not in WORKLOADS or ref.kind in {"Job", "CronJob"}:
                continue
            if ref.kind == "Pod" and (workload.get("metadata") or {}).get("ownerReferences"):
                continue
            labels = ((template_of(workload) or {}).get("metadata") or {}).get("labels") or {}
            if any(selects(selector, labels) for selector in selectors):
                yield ref

    def _all_services(self) -> Iterator[tuple[ObjectRef, Json]]:
        for ref, obj in self._known.items():
            if ref.kind == "Service" and obj is not None:
                yield ref, obj

    def _ref(self, api_version: str, kind: str, name: str) -> ObjectRef:
        return replace(self._target, api_version=api_version, kind=kind, name=name)


def _texts(workload: Json) -> Iterator[str]:
    """The literal words of a pod spec: environment, commands, arguments."""
    for at in containers(pod_spec_of(workload) or {}):
        for variable in at.spec.get("env") or []:
            yield str(variable.get("value") or "")
        yield " ".join(str(word) for word in at.spec.get("command") or [])
        yield " ".join(str(word) for word in at.spec.get("args") or [])


def _values(obj: Json) -> Iterator[str]:
    for value in (obj.get("data") or {}).values():
        text = str(value)
        if obj.get("kind") == "Secret":
            try:
                text = base64.b64decode(text, validate=True).decode()
            except ValueError:
                continue
        yield text


def _changed_forms(ref: ObjectRef, workload: Json, changes: Sequence[Change]) -> Iterator[Json]:
    form = as_changed(ref, workload, changes)
    if form is not workload:
        yield form


def as_changed(ref: ObjectRef, workload: Json, changes: Sequence[Change]) -> Json:
    """A workload as the fix would have it; itself where the fix does not touch or does not fit it."""
    form: Json = workload
    try:
        for change in changes:
            if isinstance(change, Apply) and change.target == ref:
                form = strategic_patch(ref.kind, form, change.patch)
            elif isinstance(change, JsonPatch) and change.target == ref:
                form = apply_json_patch(form, [dict(operation) for operation in change.patch])
    except PatchError:
        return workload
    return form


def _new_selectors(service: ObjectRef, changes: Sequence[Change]) -> Iterator[Mapping[str, str]]:
    """The selectors that a fix would give a Service."""
    for change in changes:
        if (change.target.kind, change.target.name) != ("Service", service.name):
            continue
        if isinstance(change, Apply):
            yield (change.patch.get("spec") or {}).get("selector") or {}
        elif isinstance(change, JsonPatch):
            yield from _patched_selectors(change)


def _patched_selectors(change: JsonPatch) -> Iterator[Mapping[str, str]]:
    single = {}
    for operation in change.patch:
        path, value = str(operation.get("path") or ""), operation.get("value")
        if operation.get("op") not in {"add", "replace"}:
            continue
        if path == "/spec/selector" and isinstance(value, Mapping):
            yield value
        elif path.startswith("/spec/selector/") and isinstance(value, str):
            single[path.removeprefix("/spec/selector/").replace("~1", "/").replace("~0", "~")] = value
    if single:
        yield single

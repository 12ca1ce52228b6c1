"""What is wrong with an object, as far as it shows: the troubles that rules then explain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from aegis.diagnosis.case import Case, Symptom, Trouble, cite
from aegis.diagnosis.graph import EventNode, Graph, Node, Tie
from aegis.diagnosis.history import current_revision
from aegis.diagnosis.reading import Clock, at, condition, items, mapping, number, text, time_of
from aegis.diagnosis.workload import ContainerView, container_views, controller_of
from aegis.model.signature import CONFIG_REASONS, PULL_REASONS, last_termination

_QUIET = timedelta(minutes=10)
"""A container that has run so long is over its last crash: the kubelet's own back-off is reset then."""
_LONGEST_QUIET = timedelta(hours=24)
_MAY_TAKE = timedelta(seconds=10)
"""That an init container runs so long is worth a look at what it waits for."""
_MAY_LINGER = timedelta(minutes=2)
"""That a sidecar outlives the work of a Job so long is no orderly end any more."""
_STARTS = timedelta(seconds=3)
"""Real time that a program has to start where probes follow each other faster than on a real cluster."""
_START_REASONS = frozenset({"RunContainerError", "StartError", "ContainerCannotRun"})
_MOUNT_REASONS = frozenset({"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedMapVolume"})


def pod_symptoms(graph: Graph, pod: Node, clock: Clock) -> tuple[Symptom, ...]:
    """What is wrong with one pod: the earliest stage that fails, for every container that fails in it."""
    if text(pod.status.get("phase")) == "Succeeded" or pod.metadata.get("deletionTimestamp"):
        return ()
    for stage in (_evicted, _unscheduled, _containers, _unmounted, _outlived, _unready):
        if found := tuple(stage(graph, pod, clock)):
            return found
    return ()


def workload_symptoms(case: Case) -> tuple[Symptom, ...]:
    """What is wrong with a workload: its pods' symptoms, each kind once, then its own."""
    if condition(case.subject.obj, "Complete").get("status") == "True":
        return ()
    by_key: dict[object, Symptom] = {}
    for pod in _by_interest(case):
        for symptom in pod_symptoms(case.graph, pod, case.clock):
            known = by_key.get(symptom.key)
            by_key[symptom.key] = replace(known, pods=known.pods + 1) if known else symptom
    found = list(by_key.values())
    found += _refused(case)
    if not found:
        found += _stopped(case)
    if not found:
        found += _stuck(case)
    return tuple(found)


def _by_interest(case: Case) -> list[Node]:
    """The pods of the newest revision first, those that restarted most before the others.

    Pods that failed for good do not matter once others have taken their place, nor do those of earlier runs of a CronJob.
    """
    newest = current_revision(case.graph, case.subject)
    pods = case.pods
    if case.subject.ref.kind == "CronJob":
        last = max((controller_of(case.graph, pod) for pod in pods), key=_made, default=None)
        pods = tuple(pod for pod in pods if controller_of(case.graph, pod) == last)
    elif (
        case.subject.ref.kind not in {"Pod", "Job"}
        and _ready_of_wanted(case.subject)[0] >= _ready_of_wanted(case.subject)[1] > 0
    ):
        pods = tuple(pod for pod in pods if pod.status.get("phase") != "Failed")

    def rank(pod: Node) -> tuple[bool, int, str]:
        owner = controller_of(case.graph, pod)
        of_newest = newest is None or owner is None or owner.key == newest.node.key
        return (not of_newest, -sum(view.restarts for view in container_views(pod)), pod.ref.name)

    return sorted(pods, key=rank)


def _made(node: Node | None) -> str:
    return text(node.metadata.get("creationTimestamp")) if node else ""


def _ready_of_wanted(node: Node) -> tuple[int, int]:
    """(ready, wanted) replicas of a workload."""
    desired = node.status.get("desiredNumberScheduled") or node.status.get("replicas")
    wanted = number(node.spec.get("replicas") if "replicas" in node.spec else desired)
    return number(node.status.get("readyReplicas") or node.status.get("numberReady")), wanted


def _evicted(_graph: Graph, pod: Node, _clock: Clock) -> Iterator[Symptom]:
    reason, message = text(pod.status.get("reason")), text(pod.status.get("message"))
    if pod.status.get("phase") == "Failed" and reason:
        lines = (f"status.reason: {reason}", f"status.message: {message}")
        yield Symptom(
            trouble=Trouble.CRASH,
            subject=pod,
            reason=reason,
            message=message,
            because=f"it was ended as a whole: {reason}",
            citations=(cite(pod, *lines),),
        )


def _unscheduled(graph: Graph, pod: Node, _clock: Clock) -> Iterator[Symptom]:
    scheduled = condition(pod.obj, "PodScheduled")
    if scheduled.get("status") == "True" or (pod.spec.get("nodeName") and scheduled.get("status") != "False"):
        return
    events = [event for event in graph.events(pod.key) if event.reason == "FailedScheduling"]
    reason, message = text(scheduled.get("reason")), text(scheduled.get("message"))
    if not reason and not events:
        return
    message = message or (events[-1].message if events else "")
    said = f"conditions[PodScheduled]: {scheduled.get('status', 'False')} {reason}: {message}"
    yield Symptom(
        trouble=Trouble.SCHEDULING,
        subject=pod,
        reason=reason or "Unschedulable",
        message=message,
        because=f"no node takes it: {message}" if message else "no node takes it",
        citations=(cite(pod, said), *(cite(event) for event in events[-1:])),
    )


def _containers(graph: Graph, pod: Node, clock: Clock) -> Iterator[Symptom]:
    views = container_views(pod)
    for group in ([view for view in views if view.init], [view for view in views if not view.init]):
        found = [symptom for view in group for symptom in _of_container(graph, view, clock)]
        if found:
            yield from found
            return


def _of_container(graph: Graph, view: ContainerView, clock: Clock) -> Iterator[Symptom]:
    reason, message = text(view.waiting.get("reason")), text(view.waiting.get("message"))
    said = f"status.containerStatuses[{view.name}].state.waiting: {reason}: {message}"
    if reason in PULL_REASONS:
        pulls = [e for e in graph.events(view.pod.key) if e.reason in {"Failed", "InspectFailed", "ErrImageNeverPull"}]
        told = next((e for e in reversed(pulls) if _tells_why(e.message, view.image)), None)
        yield Symptom(
            trouble=Trouble.PULL,
            subject=view.pod,
            container=view.name,
            reason=reason,
            message=told.message if told else message,
            because=f"the image {view.image} of container {view.name} is not there to run ({reason})",
            citations=(cite(view.pod, said), *((cite(told),) if told else ())),
        )
    elif reason in CONFIG_REASONS:
        yield Symptom(
            trouble=Trouble.CONFIG,
            subject=view.pod,
            container=view.name,
            reason=reason,
            message=message,
            because=f"container {view.name} cannot be made: {message or reason}",
            citations=(cite(view.pod, said),),
        )
    elif _crashes(view, clock) or reason in _START_REASONS:
        yield _crash(graph, view, reason, message)
    elif view.init and view.running and view.spec.get("restartPolicy") != "Always" and _long_running(view, clock):
        yield Symptom(
            trouble=Trouble.HANGING,
            subject=view.pod,
            container=view.name,
            reason="InitRunning",
            because=f"init container {view.name} has not ended, so the pod does not start",
            citations=(cite(view.pod, f"status.initContainerStatuses[{view.name}].state: running"),),
        )


def _tells_why(message: str, image: str) -> bool:
    return message.startswith("Failed to pull image") or (image in message and "Error: " not in message)


def _crashes(view: ContainerView, clock: Clock) -> bool:
    """Whether a container ends again and again, or ended badly not long ago."""
    ended = last_termination(view.pod.obj, view.status)
    if ended is None:
        return False
    if _is_done(view):
        return False
    if not view.running:
        return view.status.get("ready") is not True
    finished = view.ended_at
    if finished is None or clock.since(finished) <= _QUIET:
        return True
    created = time_of(view.pod.metadata.get("creationTimestamp"))
    between = clock.since(created) / max(view.restarts, 1) if created else _QUIET
    return view.restarts > 1 and clock.since(finished) <= min(3 * between, _LONGEST_QUIET)


def _is_done(view: ContainerView) -> bool:
    """Whether a container ended well and its pod lets it be."""
    ended = at(view.status, "state", "terminated", "exitCode") == 0
    return ended and view.pod.spec.get("restartPolicy") in {"Never", "OnFailure"}


def _crash(graph: Graph, view: ContainerView, waiting: str, message: str) -> Symptom:
    ended = view.ended
    reason = text(ended.get("reason")) or waiting or "Error"
    code = ended.get("exitCode")
    exit_code = code if isinstance(code, int) else None
    message = text(ended.get("message")) or message
    started = [e for e in graph.events(view.pod.key) if e.reason == "Failed" and f"container {view.name}" in e.message]
    if not message and started:
        message = started[-1].message
    where = f"status.containerStatuses[{view.name}]"
    lines = [
        f"{where}.lastState.terminated: reason {reason}, exitCode {code}",
        f"{where}.restartCount: {view.restarts}",
    ]
    if view.waiting:
        lines.append(f"{where}.state.waiting.reason: {waiting}")
    if message:
        lines.append(f"message: {message}")
    shown = f"reason {reason}" + (f", exit code {exit_code}" if exit_code is not None else "")
    return Symptom(
        trouble=Trouble.CRASH,
        subject=view.pod,
        container=view.name,
        reason=reason,
        message=message,
        exit_code=exit_code,
        because=f"{'init ' if view.init else ''}container {view.name} keeps ending ({shown}, {view.restarts} restarts)",
        citations=(cite(view.pod, *lines),),
    )


def _long_running(view: ContainerView, clock: Clock) -> bool:
    started = time_of(at(view.status, "state", "running", "startedAt"))
    return started is None or clock.since(started) > _MAY_TAKE


def _unmounted(graph: Graph, pod: Node, _clock: Clock) -> Iterator[Symptom]:
    waits = any(text(v.waiting.get("reason")) in {"ContainerCreating", "PodInitializing"} for v in container_views(pod))
    events = [event for event in graph.events(pod.key) if event.reason in _MOUNT_REASONS]
    if (waits or (pod.status.get("phase") == "Pending" and not container_views(pod))) and events:
        newest = events[-1]
        yield Symptom(
            trouble=Trouble.CONFIG,
            subject=pod,
            reason=newest.reason,
            message=newest.message,
            because=f"its volumes or its sandbox cannot be made: {newest.message}",
            citations=(cite(newest),),
        )


def _outlived(graph: Graph, pod: Node, clock: Clock) -> Iterator[Symptom]:
    """A Job's pod whose work ended well while another container goes on."""
    owner = controller_of(graph, pod)
    views = [view for view in container_views(pod) if not view.init]
    done = [view for view in views if at(view.status, "state", "terminated", "exitCode") == 0]
    running = [view for view in views if view.running]
    if owner is None or owner.ref.kind != "Job" or not done or len(done) + len(running) < len(views):
        return
    ended = time_of(at(done[0].status, "state", "terminated", "finishedAt"))
    for view in running[:1] if ended and clock.since(ended) > _MAY_LINGER else ():
        yield Symptom(
            trouble=Trouble.HANGING,
            subject=pod,
            container=view.name,
            reason="SidecarRuns",
            message=f"container {done[0].name} ended with exit code 0",
            because=f"container {done[0].name} ended with exit code 0, and container {view.name} goes on",
            citations=(cite(pod, f"status.containerStatuses[{done[0].name}].state.terminated: exitCode 0"),),
        )


def _unready(graph: Graph, pod: Node, clock: Clock) -> Iterator[Symptom]:
    for view in container_views(pod):
        if view.init or view.ready or not view.running:
            continue
        probes = [
            e
            for e in graph.events(pod.key)
            if e.reason == "Unhealthy" and e.message.startswith(("Readiness probe", "Startup probe"))
        ]
        if not probes and not view.spec.get("readinessProbe") and not view.spec.get("startupProbe"):
            continue
        if not _established(view, probes, clock):
            continue
        message = probes[-1].message if probes else ""
        lines = (f"status.containerStatuses[{view.name}].ready: false, state: running",)
        yield Symptom(
            trouble=Trouble.NOT_READY,
            subject=pod,
            container=view.name,
            reason="Unhealthy",
            message=message,
            because=f"container {view.name} runs but is not ready" + (f": {message.strip()}" if message else ""),
            citations=(cite(pod, *lines), *(cite(event) for event in probes[-1:])),
        )


def _established(view: ContainerView, probes: list[EventNode], clock: Clock) -> bool:
    """Whether a container is not ready for good, rather than still starting: failed as often as the probe allows."""
    probe = mapping(view.spec.get("startupProbe")) or mapping(view.spec.get("readinessProbe"))
    allowed = number(probe.get("failureThreshold")) or 3
    started = time_of(at(view.status, "state", "running", "startedAt"))
    if clock.scale > 1 and started is not None and clock.really_since(started) < _STARTS:
        return False
    if sum(event.count for event in probes) >= allowed:
        return True
    budget = number(probe.get("initialDelaySeconds")) + allowed * (number(probe.get("periodSeconds")) or 10)
    return started is None or clock.really_since(started) > timedelta(seconds=budget)


def _refused(case: Case) -> Iterator[Symptom]:
    """Pods that a controller may not create."""
    sources = [case.subject, *(case.graph.node(e.target) for e in case.graph.out(case.subject.key, Tie.OWNS))]
    seen: set[str] = set()
    for node in sources:
        refused = condition(node.obj, "ReplicaFailure")
        message = text(refused.get("message")) if refused.get("status") == "True" else ""
        events = [event for event in case.graph.events(node.key) if event.reason == "FailedCreate"]
        wants = number(node.spec.get("replicas")) if "replicas" in node.spec else 1
        has = number(node.status.get("replicas"))
        if not message and events and (has < wants or not node.present):
            message = events[-1].message
        if not message or message in seen:
            continue
        seen.add(message)
        citations = [cite(event) for event in events[-1:]]
        if refused:
            citations.insert(0, cite(node, f"conditions[ReplicaFailure]: True {refused.get('reason')}: {message}"))
        yield Symptom(
            trouble=Trouble.ADMISSION,
            subject=node,
            reason="FailedCreate",
            message=message,
            because=f"its pods are refused when they are created: {message}",
            citations=tuple(citations),
        )


def _stopped(case: Case) -> Iterator[Symptom]:
    if case.subject.ref.kind in {"Deployment", "StatefulSet", "ReplicaSet"} and case.subject.spec.get("replicas") == 0:
        yield Symptom(
            trouble=Trouble.STOPPED,
            subject=case.subject,
            reason="ScaledToZero",
            because="it is scaled to zero",
            citations=(cite(case.subject, "spec.replicas: 0"),),
        )


def _stuck(case: Case) -> Iterator[Symptom]:
    node = case.subject
    if node.ref.kind not in {"Deployment", "StatefulSet", "DaemonSet"} or not node.status:
        return
    progressing = condition(node.obj, "Progressing")
    late = progressing.get("reason") == "ProgressDeadlineExceeded"
    ready, wanted = _ready_of_wanted(node)
    settled = number(node.status.get("observedGeneration")) >= number(node.metadata.get("generation"))
    if not late and (ready >= wanted or not settled):
        return
    lines = [f"status: {ready} of {wanted} replicas ready"]
    lines += [
        f"conditions[{c.get('type')}]: {c.get('status')} {c.get('reason')}: {c.get('message')}"
        for c in items(node.status.get("conditions"))
    ]
    yield Symptom(
        trouble=Trouble.STUCK,
        subject=node,
        reason="ProgressDeadlineExceeded" if late else "Unavailable",
        message=text(progressing.get("message")) if late else "",
        because=f"only {ready} of {wanted} replicas are ready"
        + (", and its rollout is past its deadline" if late else ""),
        citations=(cite(node, *lines),),
    )

"""An alert as Falco writes it: one JSON object, and the same as a line of text. Pure.

Container fields come last and always, as Falco's container plug-in appends them. A field without a value is `null` in
`output_fields` and `<NA>` in the text. The host's name is left to the pod that writes the alert down.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aegis.localcluster.kubelet.watch.events import Connected, Event, Executed, Opened, Process, Subject
from aegis.localcluster.kubelet.watch.rules import Rule

Value = str | int | None

_CONTAINER = (
    ("container_id", "container.id"), ("container_name", "container.name"),
    ("container_image_repository", "container.image.repository"), ("container_image_tag", "container.image.tag"),
    ("k8s_pod_name", "k8s.pod.name"), ("k8s_ns_name", "k8s.ns.name"),
)  # fmt: skip
_SHORT_ID = 12
_SECOND = 1_000_000_000


def alert(rule: Rule, event: Event, process: Process, subject: Subject) -> dict[str, Any]:
    """The alert of an event that breaks a rule."""
    known = {**_of_process(process), **_of_container(subject), **_of_event(event)}
    known = {name: _readable(value) for name, value in known.items()}
    shown = (*rule.shown, *_CONTAINER)
    fields: dict[str, Value] = {name: known.get(name) for _, name in shown}
    said = " ".join(f"{label}={_word(known.get(name))}" for label, name in shown)
    seconds, rest = divmod(event.at, _SECOND)
    moment = datetime.fromtimestamp(seconds, UTC)
    return {
        "output": f"{moment:%H:%M:%S}.{rest:09d}: {rule.priority} {rule.text} | {said}",
        "output_fields": {"evt.time": event.at, **fields},
        "priority": rule.priority,
        "rule": rule.name,
        "source": "syscall",
        "tags": list(rule.tags),
        "time": f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09d}Z",
    }


def _readable(value: Value) -> Value:
    """Bytes that are no text become U+FFFD, as Falco shows them."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if isinstance(value, str) else value


def _word(value: Value) -> str:
    return "<NA>" if value is None else str(value)


def _of_process(process: Process) -> dict[str, Value]:
    parent = process.parent
    fields: dict[str, Value] = {
        "proc.name": process.name,
        "proc.cmdline": process.command,
        "proc.args": " ".join(process.arguments[1:]),
        "proc.exe": process.exe,
        "proc.exepath": process.exepath,
        "proc.cwd": process.cwd if process.cwd.endswith("/") else f"{process.cwd}/",
        "proc.tty": process.tty,
        "proc.sname": process.session,
        "proc.pname": parent.name if parent else None,
        "proc.pcmdline": parent.command if parent else None,
        "proc.pexe": parent.exe if parent else None,
        "proc.pexepath": parent.exepath if parent else None,
        "user.name": process.user,
        "user.uid": process.uid,
        "user.loginuid": process.login_uid,
        "group.gid": process.gid,
        "group.name": process.group,
    }
    return fields | {f"proc.aname[{number}]": above.name for number, above in enumerate(process.ancestors, 1)}


def _of_container(subject: Subject) -> dict[str, Value]:
    return {
        "container.id": subject.container_id[:_SHORT_ID],
        "container.name": subject.container,
        "container.image.repository": subject.repository,
        "container.image.tag": subject.tag or None,
        "k8s.pod.name": subject.pod,
        "k8s.ns.name": subject.namespace,
    }


def _of_event(event: Event) -> dict[str, Value]:
    match event:
        case Opened():
            return {"evt.type": event.call, "fd.name": event.path, "fd.nameraw": event.raw}
        case Executed():
            return {"evt.type": event.call, "evt.res": "SUCCESS", "evt.arg.flags": _flags(event), **_of_file(event)}
        case Connected():
            return _of_connection(event)


def _flags(event: Executed) -> str | None:
    flags = {
        "EXE_WRITABLE": event.writable, "EXE_UPPER_LAYER": event.dropped, "EXE_FROM_MEMFD": event.in_memory,
    }  # fmt: skip
    return "|".join(name for name, is_set in flags.items() if is_set) or None


def _of_file(event: Executed) -> dict[str, Value]:
    return {
        "proc.exe_ino.ctime": event.changed_at,
        "proc.exe_ino.mtime": event.modified_at,
        "proc.exe_ino.ctime_duration_proc_start": event.at - event.changed_at,
        "container.start_ts": event.container_started_at,
    }


def _of_connection(event: Connected) -> dict[str, Value]:
    (local, local_port), (remote, remote_port) = event.local, event.remote
    return {
        "evt.type": event.call,
        "fd.name": f"{local}:{local_port}->{remote}:{remote_port}",
        "fd.lip": local,
        "fd.lport": local_port,
        "fd.rip": remote,
        "fd.rport": remote_port,
        "fd.sip": remote,
        "fd.sport": remote_port,
        "fd.cip": local,
        "fd.cport": local_port,
        "fd.type": event.family,
        "fd.l4proto": event.protocol,
    }

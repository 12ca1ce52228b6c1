"""A pod (or a pod template) as `kubectl describe` prints it."""

from __future__ import annotations

import re
from typing import Any, Final

from aegis.evidence.outline import Line, time_text
from aegis.model.refs import JsonObject

_PROBE: Final = re.compile(
    r"^(?P<how>http-get|tcp-socket|exec|grpc)\s+(?P<what>.*?)\s+delay=(?P<delay>\d+)s timeout=(?P<timeout>\d+)s period=(?P<period>\d+)s"
    r" #success=(?P<success>\d+) #failure=(?P<failure>\d+)$"
)
_HTTP: Final = re.compile(r"^(?P<scheme>https?)://(?P<host>[^:/]*):(?P<port>[^/]+)(?P<path>/.*)?$")
_FROM_KEY: Final = re.compile(
    r"<set to the key '([^']*)' (?:of config map|in secret) '([^']*)'>\s*(?:Optional: (true|false))?"
)
_FROM_ALL: Final = re.compile(r"^(\S+)\s+(ConfigMap|Secret)(?: with prefix '([^']*)')?\s+Optional: (true|false)")
_VARIABLE: Final = re.compile(r"^([A-Za-z_][A-Za-z0-9_.-]*):(?:\s+(.*))?$")


def described_pod(outline: Line, conditions: list[JsonObject]) -> JsonObject:
    """`spec` and `status` of the pod that an outline describes."""
    spec: JsonObject = {}
    status: JsonObject = {"conditions": conditions}
    for section, field, statuses in (
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
    ):
        described = [line for line in outline.child(section).children if line.text.endswith(":") and line.children]
        spec[field] = [_container(line) for line in described]
        status[statuses] = [found for line in described if (found := _status(line))]
    node = outline.text_of("Node").split("/")[0]
    if node:
        spec["nodeName"] = node
    if account := outline.text_of("Service Account"):
        spec["serviceAccountName"] = account
    if selector := outline.pairs("Node-Selectors"):
        spec["nodeSelector"] = selector
    spec["volumes"] = [found for line in outline.child("Volumes").children if (found := _volume(line))]
    status["phase"] = outline.text_of("Status").split(" ")[0]
    for key, field in (("Reason", "reason"), ("Message", "message")):
        if value := outline.text_of(key):
            status[field] = value
    if not conditions:
        del status["conditions"]
    return {"spec": spec, "status": status}


def _container(line: Line) -> JsonObject:
    made: JsonObject = {"name": line.text.rstrip(":"), "image": line.text_of("Image")}
    for section, field in (("Command", "command"), ("Args", "args")):
        if words := _words(line.child(section)):
            made[field] = words
    ports = re.findall(r"(\d+)/([A-Z]+)", line.text_of("Port", "Ports"))
    if ports:
        made["ports"] = [{"containerPort": int(number), "protocol": protocol} for number, protocol in ports]
    resources = {field: line.pairs(section) for section, field in (("Limits", "limits"), ("Requests", "requests"))}
    made["resources"] = {field: found for field, found in resources.items() if found}
    for section in ("Liveness", "Readiness", "Startup"):
        if probe := _probe(line.text_of(section)):
            made[f"{section.lower()}Probe"] = probe
    made["env"] = [found for child in line.child("Environment").children if (found := _variable(child.text))]
    sources = (_FROM_ALL.match(child.text) for child in line.child("Environment Variables from").children)
    made["envFrom"] = [_source(match) for match in sources if match]
    return made


def _words(section: Line) -> list[str]:
    """A command line; what follows `-c` is one script, whatever its lines look like."""
    lines = [text for child in section.children for text in _flat(child, 0)]
    if "-c" in lines[:3]:
        at = lines.index("-c") + 1
        return [*lines[:at], *(["\n".join(lines[at:])] if lines[at:] else [])]
    return [child.text for child in section.children]


def _flat(line: Line, depth: int) -> list[str]:
    """A line and all below it, indented as it was."""
    return ["  " * depth + line.text, *(text for child in line.children for text in _flat(child, depth + 1))]


def _variable(text: str) -> JsonObject | None:
    match = _VARIABLE.match(text)
    if match is None:
        return None
    name, value = match[1], match[2] or ""
    taken = _FROM_KEY.match(value)
    if taken is None:
        return {"name": name, "value": value}
    field = "secretKeyRef" if "in secret" in value else "configMapKeyRef"
    return {"name": name, "valueFrom": {field: {"name": taken[2], "key": taken[1], "optional": taken[3] == "true"}}}


def _source(match: re.Match[str]) -> JsonObject:
    field = "configMapRef" if match[2] == "ConfigMap" else "secretRef"
    return {field: {"name": match[1], "optional": match[4] == "true"}}


def _probe(text: str) -> JsonObject | None:
    match = _PROBE.match(text)
    if match is None:
        return None
    made: JsonObject = {
        "initialDelaySeconds": int(match["delay"]),
        "timeoutSeconds": int(match["timeout"]),
        "periodSeconds": int(match["period"]),
        "successThreshold": int(match["success"]),
        "failureThreshold": int(match["failure"]),
    }
    http = _HTTP.match(match["what"]) if match["how"] == "http-get" else None
    if http:
        made["httpGet"] = {"path": http["path"] or "/", "port": _port(http["port"]), "scheme": http["scheme"].upper()}
    elif match["how"] == "tcp-socket":
        made["tcpSocket"] = {"port": _port(match["what"].lstrip(":"))}
    else:
        made["exec"] = {"command": match["what"].strip("[]").split()}
    return made


def _port(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def _status(line: Line) -> JsonObject | None:
    if not line.child("State").text and not line.child("Ready").text:
        return None
    made: JsonObject = {
        "name": line.text.rstrip(":"),
        "image": line.text_of("Image"),
        "ready": line.text_of("Ready") == "True",
        "restartCount": int(line.text_of("Restart Count") or 0) if line.text_of("Restart Count").isdigit() else 0,
        "state": _state(line, "State"),
        "lastState": _state(line, "Last State"),
    }
    return made


def _state(line: Line, field: str) -> JsonObject:
    """A state; in text edited by hand its details may stand beside it instead of below it."""
    state = line.child(field)
    details = state if state.children else _beside(line, field)
    body: dict[str, Any] = {}
    for key, name in (("Reason", "reason"), ("Message", "message")):
        if value := details.text_of(key):
            body[name] = value
    code = details.text_of("Exit Code")
    if code.lstrip("-").isdigit():
        body["exitCode"] = int(code)
    for key, name in (("Started", "startedAt"), ("Finished", "finishedAt")):
        if moment := time_text(details.text_of(key)):
            body[name] = moment
    word = state.value.lower()
    return {word: body} if word in {"waiting", "running", "terminated"} else {}


def _beside(line: Line, field: str) -> Line:
    """What follows a state on the same level, up to the next field that is not a detail of one."""
    found = Line(text="", indent=line.indent)
    inside = False
    for child in line.children:
        if child.key == field:
            inside = True
        elif inside and child.key in {"Reason", "Message", "Exit Code", "Started", "Finished"}:
            found.children.append(child)
        elif inside:
            break
    return found


def _volume(line: Line) -> JsonObject | None:
    name, kind = line.text.rstrip(":"), line.text_of("Type").split(" ")[0]
    optional = line.text_of("Optional") == "true"
    match kind:
        case "PersistentVolumeClaim":
            return {"name": name, "persistentVolumeClaim": {"claimName": line.text_of("ClaimName")}}
        case "ConfigMap":
            return {"name": name, "configMap": {"name": line.text_of("Name"), "optional": optional}}
        case "Secret":
            return {"name": name, "secret": {"secretName": line.text_of("SecretName"), "optional": optional}}
        case _:
            return None

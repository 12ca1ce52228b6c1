"""What probes ask and what their answers add up to. Pure.

Source: the Kubernetes documentation of liveness, readiness and startup probes, and the kubelet's own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["liveness", "readiness", "startup"]
KINDS: tuple[Kind, ...] = ("startup", "liveness", "readiness")
BODY_MAX = 10 * 1024
_START_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """An HTTP request; success is a status from 200 to 399."""

    host: str
    port: int
    path: str
    scheme: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def url(self) -> str:
        """As the kubelet writes it in messages."""
        return f"{self.scheme.lower()}://{self.host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp:
    """A connection; success is that it opens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """A program in the container; success is exit code 0."""

    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """A kind of probe that the local cluster does not run."""

    what: str


Action = Http | Tcp | Exec | Unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A probe; times are nominal seconds."""

    kind: Kind
    action: Action
    initial_delay: float
    period: float
    timeout: float
    successes: int
    failures: int
    grace: float | None

    def patience(self, scale: float) -> float:
        """The wall-clock seconds that a program may take to start before its silence counts.

        A time scale divides delays, but programs start no faster: what is a generous start on a real cluster must not
        become an impossible one.
        """
        if scale <= 1 or self.kind == "readiness":
            return 0.0
        return min(self.initial_delay + self.period * self.failures, _START_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one probe came to.

    Attributes:
        ok: whether it succeeded.
        message: the kubelet's, without the words before it.
        answered: whether the program itself spoke: then it has started.
    """

    ok: bool
    message: str = ""
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Answers in a row, and the verdict that stands: None before the first threshold was reached."""

    verdict: bool | None = None
    row: int = 0
    row_ok: bool = False

    def with_answer(self, probe: Probe, *, ok: bool) -> Tally:
        """The tally after one more answer."""
        row = self.row + 1 if self.row and self.row_ok == ok else 1
        needed = probe.successes if ok else probe.failures
        return Tally(verdict=ok if row >= needed else self.verdict, row=row, row_ok=ok)


def probes_of(container: Mapping[str, Any], pod_ip: str) -> list[Probe]:
    """The probes of a container."""
    found = []
    for kind in KINDS:
        spec = container.get(f"{kind}Probe")
        if spec:
            grace = spec.get("terminationGracePeriodSeconds")
            found.append(
                Probe(
                    kind=kind,
                    action=action_of(spec, container, pod_ip),
                    initial_delay=spec.get("initialDelaySeconds") or 0,
                    period=spec.get("periodSeconds") or 10,
                    timeout=spec.get("timeoutSeconds") or 1,
                    successes=spec.get("successThreshold") or 1,
                    failures=spec.get("failureThreshold") or 3,
                    grace=grace,
                )
            )
    return found


def action_of(spec: Mapping[str, Any], container: Mapping[str, Any], pod_ip: str) -> Action:
    """What a probe or a lifecycle hook does."""
    network = spec.get("httpGet") or spec.get("tcpSocket")
    if network:
        port = port_number(network["port"], container)
        if port is None:
            return Unsupported(what=f'couldn\'t find port "{network["port"]}" in container')
        host = network.get("host") or pod_ip
        return _http(network, host, port) if spec.get("httpGet") else Tcp(host=host, port=port)
    if spec.get("exec"):
        return Exec(command=tuple(spec["exec"].get("command") or ()))
    return Unsupported(what="gRPC probes are not part of the local cluster" if "grpc" in spec else "no action")


def _http(get: Mapping[str, Any], host: str, port: int) -> Http:
    path = get.get("path") or "/"
    return Http(
        host=host,
        port=port,
        path=path if path.startswith("/") else f"/{path}",
        scheme=get.get("scheme") or "HTTP",
        headers=tuple((header["name"], header.get("value", "")) for header in get.get("httpHeaders") or ()),
    )


def port_number(port: int | str, container: Mapping[str, Any]) -> int | None:
    """A port given by number, or by a name of the container's ports."""
    if isinstance(port, int):
        return port
    for known in container.get("ports") or ():
        if known.get("name") == port:
            return int(known["containerPort"])
    return int(port) if port.isdigit() else None

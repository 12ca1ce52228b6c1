"""The Pod Security Standards, baseline and restricted, as Kubernetes 1.36 checks them: every control, nothing else.

Source: the published standards and the behaviour of Pod Security admission (which differs in places: image volumes are
allowed since 1.33, `tcp_rmem` and `tcp_wmem` since 1.32, and `hostUsers: false` relaxes what 1.35 relaxed). A control
yields one fault for each place; what baseline has reported, restricted does not report again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aegis.kube.pod_template import ContainerAt, containers

Json = Mapping[str, Any]

_CAPABILITIES = frozenset({
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
})
_SYSCTLS = frozenset({
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
})
_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_VOLUMES = frozenset({
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
})
_DEFAULT_MOUNTS = frozenset({"", "Default"})
_CONFINED = frozenset({"RuntimeDefault", "Localhost"})
_APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")
_HANDLERS = ("httpGet", "tcpSocket")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One place that does not meet a control.

    Attributes:
        location: within the pod template, containers by name: `containers[web].securityContext.privileged`.
        found: what is there, in a few words.
    """

    location: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod template in the form that controls look at."""

    annotations: Json
    spec: Json
    containers: tuple[ContainerAt, ...]

    @property
    def context(self) -> Json:
        """The pod's own security context."""
        return _mapping(self.spec.get("securityContext"))

    @property
    def windows(self) -> bool:
        """Whether it says that it runs on Windows, where the Linux controls do not apply."""
        return _mapping(self.spec.get("os")).get("name") == "windows"

    @property
    def own_users(self) -> bool:
        """Whether it runs in a user namespace, where root is not the node's root."""
        return self.spec.get("hostUsers") is False

    def contexts(self) -> Iterator[tuple[str, Json]]:
        """The security contexts of the pod and of every container, with their places."""
        yield "securityContext", self.context
        for at in self.containers:
            yield f"{at.path}.securityContext", context_of(at)


Check = Callable[[Pod], Iterator[Fault]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control of the standards.

    Attributes:
        id: stable, as `privileged`.
        level: the standard that has it.
        title: what it demands.
        remedy: what to do.
        check: finds the faults.
    """

    id: str
    level: Literal["baseline", "restricted"]
    title: str
    remedy: str
    check: Check


def pod_of(template: Json) -> Pod:
    """The template of a pod (`metadata`, `spec`) made ready."""
    spec = _mapping(template.get("spec"))
    annotations = _mapping(_mapping(template.get("metadata")).get("annotations"))
    return Pod(annotations=annotations, spec=spec, containers=containers(spec))


def context_of(at: ContainerAt) -> Json:
    """A container's security context."""
    return _mapping(at.spec.get("securityContext"))


def _host_process(pod: Pod) -> Iterator[Fault]:
    for place, context in pod.contexts():
        if _mapping(context.get("windowsOptions")).get("hostProcess"):
            yield Fault(location=f"{place}.windowsOptions.hostProcess", found="true")


def _host_namespaces(pod: Pod) -> Iterator[Fault]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(name):
            yield Fault(location=name, found="true")


def _privileged(pod: Pod) -> Iterator[Fault]:
    for at in pod.containers:
        if context_of(at).get("privileged"):
            yield Fault(location=f"{at.path}.securityContext.privileged", found="true")


def _added_capabilities(pod: Pod) -> Iterator[Fault]:
    for at in pod.containers:
        for name in _names(_mapping(context_of(at).get("capabilities")).get("add")):
            if name not in _CAPABILITIES:
                yield Fault(location=f"{at.path}.securityContext.capabilities.add[{name}]", found=name)


def _host_path(pod: Pod) -> Iterator[Fault]:
    for volume in _items(pod.spec.get("volumes")):
        if volume.get("hostPath") is not None:
            path = _mapping(volume["hostPath"]).get("path")
            yield Fault(location=f"volumes[{volume.get('name')}].hostPath", found=str(path))


def _host_ports(pod: Pod) -> Iterator[Fault]:
    for at in pod.containers:
        for port in _items(at.spec.get("ports")):
            if port.get("hostPort"):
                yield Fault(
                    location=f"{at.path}.ports[{port.get('containerPort')}].hostPort", found=str(port["hostPort"])
                )


def _probe_hosts(pod: Pod) -> Iterator[Fault]:
    for at in pod.containers:
        for place, handler in _handlers(at):
            host = handler.get("host")
            if host:
                yield Fault(location=f"{at.path}.{place}.host", found=str(host))


def _handlers(at: ContainerAt) -> Iterator[tuple[str, Json]]:
    """What the kubelet asks of a container over the network, and where that stands."""
    owners = [(name, at.spec.get(name)) for name in _PROBES]
    owners += [(f"lifecycle.{name}", _mapping(at.spec.get("lifecycle")).get(name)) for name in _HOOKS]
    for name, owner in owners:
        for kind in _HANDLERS:
            yield f"{name}.{kind}", _mapping(_mapping(owner).get(kind))


def _apparmor(pod: Pod) -> Iterator[Fault]:
    for place, context in pod.contexts():
        profile = context.get("appArmorProfile")
        if profile is not None and not _is_one_of(_mapping(profile).get("type"), _CONFINED):
            yield Fault(location=f"{place}.appArmorProfile.type", found=str(_mapping(profile).get("type")))
    for name, value in pod.annotations.items():
        allowed = str(value) in {"", "runtime/default"} or str(value).startswith("localhost/")
        if str(name).startswith(_APPARMOR_ANNOTATION) and not allowed:
            yield Fault(location=f"annotations[{name}]", found=str(value))


def _selinux(pod: Pod) -> Iterator[Fault]:
    for place, context in pod.contexts():
        options = _mapping(context.get("seLinuxOptions"))
        if not _is_one_of(options.get("type") or "", _SELINUX_TYPES):
            yield Fault(location=f"{place}.seLinuxOptions.type", found=str(options["type"]))
        for name in ("user", "role"):
            if options.get(name):
                yield Fault(location=f"{place}.seLinuxOptions.{name}", found=str(options[name]))


def _proc_mounts(pod: Pod) -> Iterator[Fault]:
    for at in pod.containers:
        value = context_of(at).get("procMount")
        if value is not None and not _is_one_of(value, _DEFAULT_MOUNTS):
            yield Fault(location=f"{at.path}.securityContext.procMount", found=str(value))


def _proc_mount_baseline(pod: Pod) -> Iterator[Fault]:
    return iter(()) if pod.own_users else _proc_mounts(pod)


def _proc_mount_restricted(pod: Pod) -> Iterator[Fault]:
    return _proc_mounts(pod) if pod.own_users else iter(())


def _seccomp_baseline(pod: Pod) -> Iterator[Fault]:
    for place, context in pod.contexts():
        profile = context.get("seccompProfile")
        if profile is not None and not _is_one_of(_mapping(profile).get("type"), _CONFINED):
            yield Fault(location=f"{place}.seccompProfile.type", found=str(_mapping(profile).get("type")))


def _sysctls(pod: Pod) -> Iterator[Fault]:
    for sysctl in _items(pod.context.get("sysctls")):
        if sysctl.get("name") not in _SYSCTLS:
            yield Fault(location=f"securityContext.sysctls[{sysctl.get('name')}]", found=str(sysctl.get("value")))


def _volume_types(pod: Pod) -> Iterator[Fault]:
    for volume in _items(pod.spec.get("volumes")):
        kinds = {key for key, value in volume.items() if key != "name" and value is not None}
        if not kinds & _VOLUMES and "hostPath" not in kinds and kinds:
            yield Fault(location=f"volumes[{volume.get('name')}]", found=", ".join(sorted(kinds)))


def _privilege_escalation(pod: Pod) -> Iterator[Fault]:
    for at in pod.containers:
        value = context_of(at).get("allowPrivilegeEscalation")
        if value is not False and not pod.windows:
            yield Fault(location=f"{at.path}.securityContext.allowPrivilegeEscalation", found=_shown(value))


def _non_root(pod: Pod) -> Iterator[Fault]:
    if pod.own_users:
        return
    whole = pod.context.get("runAsNonRoot")
    for at in pod.containers:
        value = context_of(at).get("runAsNonRoot")
        if value is False or (value is None and whole is not True):
            yield Fault(
                location=f"{at.path}.securityContext.runAsNonRoot", found=_shown(whole if value is None else value)
            )


def _non_root_user(pod: Pod) -> Iterator[Fault]:
    if pod.own_users:
        return
    for place, context in pod.contexts():
        value = context.get("runAsUser")
        if value is not None and not isinstance(value, bool) and value == 0:
            yield Fault(location=f"{place}.runAsUser", found="0")


def _seccomp_restricted(pod: Pod) -> Iterator[Fault]:
    if pod.windows or _is_one_of(_mapping(pod.context.get("seccompProfile")).get("type"), _CONFINED):
        return
    for at in pod.containers:
        if context_of(at).get("seccompProfile") is None:
            yield Fault(location=f"{at.path}.securityContext.seccompProfile", found="not set")


def _dropped_capabilities(pod: Pod) -> Iterator[Fault]:
    if pod.windows:
        return
    for at in pod.containers:
        capabilities = _mapping(context_of(at).get("capabilities"))
        if "ALL" not in _names(capabilities.get("drop")):
            yield Fault(location=f"{at.path}.securityContext.capabilities.drop", found="ALL is not dropped")
        for name in _names(capabilities.get("add")):
            if name in _CAPABILITIES - {"NET_BIND_SERVICE"}:
                yield Fault(location=f"{at.path}.securityContext.capabilities.add[{name}]", found=name)


def _control(level: Literal["baseline", "restricted"], name: str, title: str, remedy: str, check: Check) -> Control:  # noqa: PLR0917 - the rows of a table
    return Control(id=name, level=level, title=title, remedy=remedy, check=check)


CONTROLS: tuple[Control, ...] = (
    _control("baseline", "host-process", "No Windows HostProcess", "Leave hostProcess out.", _host_process),
    _control("baseline", "host-namespaces", "No host namespaces", "Leave hostNetwork, hostPID and hostIPC out.", _host_namespaces),
    _control("baseline", "privileged", "No privileged containers", "Set privileged to false.", _privileged),
    _control("baseline", "capabilities", "No capabilities beyond the default set", "Add none but the default ones.", _added_capabilities),
    _control("baseline", "host-path", "No hostPath volumes", "Use a volume that is not the node's own disk.", _host_path),
    _control("baseline", "host-ports", "No host ports", "Publish the port by a Service.", _host_ports),
    _control("baseline", "probe-host", "No host in probes and lifecycle hooks", "Let probes ask the pod itself.", _probe_hosts),
    _control("baseline", "apparmor", "AppArmor is not overridden", "Use RuntimeDefault or a Localhost profile.", _apparmor),
    _control("baseline", "selinux", "No custom SELinux options", "Leave user and role out, and use a container type.", _selinux),
    _control("baseline", "proc-mount", "The default /proc mount", "Leave procMount out.", _proc_mount_baseline),
    _control("baseline", "seccomp", "Seccomp is not switched off", "Use RuntimeDefault or a Localhost profile.", _seccomp_baseline),
    _control("baseline", "sysctls", "Only safe sysctls", "Leave the others out.", _sysctls),
    _control("restricted", "volume-types", "Only core volume types", "Use a volume claim instead.", _volume_types),
    _control("restricted", "privilege-escalation", "No privilege escalation", "Set allowPrivilegeEscalation to false.", _privilege_escalation),
    _control("restricted", "run-as-non-root", "Not as root", "Set runAsNonRoot to true.", _non_root),
    _control("restricted", "run-as-user", "Not as user 0", "Set runAsUser to another user, or leave it out.", _non_root_user),
    _control("restricted", "seccomp-required", "Seccomp is switched on", "Set seccompProfile to RuntimeDefault.", _seccomp_restricted),
    _control("restricted", "drop-capabilities", "All capabilities dropped", "Drop ALL and add back at most NET_BIND_SERVICE.", _dropped_capabilities),
    _control("restricted", "proc-mount-restricted", "The default /proc mount, in user namespaces too", "Leave procMount out.", _proc_mount_restricted),
)  # fmt: skip


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _is_one_of(value: Any, choices: frozenset[str]) -> bool:
    return isinstance(value, str) and value in choices


def _items(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _names(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else []


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value).lower()

"""Finding the cluster, the user and their credentials: lightkube's loader, and what it lacks.

lightkube picks the context and builds the TLS context. Added here, as kubectl has it: several files merged (the first
one that names a thing wins), paths relative to the file that holds them, inline data before files, `proxy-url`,
`tls-server-name`, `as` and its kin, and the raw entry of an exec plug-in (lightkube drops keys that it does not know).
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import yaml
from lightkube.config.client_adapter import verify_cluster
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.config.models import User
from lightkube.core.exceptions import ConfigError

from aegis.drivers.kubernetes.options import KubeOptions
from aegis.errors import Unavailable, UsageError
from aegis.model.refs import Json, JsonObject

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_LARGEST_FILE: Final = 8 << 20
_PATHS: Final = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Everything that a connection needs.

    Attributes:
        server: the URL of the API server, without a final slash.
        context: the context's name; empty within a cluster.
        namespace: the context's namespace, or the pod's own.
        tls: None for plain HTTP, which is accepted on loopback only.
        server_name: the name that the certificate must have; empty: that of the URL.
        proxy: the URL of a proxy; empty: none.
        user: the raw entry of the kubeconfig's user.
        cluster: that of its cluster.
        impersonation: headers to send with every request.
        notices: what a person should be told, as that the certificate is not verified.
    """

    server: str
    context: str
    tls: ssl.SSLContext | None
    namespace: str = "default"
    server_name: str = ""
    proxy: str = ""
    user: Json = field(default_factory=dict, repr=False)
    cluster: Json = field(default_factory=dict, repr=False)
    impersonation: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def loopback(self) -> bool:
        """Whether the server's address is this machine's own."""
        return is_loopback(self.server)


def find_endpoint(options: KubeOptions, *, service_account: Path = SERVICE_ACCOUNT) -> Endpoint:
    """Where to connect to, and as whom.

    Raises:
        UsageError: if the configuration cannot be used; the hint says what to do.
        Unavailable: if there is none.
    """
    try:
        paths = _kubeconfig_paths(options)
        if paths:
            merged = merge_files(paths)
            single = KubeConfig.from_dict(merged).get(options.context or None)
        elif "KUBERNETES_SERVICE_HOST" in options.environ:
            merged = _in_cluster(options.environ, service_account)
            single = KubeConfig.from_dict(merged).get()
        else:
            raise Unavailable("no cluster is configured", hint="Give --kubeconfig, or run `aegis local up`.")
    except (ConfigError, msgspec.ValidationError) as error:
        raise UsageError(f"kubeconfig: {error}", hint="See `kubectl config view`.") from error
    except KeyError as error:
        raise UsageError(f"kubeconfig: {error} is named and not there", hint="See `kubectl config view`.") from error
    assert single is not None  # noqa: S101  (`get` returns None only for a None default, which is not given)
    cluster = _entry(merged, "clusters", "cluster", single.context.cluster)
    user = _entry(merged, "users", "user", single.context.user or "")
    return _endpoint(options, single, cluster, user)


def merge_files(paths: Iterable[Path]) -> JsonObject:
    """Several kubeconfigs as one: the first file that names a cluster, user, context or the current context wins.

    Raises:
        UsageError: if a file cannot be read or is no kubeconfig.
    """
    merged: JsonObject = {"current-context": None}
    names: dict[str, dict[str, Any]] = {"clusters": {}, "users": {}, "contexts": {}}
    for path in paths:
        config = _read(path)
        merged["current-context"] = merged["current-context"] or config.get("current-context") or None
        for section, known in names.items():
            for item in config.get(section) or ():
                known.setdefault(
                    _name(item, f"{path}: {section}"), _rooted(item, section.removesuffix("s"), path.parent)
                )
    return merged | {section: list(known.values()) for section, known in names.items()}


def is_loopback(url: str) -> bool:
    """Whether a URL's host is an address of this machine's loopback (or `localhost`)."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _kubeconfig_paths(options: KubeOptions) -> list[Path]:
    if options.kubeconfig:
        if not options.kubeconfig.is_file():
            raise UsageError(f"{options.kubeconfig}: no such file", hint="Correct --kubeconfig.")
        return [options.kubeconfig]
    named = [Path(part).expanduser() for part in options.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    found = [path for path in named if path.is_file()]
    if named and not found and "KUBERNETES_SERVICE_HOST" not in options.environ:
        raise Unavailable(
            f"no cluster is configured: KUBECONFIG names no file that is there: {os.pathsep.join(map(str, named))}",
            hint="Correct it, or run `aegis local up`.",
        )
    default = Path(options.environ.get("HOME", "/nonexistent")) / ".kube" / "config"
    return found or ([default] if not named and default.is_file() else [])


def _read(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_FILE + 1)
        if len(text) > _LARGEST_FILE:
            raise UsageError(f"{path}: larger than {_LARGEST_FILE >> 20} MiB: no kubeconfig")
        config = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  (a safe loader)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from error
    if config is None:
        return {}
    if not isinstance(config, Mapping):
        raise UsageError(f"{path}: not a kubeconfig")
    return config


def _name(item: Any, where: str) -> str:
    if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
        raise UsageError(f"{where}: an entry has no name")
    return str(item["name"])


def _rooted(item: Mapping[str, Any], key: str, folder: Path) -> JsonObject:
    """An entry whose paths are absolute, and whose inline data stands before files, as in kubectl."""
    content = dict(item.get(key) or {})
    for name in _PATHS:
        if content.get(f"{name}-data"):
            content.pop(name, None)
        elif content.get(name):
            content[name] = str((folder / str(content[name])).absolute())
    plugin = content.get("exec")
    if isinstance(plugin, Mapping) and "/" in str(plugin.get("command")):
        content["exec"] = {**plugin, "command": str((folder / str(plugin["command"])).absolute())}
    return {"name": item["name"], key: content}


def _in_cluster(environ: Mapping[str, str], folder: Path) -> JsonObject:
    if not (folder / "token").is_file():
        raise UsageError(f"{folder / 'token'}: no such file", hint="Mount the service account, or give --kubeconfig.")
    host = environ["KUBERNETES_SERVICE_HOST"]
    server = f"https://{f'[{host}]' if ':' in host else host}:{environ.get('KUBERNETES_SERVICE_PORT', '443')}"
    return {
        "current-context": "",
        "clusters": [
            {"name": "", "cluster": {"server": server, "certificate-authority": str((folder / "ca.crt").absolute())}}
        ],
        "users": [{"name": "pod", "user": {"tokenFile": str((folder / "token").absolute())}}],
        "contexts": [{"name": "", "context": {"cluster": "", "user": "pod", "namespace": _own_namespace(folder)}}],
    }


def _own_namespace(folder: Path) -> str:
    try:
        return (folder / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _entry(merged: Json, section: str, key: str, name: str) -> Json:
    for item in merged[section]:
        if item["name"] == name:
            return item[key] or {}
    return {}


def _endpoint(options: KubeOptions, single: SingleConfig, cluster: Json, user: Json) -> Endpoint:
    server = single.cluster.server.rstrip("/")
    notices: list[str] = []
    tls: ssl.SSLContext | None = None
    if server.startswith("https://"):
        tls = _tls(single)
        if single.cluster.insecure:
            notices.append(f"the certificate of {server} is not verified (insecure-skip-tls-verify)")
    elif not server.startswith("http://") or not is_loopback(server):
        raise UsageError(f"{server}: not an https URL", hint="AEGIS speaks plain HTTP to loopback addresses only.")
    if user.get("auth-provider"):
        raise UsageError("the kubeconfig's auth-provider is not supported", hint="Use an exec credential plug-in.")
    return Endpoint(
        server=server,
        context=single.context_name,
        tls=tls,
        namespace=single.namespace,
        server_name=str(cluster.get("tls-server-name") or ""),
        proxy=_proxy(server, str(cluster.get("proxy-url") or ""), options.environ),
        user=user,
        cluster=cluster,
        impersonation=_impersonation(options, user),
        notices=tuple(notices),
    )


def _tls(single: SingleConfig) -> ssl.SSLContext:
    if single.cluster.insecure and (single.cluster.certificate_auth or single.cluster.certificate_auth_data):
        raise UsageError("kubeconfig: insecure-skip-tls-verify and a certificate authority exclude each other")
    try:
        return verify_cluster(single.cluster, single.user or User(), single.abs_file)
    except (OSError, ValueError, TypeError) as error:  # ssl.SSLError is an OSError
        raise UsageError(f"kubeconfig: the certificates cannot be used: {error}") from error


def _proxy(server: str, configured: str, environ: Mapping[str, str]) -> str:
    proxy = configured
    if not proxy and not is_loopback(server):
        lower = {name.lower(): value for name, value in environ.items()}
        proxy = lower.get("https_proxy", "")
        if proxy and _bypasses(urlsplit(server).hostname or "", lower.get("no_proxy", "")):
            proxy = ""
    if proxy and urlsplit(proxy).scheme not in {"http", "https"}:
        raise UsageError(f"the proxy {urlsplit(proxy).scheme}://… is of no supported kind", hint="Use an HTTP proxy.")
    return proxy


def _bypasses(host: str, no_proxy: str) -> bool:
    """Whether NO_PROXY names the host: itself, a parent domain, a network of its address, or `*`."""
    for entry in (part.strip().lower() for part in no_proxy.split(",")):
        if entry and (entry in {"*", host} or host.endswith("." + entry.lstrip("."))):
            return True
        try:
            if "/" in entry and ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False


def _impersonation(options: KubeOptions, user: Json) -> tuple[tuple[str, str], ...]:
    if options.as_groups and not options.as_user:
        raise UsageError("--as-group needs --as")
    name = options.as_user or str(user.get("as") or "")
    if not name:
        return ()
    headers = [("Impersonate-User", name)]
    if options.as_user:
        return (*headers, *(("Impersonate-Group", group) for group in options.as_groups))
    headers += [("Impersonate-Group", str(group)) for group in user.get("as-groups") or ()]
    if user.get("as-uid"):
        headers.append(("Impersonate-Uid", str(user["as-uid"])))
    extra: Mapping[str, Iterable[Any]] = user.get("as-user-extra") or {}
    headers += [(f"Impersonate-Extra-{key}", str(value)) for key, values in extra.items() for value in values]
    return tuple(headers)

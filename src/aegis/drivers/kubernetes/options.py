"""How to reach a cluster: what a user may say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeOptions:
    """Which cluster, as whom.

    Attributes:
        kubeconfig: the file of `--kubeconfig`; None: as kubectl does, the files of KUBECONFIG, `~/.kube/config`, or the
            service account that a pod is given.
        context: empty: the current one.
        as_user: impersonate this user (`--as`).
        as_groups: and these groups.
        timeout: seconds that one request may take (not a watch).
        environ: the process environment (KUBECONFIG, HOME, KUBERNETES_SERVICE_HOST, proxies, and what credential
            plug-ins inherit); drivers do not read it themselves.
    """

    kubeconfig: Path | None = None
    context: str = ""
    as_user: str = ""
    as_groups: tuple[str, ...] = ()
    timeout: float = 30.0
    environ: Mapping[str, str] = field(default_factory=dict)

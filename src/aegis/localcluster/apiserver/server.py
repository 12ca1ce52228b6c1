"""The API server as one part: its state, its in-process door and its HTTPS listener."""

from __future__ import annotations

import ipaddress
import ssl

from aiohttp import web

from aegis.localcluster.api import ClusterApi, LogSource, MetricsSource, Object, PodStreams
from aegis.localcluster.apiserver.access import AccessControl
from aegis.localcluster.apiserver.admission import Gate
from aegis.localcluster.apiserver.admission.services import API_SERVER
from aegis.localcluster.apiserver.authn import Authenticator
from aegis.localcluster.apiserver.bootstrap import bootstrap
from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.definitions import Definitions
from aegis.localcluster.apiserver.deleting import Deleter
from aegis.localcluster.apiserver.door import Door
from aegis.localcluster.apiserver.http.app import application
from aegis.localcluster.apiserver.registry import Registry
from aegis.localcluster.apiserver.store import Store
from aegis.localcluster.apiserver.tls import Authority, KeyPair, server_context
from aegis.localcluster.apiserver.writing import Writer

_SHUTDOWN_SECONDS = 0.5


class ApiServer:
    """A Kubernetes API server whose state lives and dies with this object.

    Attributes:
        api: the door for the parts that run in the same process.
        authority: the cluster's own certificate authority.
        log_source: where container output is read; may be set at any time.
        metrics: where the usage of pods is read; the same.
        pod_streams: where the inside of pods is reached; may be set at any time.
    """

    def __init__(self, *, log_source: LogSource | None = None) -> None:
        self.log_source = log_source
        self.metrics: MetricsSource | None = None
        self.pod_streams: PodStreams | None = None
        self.authority = Authority()
        store, registry = Store(), Registry()
        writer, deleter = Writer(store, Gate(store)), Deleter(store)
        Definitions(store, registry, writer, deleter)
        self.api: ClusterApi = Door(store, registry, writer, deleter)
        self._core = Core(
            store=store,
            registry=registry,
            writer=writer,
            deleter=deleter,
            authenticator=Authenticator(store),
            access=AccessControl(store),
            log_source=lambda: self.log_source,
            metrics=lambda: self.metrics,
            pod_streams=lambda: self.pod_streams,
        )
        self._runner: web.AppRunner | None = None
        bootstrap(self.api)

    @property
    def admin_token(self) -> str:
        """A bearer token that may do everything."""
        return self._core.authenticator.admin_token

    def admin_certificate(self) -> KeyPair:
        """A fresh client certificate that may do everything."""
        return self.authority.client("kubernetes-admin", ["system:masters"])

    def pod_token(self, pod: Object, audience: str, seconds: int) -> str | None:
        """A token of a pod's service account, bound to the pod; None where the account is missing."""
        name = pod["spec"].get("serviceAccountName") or "default"
        account = self.api.get("serviceaccounts", pod["metadata"]["namespace"], name)
        if account is None:
            return None
        audiences = [audience] if audience else []
        return self._core.authenticator.issue(account, seconds=seconds, audiences=audiences, pod=pod).token

    async def start(self, host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None) -> str:
        """Listen, over TLS with a certificate of the cluster's own CA unless a context is given; returns the URL.

        Raises:
            ValueError: the host is not a loopback address.
        """
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the local cluster listens on loopback only, not on {host}")
        service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
        names = [host, "localhost", API_SERVER, *service]
        context = tls or server_context(self.authority.server(names), self.authority.certificate)
        runner = web.AppRunner(
            application(self._core), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS, handler_cancellation=True
        )
        self._runner = runner
        await runner.setup()
        site = web.TCPSite(runner, host, port, ssl_context=context)
        await site.start()
        bound = runner.addresses[0][1]
        shown = f"[{host}]" if ":" in host else host
        return f"https://{shown}:{bound}"

    async def stop(self) -> None:
        """Stop listening and end every watch."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

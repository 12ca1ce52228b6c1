"""All controllers together, as one part of the local cluster."""

from __future__ import annotations

import asyncio

from aegis.localcluster.api import ClusterApi, Pace
from aegis.localcluster.controllers.deployment import DeploymentController
from aegis.localcluster.controllers.endpoints import EndpointsController
from aegis.localcluster.controllers.endpointslice import EndpointSliceController
from aegis.localcluster.controllers.eventexpiry import EventExpiry
from aegis.localcluster.controllers.garbage import GarbageCollector
from aegis.localcluster.controllers.loop import Controller, run
from aegis.localcluster.controllers.mirroring import MirroringController
from aegis.localcluster.controllers.namespace import NamespaceController
from aegis.localcluster.controllers.replicaset import ReplicaSetController
from aegis.localcluster.controllers.resourcequota import ResourceQuotaController
from aegis.localcluster.controllers.scheduler import Scheduler
from aegis.localcluster.controllers.serviceaccount import ServiceAccountController


def controllers(api: ClusterApi, pace: Pace, ca_pem: str) -> list[Controller]:
    """Every controller, ready to run.

    Args:
        api: the API server's door.
        pace: the cluster's time scale.
        ca_pem: the certificate of the cluster's authority, published in each namespace.
    """
    return [
        ServiceAccountController(api, ca_pem),
        DeploymentController(api, pace),
        ReplicaSetController(api, pace),
        Scheduler(api, pace),
        EndpointsController(api),
        EndpointSliceController(api),
        MirroringController(api),
        EventExpiry(api, pace),
        ResourceQuotaController(api),
        NamespaceController(api),
        GarbageCollector(api),
    ]


async def run_controllers(api: ClusterApi, pace: Pace, ca_pem: str) -> None:
    """Run every controller until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for controller in controllers(api, pace, ca_pem):
            tasks.create_task(run(controller, api, pace), name=controller.name)

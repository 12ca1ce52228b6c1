"""All controllers together, as one part of the local cluster."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aegis.localcluster.api import ClusterApi, MetricsSource, Pace
from aegis.localcluster.controllers.autoscaler import AutoscalerController
from aegis.localcluster.controllers.cronjob import CronJobController
from aegis.localcluster.controllers.daemonset import DaemonSetController
from aegis.localcluster.controllers.deployment import DeploymentController
from aegis.localcluster.controllers.disruption import DisruptionController
from aegis.localcluster.controllers.endpoints import EndpointsController
from aegis.localcluster.controllers.endpointslice import EndpointSliceController
from aegis.localcluster.controllers.eventexpiry import EventExpiry
from aegis.localcluster.controllers.garbage import GarbageCollector
from aegis.localcluster.controllers.job import JobController
from aegis.localcluster.controllers.loop import Controller, run
from aegis.localcluster.controllers.mirroring import MirroringController
from aegis.localcluster.controllers.namespace import NamespaceController
from aegis.localcluster.controllers.nodes import CordonController, PodCollector, TaintEviction
from aegis.localcluster.controllers.ownservice import Door, OwnServiceController
from aegis.localcluster.controllers.replicaset import ReplicaSetController
from aegis.localcluster.controllers.resourcequota import ResourceQuotaController
from aegis.localcluster.controllers.scheduler import Scheduler
from aegis.localcluster.controllers.serviceaccount import ServiceAccountController
from aegis.localcluster.controllers.statefulset import StatefulSetController
from aegis.localcluster.controllers.unattended import UnattendedController
from aegis.localcluster.controllers.volume import VolumeController
from aegis.localcluster.controllers.volumeclaim import VolumeClaimController


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the controllers have to know of the cluster.

    Attributes:
        pace: its time scale.
        ca_pem: the certificate of its authority, published in each namespace.
        door: where pods reach the API server.
        metrics: what tells how much pods use; None where nothing measures.
    """

    pace: Pace
    ca_pem: str
    door: Door
    metrics: MetricsSource | None = None


def controllers(api: ClusterApi, facts: Facts) -> list[Controller]:
    """Every controller, ready to run."""
    pace = facts.pace
    return [
        OwnServiceController(api, facts.door),
        ServiceAccountController(api, facts.ca_pem),
        DeploymentController(api, pace),
        ReplicaSetController(api, pace),
        JobController(api, pace),
        CronJobController(api, pace),
        DaemonSetController(api, pace),
        StatefulSetController(api, pace),
        AutoscalerController(api, pace, facts.metrics),
        DisruptionController(api, pace),
        VolumeClaimController(api),
        VolumeController(api),
        Scheduler(api, pace),
        CordonController(api),
        TaintEviction(api, pace),
        PodCollector(api, pace),
        EndpointsController(api),
        EndpointSliceController(api),
        MirroringController(api),
        EventExpiry(api, pace),
        ResourceQuotaController(api),
        NamespaceController(api),
        GarbageCollector(api),
        UnattendedController(api),
    ]


async def run_controllers(api: ClusterApi, facts: Facts) -> None:
    """Run every controller until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for controller in controllers(api, facts):
            tasks.create_task(run(controller, api, facts.pace), name=controller.name)

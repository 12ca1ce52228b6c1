"""What is known of a container: how it stands, how it stood before, how often it was restarted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Not running, and why."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Running since a moment (seconds since the epoch)."""

    started_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminated:
    """Ended. Times are seconds since the epoch; `started_at` is 0 for a container that never ran."""

    exit_code: int
    reason: str
    message: str = ""
    started_at: float
    finished_at: float
    container_id: str = ""


State = Waiting | Running | Terminated
CREATING = Waiting(reason="ContainerCreating")
INITIALIZING = Waiting(reason="PodInitializing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of a pod as it stands now.

    Attributes:
        state: how it stands.
        last: how its run before the present one ended.
        ended: how its newest ended run ended, whether or not a new one has begun; what restarting goes by.
        restarts: how often it was started again.
        passed_startup: whether its startup probe has succeeded, or it has none and runs.
        ready: whether its readiness probe succeeds.
        container_id: of the newest run.
        image_id: what the image's reference stood for.
    """

    state: State = CREATING
    last: Terminated | None = None
    ended: Terminated | None = None
    restarts: int = 0
    passed_startup: bool = False
    ready: bool = False
    container_id: str = ""
    image_id: str = ""

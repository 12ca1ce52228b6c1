"""From global options to a running system, and from a coroutine to its result."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from aegis.errors import Unavailable
from aegis.interfaces.cli.options import Globals
from aegis.interfaces.cli.progress import StderrProgress

if TYPE_CHECKING:
    from aegis.settings import LoadedSettings
    from aegis.wiring import System

_Result = TypeVar("_Result")


def settings_of(options: Globals) -> LoadedSettings:
    """The settings, flags included; old names in use are announced.

    Raises:
        UsageError: if they are wrong.
    """
    from aegis.settings import load

    flags: dict[str, Any] = {
        "kubernetes.context": options.context or None,
        "kubernetes.kubeconfig": options.kubeconfig,
        "kubernetes.api_timeout": min(options.timeout, 30.0) if options.timeout else None,
    }
    loaded = load(options.config, flags)
    if not options.quiet:
        for notice in loaded.notices:
            sys.stderr.write(f"note: {notice}\n")
    return loaded


@asynccontextmanager
async def opened(options: Globals, *, only_read: bool = False) -> AsyncIterator[System]:
    """The system, connected to the cluster that the options mean.

    Args:
        options: of the command line.
        only_read: nothing will be kept or written: then a role in a single namespace is enough.

    Raises:
        UsageError: if the configuration cannot be used.
        Unavailable: if no cluster is configured, or it does not answer.
    """
    from aegis.wiring import connected

    async with connected(settings_of(options), as_user=options.as_user, only_read=only_read) as system:
        yield system


def progress_of(options: Globals) -> StderrProgress:
    """Who tells a person how it goes."""
    return StderrProgress(quiet=options.quiet, verbose=options.verbose > 0)


def namespace_of(options: Globals, system: System) -> str:
    """The namespace that is meant."""
    return options.namespace or system.namespace


def run_watch(work: Coroutine[Any, Any, object], options: Globals) -> None:
    """Run what goes on for ever, or for as long as `--timeout` says: that is its end, and no failure.

    Raises:
        KeyboardInterrupt: if it was interrupted.
    """

    async def within() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(options.timeout):
                await work

    asyncio.run(_bounded(within(), None))


def run_async(work: Coroutine[Any, Any, _Result], options: Globals) -> _Result:
    """Run to the end, or to `--timeout`; SIGTERM and a closed terminal end it as Ctrl-C does: nothing is left behind.

    Raises:
        Unavailable: if the time is over.
        KeyboardInterrupt: if it was interrupted.
    """
    return asyncio.run(_bounded(work, options.timeout))


async def _bounded(work: Coroutine[Any, Any, _Result], seconds: float | None) -> _Result:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - asyncio.run made one
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise Unavailable(
            f"not done within {seconds:g} s", hint="What was begun is taken up by the same command."
        ) from None
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None

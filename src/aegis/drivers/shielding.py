"""Finishing what must be finished: an undoing that a cancellation does not cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


async def shielded(work: Coroutine[None, None, None]) -> None:
    """Finish a piece of work even if the task around it is cancelled meanwhile; the cancellation comes after.

    Raises:
        CancelledError: what came meanwhile.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None and not task.cancelled():
        task.exception()
        raise cancelled
    task.result()

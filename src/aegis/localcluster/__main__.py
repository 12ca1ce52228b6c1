"""`python -m aegis.localcluster --state DIR`: a local cluster in the foreground, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from aegis.errors import AegisError, Refused
from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.options import ClusterOptions
from aegis.localcluster.statefolder import StateFolder

_LOG_BYTES, _LOG_FILES = 2_000_000, 2


class _Reports:
    """What the process that started this one is told, line by line."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - the signature is the standard library's

    def send(self, kind: str, value: object) -> None:
        """One line; nobody may be listening any more."""
        if self._descriptor is None:
            if kind != "held":
                sys.stderr.write(f"{value if isinstance(value, str) else kind}\n")
            return
        try:
            os.write(self._descriptor, json.dumps({kind: value}).encode() + b"\n")
        except BrokenPipeError:
            self.close()

    def close(self) -> None:
        """Say no more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def main() -> int:
    """Run until told to stop; the exit status."""
    options, report_fd, owner_fd = _parsed()
    reports, folder = _Reports(report_fd), StateFolder(options.state)
    try:
        folder.prepare()
        with folder.held():
            _log_to(folder)
            try:
                asyncio.run(_run(options, folder, reports, owner_fd))
            finally:
                folder.clear()
    except Refused as error:
        reports.send("held", error.message)
        sys.stderr.write(f"{error.message}\n")
        return error.exit_status
    except AegisError as error:
        logging.getLogger(__name__).exception("the local cluster ends")
        sys.stderr.write(f"{error.message}\n")
        return error.exit_status
    except Exception as error:
        logging.getLogger(__name__).exception("the local cluster ends by a defect")
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        raise
    return 0


async def _run(options: ClusterOptions, folder: StateFolder, reports: _Reports, owner_fd: int | None) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if owner_fd is not None:
        loop.add_reader(owner_fd, stop.set)  # nothing is ever written: it is readable once the owner is gone
    async with LocalCluster(options, progress=lambda text: reports.send("progress", text)) as cluster:
        folder.publish(cluster.info)
        reports.send("ready", cluster.info.to_json())
        reports.close()
        await stop.wait()


def _log_to(folder: StateFolder) -> None:
    handler = RotatingFileHandler(folder.log, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES - 1, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


def _parsed() -> tuple[ClusterOptions, int | None, int | None]:
    parser = argparse.ArgumentParser(prog="python -m aegis.localcluster", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the cluster's own folder")
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--cpu", default="4", help="allocatable CPU of a node")
    parser.add_argument("--memory", default="8Gi", help="allocatable memory of a node")
    parser.add_argument("--pods", type=int, default=110, help="allocatable pods of a node")
    parser.add_argument("--time-scale", type=float, default=1.0, help="how many times faster delays pass")
    parser.add_argument("--images", type=Path, action="append", default=[], help="a folder with more images")
    parser.add_argument("--port", type=int, default=0, help="the API server's port; 0 takes a free one")
    parser.add_argument("--isolation", choices=["namespaces", "processes"])
    parser.add_argument("--falco", action="store_true", help="watch what pods do, in the logs of falco pods")
    parser.add_argument("--owner-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--report-fd", type=int, help=argparse.SUPPRESS)
    found = vars(parser.parse_args())
    report_fd, owner_fd = found.pop("report_fd"), found.pop("owner_fd")
    try:
        return ClusterOptions(**{**found, "images": tuple(found["images"])}), report_fd, owner_fd
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())

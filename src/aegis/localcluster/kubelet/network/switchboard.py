"""The process that carries the pods' packets: packet sockets around a `Switch`.

It has a process of its own so that neither side waits for the other: pods do not feel a busy API server, and the API
server does not feel busy pods. Messages on the control socket: `attach` (with a packet socket), `detach`, `tables`.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from typing import NoReturn

from aegis.localcluster.kubelet import wire
from aegis.localcluster.kubelet.network.switch import Switch
from aegis.localcluster.kubelet.network.tables import Tables

_FRAME_MAX = 65_600
_BURST = 32


def run(control: socket.socket) -> NoReturn:
    """Carry packets until the control socket closes."""
    try:
        Switchboard(control).serve()
    finally:
        os._exit(0)


class Switchboard:
    """The sockets of one switch."""

    def __init__(self, control: socket.socket) -> None:
        self._control, self._switch = control, Switch()
        self._fds: dict[int, int] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, None)

    def serve(self) -> None:
        """Return when the control socket closes."""
        while True:
            ready = [key.data for key, _ in self._selector.select()]
            if None in ready and not self._obey():
                return
            for port in self._fds.keys() & ready:
                self._drain(port)

    def _obey(self) -> bool:
        received = wire.receive(self._control)
        if received is None:
            return False
        message, fds = received
        match message["op"]:
            case "attach":
                os.set_blocking(fds[0], False)
                self._fds[message["port"]] = fds[0]
                self._selector.register(fds[0], selectors.EVENT_READ, message["port"])
                self._switch.attach(message["port"], message["addresses"])
            case "detach":
                self._detach(message["port"])
            case "tables":
                self._switch.update(Tables.from_message(message["tables"]))
            case operation:
                raise ValueError(f"unknown operation {operation}")
        return True

    def _detach(self, port: int) -> None:
        fd = self._fds.pop(port, None)
        if fd is not None:
            self._selector.unregister(fd)
            self._switch.detach(port)
            os.close(fd)

    def _drain(self, port: int) -> None:
        now = time.monotonic()
        try:
            for _ in range(_BURST):
                frame = os.read(self._fds[port], _FRAME_MAX)
                for out, sent in self._switch.carry(port, frame, now):
                    self._write(out, sent)
        except BlockingIOError:
            return
        except OSError:
            # The pod's network namespace is gone.
            self._detach(port)

    def _write(self, port: int, frame: bytes) -> None:
        fd = self._fds.get(port)
        if fd is not None:
            try:
                os.write(fd, frame)
            except OSError:
                # A full queue or a vanished pod loses packets, as networks do.
                return

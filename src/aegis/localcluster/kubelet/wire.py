"""Messages between the kubelet, the zygote and the agents: JSON over a SEQPACKET socket, with file descriptors.

A message that would not fit into one packet travels in an anonymous file, whose descriptor then comes first.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]

_PACKET_MAX = 60_000
_FDS_MAX = 8
_IN_FILE = b"@"


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets that keep the bounds of messages."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(sock: socket.socket, message: Message, fds: Sequence[int] = ()) -> None:
    """Send one message; the descriptors stay open here.

    Raises:
        OSError: the other end is gone, or a non-blocking socket is full.
    """
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) <= _PACKET_MAX:
        socket.send_fds(sock, [data], list(fds))
        return
    carrier = os.memfd_create("message", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(carrier), "wb") as file:
            file.write(data)
        socket.send_fds(sock, [_IN_FILE], [carrier, *fds])
    finally:
        os.close(carrier)


def receive(sock: socket.socket) -> tuple[Message, list[int]] | None:
    """The next message and its descriptors (the caller's to close); None when the other end is closed.

    Raises:
        OSError: the socket failed, or is non-blocking and empty.
    """
    data, fds, _, _ = socket.recv_fds(sock, _PACKET_MAX + 1, _FDS_MAX)
    for fd in fds:
        os.set_inheritable(fd, False)  # noqa: FBT003 - the standard library's signature
    if not data:
        return None
    if data == _IN_FILE:
        with os.fdopen(fds.pop(0), "rb") as file:
            file.seek(0)
            data = file.read()
    message: Message = json.loads(data)
    return message, fds

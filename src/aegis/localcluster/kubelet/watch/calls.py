"""What a waiting call is about, read from its arguments and what they point to.

Each raises `tracee.GoneError` where the caller has died or gave an address that holds nothing.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import struct
from dataclasses import replace

from aegis.localcluster.kubelet.watch import tracee
from aegis.localcluster.kubelet.watch.events import Process
from aegis.localcluster.kubelet.watch.rules import sensitive
from aegis.localcluster.kubelet.watch.seccomp import Notice

_AT_FDCWD = 0xFFFFFF9C
_ADDRESS_MAX, _INET_SIZE, _INET6_SIZE = 28, 8, 24
_NAME_MAX = 15
# What may name a sensitive file: everything else that begins with a slash is let go at once.
_SUSPICIOUS = re.compile(rb"^(?!/)|shadow|sudoers|pam\.|pwquality|\.\.")


def sensitive_file(notice: Notice) -> tuple[str, str] | None:
    """The path of a file that is opened for reading, and as it was given; None for one that no rule is about."""
    folder, address = (_AT_FDCWD, notice.arguments[0]) if notice.call == "open" else notice.arguments[:2]
    raw = tracee.read_text(notice.thread, address)
    if not _SUSPICIOUS.search(raw):
        return None
    given = os.fsdecode(raw)
    path = tracee.absolute(notice.thread, folder, given)
    if not sensitive(path) or (notice.call == "openat2" and not _reads(notice)):
        return None
    return path, given


def peer(notice: Notice) -> tuple[int, tuple[str, int] | None]:
    """The descriptor of a socket that is to be connected, and where to; None for another family than IP."""
    number, address, size = notice.arguments[:3]
    if notice.call == "socketcall":
        number, address, size = struct.unpack("=3I", tracee.read_memory(notice.thread, notice.arguments[1], 12))
    return number, _internet_address(tracee.read_memory(notice.thread, address, min(size, _ADDRESS_MAX)))


def foreseen(notice: Notice, known: tracee.Status, before: Process) -> tuple[Process, os.stat_result] | None:
    """What a process will be if its call succeeds: all that is ever known of one that ends at once."""
    folder, *rest = notice.arguments if notice.call == "execveat" else (_AT_FDCWD, *notice.arguments)
    given = os.fsdecode(tracee.read_text(notice.thread, rest[0]))
    try:
        path = tracee.absolute(notice.thread, folder, given)
        file = tracee.regular_file(notice.thread, path)
    except tracee.GoneError:
        return None  # it will fail, or runs what no path leads to
    if not tracee.may(known, file, tracee.EXECUTE):
        return None
    words = tracee.read_arguments(notice.thread, rest[1], notice.pointer)
    return replace(before, name=given.rpartition("/")[2][:_NAME_MAX], arguments=words, exepath=path), file


def _reads(notice: Notice) -> bool:
    """Whether a call of `openat2` opens for reading, which its filter cannot tell: the flags are behind a pointer."""
    (flags,) = struct.unpack("=Q", tracee.read_memory(notice.thread, notice.arguments[2], 8))
    return flags & os.O_ACCMODE != os.O_WRONLY and not flags & os.O_PATH


def _internet_address(address: bytes) -> tuple[str, int] | None:
    """Host and port of a socket address; None for one of another family."""
    if len(address) < _INET_SIZE:
        return None
    family, port = struct.unpack_from("=H", address)[0], struct.unpack_from(">H", address, 2)[0]
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, address[4:8]), port
    if family == socket.AF_INET6 and len(address) >= _INET6_SIZE:
        found = ipaddress.IPv6Address(address[8:24])
        return str(found.ipv4_mapped or found), port
    return None

"""What calls are about, read from this process's own memory."""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import struct
from pathlib import Path

import pytest

from aegis.localcluster.kubelet.watch import tracee
from aegis.localcluster.kubelet.watch.calls import foreseen, peer, sensitive_file
from aegis.localcluster.kubelet.watch.seccomp import Call, Notice

ME = os.getpid()
HERE = 0xFFFFFF9C


def notice(call: Call, *arguments: int) -> Notice:
    return Notice(id=1, thread=ME, call=call, arguments=(*arguments, *[0] * (6 - len(arguments))), pointer=8)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (b"/etc/shadow", "/etc/shadow"),
        (b"/etc/x/../shadow", "/etc/shadow"),
        (b"/etc/sudoers.d/\xff", "/etc/sudoers.d/\udcff"),
        (b"/usr/lib/x.so", None),
        (b"/tmp/shadow", None),
        (b"shadow", None),
        (b"", None),
    ],
)
def test_paths(path: bytes, told: str | None) -> None:
    buffer = ctypes.create_string_buffer(path)
    at = ctypes.addressof(buffer)
    wanted = (told, os.fsdecode(path)) if told else None
    assert sensitive_file(notice("openat", HERE, at, 0)) == wanted
    assert sensitive_file(notice("open", at, 0)) == wanted


@pytest.mark.parametrize(
    ("flags", "told"), [(os.O_RDONLY, True), (os.O_RDWR, True), (os.O_WRONLY, False), (os.O_PATH, False)]
)
def test_flags_behind_a_pointer(flags: int, *, told: bool) -> None:
    path, how = (
        ctypes.create_string_buffer(b"/etc/shadow"),
        ctypes.create_string_buffer(struct.pack("=QQQ", flags, 0, 0)),
    )
    asked = notice("openat2", HERE, ctypes.addressof(path), ctypes.addressof(how), 24)
    assert (sensitive_file(asked) is not None) is told


@pytest.mark.parametrize(
    ("address", "where"),
    [
        (
            struct.pack("=H", socket.AF_INET) + struct.pack(">H", 443) + bytes([10, 96, 0, 1]) + bytes(8),
            ("10.96.0.1", 443),
        ),
        (
            struct.pack("=H", socket.AF_INET6)
            + struct.pack(">HI", 80, 0)
            + bytes(10)
            + b"\xff\xff\x7f\0\0\1"
            + bytes(4),
            ("127.0.0.1", 80),
        ),
        (struct.pack("=H", socket.AF_INET6) + struct.pack(">HI", 80, 0) + bytes(15) + b"\1" + bytes(4), ("::1", 80)),
        (struct.pack("=H", socket.AF_INET6) + struct.pack(">H", 80) + bytes(8), None),
        (struct.pack("=H", socket.AF_UNIX) + b"/run/x.sock\0", None),
        (b"\2\0", None),
    ],
)
def test_where_connections_go(address: bytes, where: tuple[str, int] | None) -> None:
    buffer = ctypes.create_string_buffer(address)
    assert peer(notice("connect", 7, ctypes.addressof(buffer), len(address))) == (7, where)


def test_a_connection_by_the_old_call() -> None:
    address = struct.pack("=H", socket.AF_INET) + struct.pack(">H", 443) + bytes([10, 96, 0, 1]) + bytes(8)
    words = ctypes.create_string_buffer(struct.pack("=3I", 7, 0, len(address)))
    with mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40) as memory:  # MAP_32BIT
        at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        if at >> 32:
            pytest.skip("no memory below 4 GiB to be had")
        memory[: len(address)] = address
        struct.pack_into("=I", words, 4, at)
        assert peer(notice("socketcall", 3, ctypes.addressof(words))) == (7, ("10.96.0.1", 443))


def test_a_program_to_be(tmp_path: Path) -> None:
    program = tmp_path / "a-name-of-more-than-fifteen"
    program.write_bytes(b"")
    path = ctypes.create_string_buffer(str(program).encode())
    word = ctypes.create_string_buffer(b"word")
    words = (ctypes.c_void_p * 2)(ctypes.addressof(word), None)
    asked = notice("execve", ctypes.addressof(path), ctypes.addressof(words))
    known, before = tracee.status(ME), tracee.describe(ME, ())
    assert foreseen(asked, known, before) is None
    program.chmod(0o755)
    found = foreseen(asked, known, before)
    assert found is not None
    process, file = found
    assert (process.name, process.arguments, process.exepath) == ("a-name-of-more-", ("word",), str(program))
    assert file.st_ino == program.stat().st_ino

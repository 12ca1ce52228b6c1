"""What can be read of a process, tried on this one."""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.localcluster.kubelet.watch import tracee
from aegis.localcluster.kubelet.watch.tracee import EXECUTE, READ, WRITE, GoneError, Status, may

ME = os.getpid()
GONE = 2**22 - 1
"""A process that there is not: pids go up to 2^22, and this one is hardly ever given."""


def status(uid: int = 1000, gid: int = 1000, *, groups: tuple[int, ...] = (), capabilities: int = 0) -> Status:
    return Status(
        name="x", pid=1, parent=0, uid=uid, gid=gid, groups=frozenset(groups), capabilities=capabilities, filters=0
    )


def file(mode: int, uid: int = 0, gid: int = 0) -> os.stat_result:
    return os.stat_result((0o100000 | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("who", "what", "wanted", "answer"),
    [
        (status(), file(0o640), READ, False),
        (status(), file(0o644), READ, True),
        (status(groups=(42,)), file(0o640, gid=42), READ, True),
        (status(gid=42), file(0o640, gid=42), WRITE, False),
        (status(), file(0o477, uid=1000), WRITE, False),  # the owner's own bits count, though others may
        (status(capabilities=1 << 1), file(0o000), READ, True),
        (status(capabilities=1 << 1), file(0o000), WRITE, True),
        (status(capabilities=1 << 2), file(0o000), READ, True),
        (status(capabilities=1 << 2), file(0o000), WRITE, False),
        (status(capabilities=1 << 1), file(0o600), EXECUTE, False),  # root too needs one bit of it
        (status(capabilities=1 << 1), file(0o601), EXECUTE, True),
        (status(), file(0o755), EXECUTE, True),
    ],
)
def test_who_may(who: Status, what: os.stat_result, wanted: int, *, answer: bool) -> None:
    assert may(who, what, wanted) is answer


@given(text=st.binary(max_size=5000).map(lambda text: text.replace(b"\0", b"")), limit=st.integers(1, 4096))
def test_texts_of_any_length(text: bytes, limit: int) -> None:
    buffer = ctypes.create_string_buffer(text)
    assert tracee.read_text(ME, ctypes.addressof(buffer), limit) == text[:limit]


def test_a_text_at_the_end_of_what_can_be_read() -> None:
    with mmap.mmap(-1, 2 * mmap.PAGESIZE) as memory:
        at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        memory[mmap.PAGESIZE - 4 : mmap.PAGESIZE] = b"end\0"
        libc = ctypes.CDLL(None)
        assert libc.mprotect(ctypes.c_void_p(at + mmap.PAGESIZE), mmap.PAGESIZE, 0) == 0
        try:
            assert tracee.read_text(ME, at + mmap.PAGESIZE - 4) == b"end"
            with pytest.raises(GoneError):
                tracee.read_memory(ME, at + mmap.PAGESIZE, 1)
        finally:
            libc.mprotect(ctypes.c_void_p(at + mmap.PAGESIZE), mmap.PAGESIZE, 3)


@pytest.mark.parametrize("pointer", [4, 8])
def test_arguments(pointer: int) -> None:
    with mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40) as memory:  # MAP_32BIT
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        if start >> 8 * pointer:
            pytest.skip("no memory below 4 GiB to be had")
        memory[0:8] = b"cat\0-n\0\0"
        for number, address in enumerate((start, start + 4, 0)):
            memory[64 + number * pointer : 64 + (number + 1) * pointer] = address.to_bytes(pointer, "little")
        assert tracee.read_arguments(ME, start + 64, pointer) == ("cat", "-n")


def test_arguments_without_end_are_cut() -> None:
    word = ctypes.create_string_buffer(b"x" * 100)
    many = (ctypes.c_void_p * 1000)(*[ctypes.addressof(word)] * 1000)
    found = tracee.read_arguments(ME, ctypes.addressof(many), 8)
    assert 0 < len(found) < 50


@pytest.mark.parametrize(
    ("path", "meant"),
    [("/etc/../etc/./shadow", "/etc/shadow"), ("//etc//shadow", "/etc/shadow"), ("/", "/"), ("/..", "/")],
)
def test_absolute_paths(path: str, meant: str) -> None:
    assert tracee.absolute(ME, 0xFFFFFF9C, path) == meant


def test_relative_paths(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_PATH)
    try:
        assert tracee.absolute(ME, folder, "a/../b") == f"{tmp_path}/b"
        assert tracee.absolute(ME, 0xFFFFFFFFFFFFFF9C, "b") == f"{Path.cwd()}/b"
    finally:
        os.close(folder)
    with pytest.raises(GoneError):
        tracee.absolute(ME, folder, "b")


def test_a_file_behind_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert tracee.regular_file(ME, f"{tmp_path}/link").st_size == len("here")
    for odd in (tmp_path, tmp_path / "nothing", Path(f"/proc/{ME}/fd/0")):
        with pytest.raises(GoneError):
            tracee.regular_file(ME, str(odd))


def test_this_process() -> None:
    known = tracee.status(ME)
    assert (known.pid, known.parent, known.uid) == (ME, os.getppid(), os.geteuid())
    process = tracee.describe(ME, ())
    assert process.cwd == str(Path.cwd())
    assert process.exepath == str(Path("/proc/self/exe").readlink())
    assert tracee.ancestors(known.parent, known.filters) == ()
    assert tracee.ancestors(ME, known.filters - 1)[0].name == known.name


def test_a_process_that_is_gone() -> None:
    for ask in (tracee.status, tracee.image, tracee.executed_file):
        with pytest.raises(GoneError):
            ask(GONE)
    with pytest.raises(GoneError):
        tracee.describe(GONE, ())


def test_a_program_that_is_not_in_place_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = tracee.image(ME)
    assert ready is not None
    fields = tracee._stat(ME)
    monkeypatch.setattr(tracee, "_stat", lambda _pid: [*fields[:50], "0", *fields[51:]])
    assert tracee.image(ME) is None


def test_a_borrowed_socket() -> None:
    with socket.create_server(("127.0.0.1", 0)) as own, tracee.borrowed_socket(ME, own.fileno()) as borrowed:
        assert borrowed.fileno() != own.fileno()
        assert borrowed.getsockname() == own.getsockname()
    read, write = os.pipe()
    try:
        with pytest.raises(GoneError):
            tracee.borrowed_socket(ME, read)
    finally:
        os.close(read)
        os.close(write)

"""Reading a watched process while it waits: its memory, its /proc, and files as its own root shows them.

What is read belongs to the process only if it still waits afterwards; the caller has to ask.

Sources: proc(5), process_vm_readv(2), openat2(2), pidfd_getfd(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import posixpath
import re
import socket
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from aegis.localcluster.kubelet.watch.events import Ancestor, Process, Subject

_PAGE = 4096
_PATH_MAX = 4096
_ARGUMENTS_MAX, _ARGUMENTS_BYTES = 128, 4096
_ANCESTORS_MAX = 8
_ACCOUNTS_MAX = 65_536
_AT_FDCWD = -100
_SYS_OPENAT2, _SYS_PIDFD_GETFD = 437, 438
_RESOLVE_NO_MAGICLINKS, _RESOLVE_IN_ROOT = 0x02, 0x10
_FIELD = re.compile(r"^(Name|Tgid|PPid|Uid|Gid|Groups|CapEff|Seccomp_filters):\t(.*)$", re.MULTILINE)
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1 << 1, 1 << 2
_NO_LOGIN = 0xFFFFFFFF
READ, WRITE, EXECUTE = 4, 2, 1

_libc = ctypes.CDLL(None, use_errno=True)


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


# Made once: this is asked for at every file that a pod opens. The sentry has one thread only.
_buffer = ctypes.create_string_buffer(_PATH_MAX)
_bytes = memoryview(_buffer).cast("B")
_local, _remote = _Vector(ctypes.addressof(_buffer), _PATH_MAX), (_Vector * 2)()
_local_at, _first, _second = ctypes.addressof(_local), _remote[0], _remote[1]
_read_vectors = _libc.process_vm_readv if hasattr(_libc, "process_vm_readv") else None
if _read_vectors is not None:
    _read_vectors.argtypes = (
        ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong,
    )  # fmt: skip


Accounts = dict[tuple[str, int], str | None]
"""Names by file and number."""


class GoneError(Exception):
    """The process has ended, or what it named cannot be read."""


def read_memory(pid: int, address: int, size: int) -> bytes:
    """What lies at an address, up to 4 KiB; less where the memory ends before.

    Raises:
        GoneError: nothing can be read there.
    """
    # A vector a page: the kernel does not split one that is only half readable.
    _first.base, _first.length = address, min(size, _PAGE - address % _PAGE)
    _second.base, _second.length = address + _first.length, size - _first.length
    _local.length = size
    count = 2 if _second.length else 1
    got = _read_vectors(pid, _local_at, 1, _remote, count, 0) if _read_vectors is not None else -1
    if got <= 0:
        raise GoneError(f"memory of process {pid}")
    return bytes(_bytes[:got])


def read_text(pid: int, address: int, limit: int = _PATH_MAX) -> bytes:
    """A text that ends with a zero byte, without it; cut at the limit.

    Raises:
        GoneError: it cannot be read.
    """
    text = b""
    while len(text) < limit:
        piece = read_memory(pid, address + len(text), min(256, limit - len(text)))
        text += piece
        if b"\0" in piece:
            return text[: text.index(b"\0")]
    return text


def read_arguments(pid: int, address: int, pointer: int) -> tuple[str, ...]:
    """The array that `execve` was given, as far as 4 KiB reach.

    Raises:
        GoneError: it cannot be read.
    """
    found: list[str] = []
    left = _ARGUMENTS_BYTES
    shape = struct.Struct("=Q" if pointer == struct.calcsize("=Q") else "=I")
    while address and left > 0 and len(found) < _ARGUMENTS_MAX:
        (at,) = shape.unpack(read_memory(pid, address + shape.size * len(found), shape.size))
        if not at:
            break
        text = read_text(pid, at, left)
        left -= len(text) + 1
        found.append(text.decode("utf-8", "replace"))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What /proc/PID/status and stat tell.

    Attributes:
        pid: of the process, where a thread of it was asked for.
        parent: of the process.
        uid, gid: as the file system sees them, in this machine's numbering.
        groups: supplementary ones.
        capabilities: the effective set.
        filters: how many seccomp filters it is under.
    """

    name: str
    pid: int
    parent: int
    uid: int
    gid: int
    groups: frozenset[int]
    capabilities: int
    filters: int


def status(pid: int | str) -> Status:
    """The status of a process or thread.

    Raises:
        GoneError: it has ended.
    """
    fields = dict(_FIELD.findall(_read(f"/proc/{pid}/status").decode("utf-8", "replace")))
    try:
        return Status(
            name=fields["Name"],
            pid=int(fields["Tgid"]),
            parent=int(fields["PPid"]),
            uid=int(fields["Uid"].split()[3]),
            gid=int(fields["Gid"].split()[3]),
            groups=frozenset(map(int, fields["Groups"].split())),
            capabilities=int(fields["CapEff"], 16),
            filters=int(fields.get("Seccomp_filters", "0")),
        )
    except (KeyError, ValueError, IndexError) as error:
        raise GoneError(f"process {pid}") from error


def image(pid: int) -> tuple[str, ...] | None:
    """What tells one program of a process from the next: where its code, its stack and its environment lie.

    None while the next one is not in place yet: its name and its arguments cannot be read until then.

    Raises:
        GoneError: it has ended.
    """
    fields = _stat(pid)
    end_of_environment = fields[50]  # what the kernel fills in last
    return None if end_of_environment == "0" else (*fields[25:28], end_of_environment)


def ancestors(parent: int, outside: int) -> tuple[Ancestor, ...]:
    """The processes above one, as far as they are watched too.

    Args:
        parent: the first of them.
        outside: how many filters a process is under that is not watched.
    """
    found: list[Ancestor] = []
    with contextlib.suppress(GoneError):
        while parent > 1 and len(found) < _ANCESTORS_MAX:
            known = status(parent)
            if known.filters <= outside:
                break
            arguments = _arguments(parent)
            found.append(
                Ancestor(
                    name=known.name,
                    command=" ".join((known.name, *arguments[1:])),
                    exe=arguments[0] if arguments else known.name,
                    exepath=_link(f"/proc/{parent}/exe"),
                )
            )
            parent = known.parent
    return tuple(found)


def describe(pid: int, above: tuple[Ancestor, ...]) -> Process:
    """What the rules ask of a process: all that is cheap to know.

    Raises:
        GoneError: it has ended.
    """
    return Process(
        name=_read(f"/proc/{pid}/comm").decode("utf-8", "replace").rstrip("\n"),
        arguments=_arguments(pid),
        exepath=_link(f"/proc/{pid}/exe"),
        cwd=_link(f"/proc/{pid}/cwd"),
        tty=int(_stat(pid)[6]),
        ancestors=above,
    )


def identify(process: Process, known: Status, subject: Subject, *, accounts: Accounts, outside: int) -> Process:
    """A process with what an alert tells of it beside: as whom it acted.

    Args:
        process: as it was described.
        known: its status.
        subject: whose it is.
        accounts: the names that its container has for numbers; what is missing is looked up and kept.
        outside: how many filters a process is under that is not watched.
    """
    uid = subject.uid if subject.single_user else known.uid
    gid = 0 if subject.single_user else known.gid
    for file, number in (("/etc/passwd", uid), ("/etc/group", gid)):
        if (file, number) not in accounts:
            accounts[file, number] = _account(known.pid, file, number)
    login, session = _NO_LOGIN, None
    with contextlib.suppress(GoneError):
        login = int(_read(f"/proc/{known.pid}/loginuid") or _NO_LOGIN)
        leader = status(int(_stat(known.pid)[5]))
        session = leader.name if leader.filters > outside else None
    return replace(
        process,
        session=session,
        uid=uid,
        user=accounts["/etc/passwd", uid],
        gid=gid,
        group=accounts["/etc/group", gid],
        login_uid=-1 if login == _NO_LOGIN else login,
    )


def absolute(pid: int, folder: int, path: str) -> str:
    """A path as the process means it: from its folder on, without `.` and `..`.

    Raises:
        GoneError: the process has ended.
    """
    if not path.startswith("/"):
        number = folder & 0xFFFFFFFF
        number = number - (1 << 32) if number >> 31 else number
        start = _link(f"/proc/{pid}/cwd" if number == _AT_FDCWD else f"/proc/{pid}/fd/{number}")
        path = f"{start}/{path}" if path else start
    return posixpath.normpath(path).replace("//", "/")


@contextlib.contextmanager
def shown(pid: int, path: str) -> Iterator[int]:
    """The file behind a path in a process's own root, as a descriptor that can only be looked at.

    Raises:
        GoneError: it is not there, or the process has ended.
    """
    how = struct.pack("=QQQ", os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise GoneError(f"process {pid}") from error
    try:
        number = ctypes.c_long(_SYS_OPENAT2)
        fd = int(_libc.syscall(number, ctypes.c_int(root), os.fsencode(path), how, ctypes.c_size_t(len(how))))
    finally:
        os.close(root)
    if fd < 0:
        raise GoneError(path)
    try:
        yield fd
    finally:
        os.close(fd)


def may(known: Status, file: os.stat_result, wanted: int) -> bool:
    """Whether a process may use a file, by owner, group, mode and capabilities.

    Args:
        known: the process.
        file: the file.
        wanted: `READ`, `WRITE` or `EXECUTE`.
    """
    if wanted == EXECUTE:
        overridden = bool(known.capabilities & _CAP_DAC_OVERRIDE) and bool(file.st_mode & 0o111)
    else:
        powers = _CAP_DAC_OVERRIDE | (_CAP_DAC_READ_SEARCH if wanted == READ else 0)
        overridden = bool(known.capabilities & powers)
    if overridden:
        return True
    of_group = file.st_gid == known.gid or file.st_gid in known.groups
    shift = 6 if known.uid == file.st_uid else 3 * of_group
    return bool(file.st_mode >> shift & wanted)


def regular_file(pid: int, path: str) -> os.stat_result:
    """The regular file behind a path in a process's own root.

    Raises:
        GoneError: there is none.
    """
    with shown(pid, path) as fd:
        found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise GoneError(path)
    return found


def executed_file(pid: int) -> os.stat_result:
    """The file that a process runs.

    Raises:
        GoneError: it has ended.
    """
    try:
        return Path(f"/proc/{pid}/exe").stat()
    except OSError as error:
        raise GoneError(f"process {pid}") from error


def borrowed_socket(pid: int, number: int) -> socket.socket:
    """A second descriptor of a process's socket.

    Raises:
        GoneError: it is none, or the process has ended.
    """
    try:
        handle = os.pidfd_open(pid)
    except OSError as error:
        raise GoneError(f"process {pid}") from error
    try:
        fd = int(_libc.syscall(ctypes.c_long(_SYS_PIDFD_GETFD), ctypes.c_int(handle), ctypes.c_int(number), 0))
    finally:
        os.close(handle)
    if fd < 0:
        raise GoneError(f"descriptor {number} of process {pid}")
    try:
        return socket.socket(fileno=fd)
    except OSError as error:
        os.close(fd)
        raise GoneError(f"descriptor {number} of process {pid}") from error


def _arguments(pid: int) -> tuple[str, ...]:
    data = _read(f"/proc/{pid}/cmdline", _ARGUMENTS_BYTES)
    return tuple(text.decode("utf-8", "replace") for text in data.removesuffix(b"\0").split(b"\0")) if data else ()


def _stat(pid: int) -> list[str]:
    # Fields from the third on (state): the name in parentheses may hold anything.
    data = _read(f"/proc/{pid}/stat").decode("utf-8", "replace").rpartition(")")[2].split()
    return ["", "", *data]


def _account(pid: int, file: str, number: int) -> str | None:
    try:
        with shown(pid, file) as fd:
            # A container may put a pipe there, whose opening would wait for ever.
            data = _read(f"/proc/self/fd/{fd}", _ACCOUNTS_MAX) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    except GoneError:
        return None
    for line in data.decode("utf-8", "replace").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2] == str(number):  # noqa: PLR2004 - name, password, number
            return fields[0]
    return None


def _link(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - links that are no paths, as of a deleted file
    except OSError as error:
        raise GoneError(path) from error


def _read(path: str, limit: int = 65_536) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - several for each alert: as cheap as it can be
            return file.read(limit) or b""
    except OSError as error:
        raise GoneError(path) from error

"""Seccomp user notification: the filter that pods run under, and the calls by which a supervisor answers it.

Some calls stop until a supervisor has looked at them, and then go on unchanged. The filter is chosen so that what can
be told without a pointer never stops: files opened to be written only, folders, and paths without reading.

Sources: seccomp(2), seccomp_unotify(2), linux/seccomp.h, linux/audit.h, the kernel's system call tables.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Call = Literal["execve", "execveat", "open", "openat", "openat2", "connect", "socketcall"]

_SET_MODE_FILTER, _GET_ACTION_AVAILABLE = 1, 2
_NEW_LISTENER, _WAIT_KILLABLE = 1 << 3, 1 << 5
_ALLOW, _NOTIFY, _REFUSE = 0x7FFF0000, 0x7FC00000, 0x00050000
_RECEIVE, _SEND, _STILL_VALID, _SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082102, 0x40082104
_CONTINUE, _SYNCHRONOUS_WAKE = 1, 1
_NOTICE, _ANSWER = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")
_EMPTY = bytes(_NOTICE.size)

# Classic BPF: load a word, jump if equal, jump if any bit is set, and with a constant, return.
_LOAD, _EQUAL, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x45, 0x54, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_X32_BIT = 0x40000000
_IO_URING_SETUP = 425
_WRITE_ONLY, _ACCESS_MODE = 0o1, 0o3


@dataclass(frozen=True, slots=True, kw_only=True)
class Abi:
    """One way in which programs of a machine call the kernel.

    Attributes:
        audit: the number by which a filter knows it.
        calls: the numbers of the watched calls.
        pointer: the bytes of a pointer.
        o_path: `O_PATH`, `O_DIRECTORY`: flags that never read a file.
        o_directory: see `o_path`.
        x32: whether numbers may carry the x32 bit.
    """

    audit: int
    calls: dict[Call, int]
    pointer: int = 8
    o_path: int = 0o10000000
    o_directory: int = 0o200000
    x32: bool = False


_X86_64 = Abi(
    audit=0xC000003E,
    calls={"execve": 59, "execveat": 322, "open": 2, "openat": 257, "openat2": 437, "connect": 42},
    x32=True,
)
_I386 = Abi(
    audit=0x40000003,
    calls={
        "execve": 11, "execveat": 358, "open": 5, "openat": 295, "openat2": 437, "connect": 362, "socketcall": 102,
    },
    pointer=4,
)  # fmt: skip
_AARCH64 = Abi(
    audit=0xC00000B7,
    calls={"execve": 221, "execveat": 281, "openat": 56, "openat2": 437, "connect": 203},
    o_directory=0o40000,
)
_ARM = Abi(
    audit=0x40000028,
    calls={"execve": 11, "execveat": 387, "open": 5, "openat": 322, "openat2": 437, "connect": 283},
    pointer=4,
    o_directory=0o40000,
)
_MACHINES = {"x86_64": (_X86_64, _I386), "aarch64": (_AARCH64, _ARM)}
# The x32 numbers of calls whose arguments differ from the 64-bit ones.
_X32_CALLS: dict[int, Call] = {520: "execve", 545: "execveat"}
_SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One call that waits.

    Attributes:
        id: by which it is answered.
        thread: who calls, in the supervisor's numbering.
        call: what is called.
        arguments: as the kernel got them.
        pointer: the bytes of a pointer of the caller.
    """

    id: int
    thread: int
    call: Call
    arguments: Sequence[int]
    pointer: int


def abis(machine: str) -> tuple[Abi, ...]:
    """The ABIs that programs may use on a machine; none where the watch does not know it."""
    return _MACHINES.get(machine, ())


def program(machine: str) -> bytes:
    """The filter, as the kernel's instructions; an unknown ABI passes unwatched.

    Raises:
        OSError: the machine is not known here.
    """
    known = abis(machine)
    if not known:
        raise OSError(errno.ENOSYS, f"no system call numbers are known for {machine}")
    code = [_instruction(_LOAD, _ARCH_AT)]
    for abi in known:
        body = _body(abi)
        # Offsets of conditional jumps are one byte: no body comes near that.
        code += [_instruction(_EQUAL, abi.audit, no=len(body)), *body]
    return b"".join([*code, _instruction(_RETURN, _ALLOW)])


def _body(abi: Abi) -> list[bytes]:
    code = [_instruction(_LOAD, _NUMBER_AT)]
    if abi.x32:
        for number in _X32_CALLS:
            code += _when(number | _X32_BIT, [_instruction(_RETURN, _NOTIFY)])
        code.append(_instruction(_AND, ~_X32_BIT & 0xFFFFFFFF))
    for call, number in abi.calls.items():
        code += _when(number, _verdict(call, abi))
    # As container runtimes do: what a ring does is seen by no filter.
    code += _when(_IO_URING_SETUP, [_instruction(_RETURN, _REFUSE | errno.EPERM)])
    return [*code, _instruction(_RETURN, _ALLOW)]


def _verdict(call: Call, abi: Abi) -> list[bytes]:
    notify, allow = _instruction(_RETURN, _NOTIFY), _instruction(_RETURN, _ALLOW)
    if call == "socketcall":
        connect = 3
        return [_load(0), _instruction(_EQUAL, connect, no=1), notify, allow]
    if call not in {"open", "openat"}:
        return [notify]
    return [
        _load(1 if call == "open" else 2),
        _instruction(_ANY_BIT, abi.o_path | abi.o_directory, yes=3),
        _instruction(_AND, _ACCESS_MODE),
        _instruction(_EQUAL, _WRITE_ONLY, yes=1),
        notify,
        allow,
    ]


def _when(number: int, body: list[bytes]) -> list[bytes]:
    return [_instruction(_EQUAL, number, no=len(body)), *body]


def _load(argument: int) -> bytes:
    # The lower half: both machines are little-endian.
    return _instruction(_LOAD, _ARGUMENTS_AT + 8 * argument)


def _instruction(code: int, constant: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, constant)


def install() -> int:
    """Put the calling thread, and all that it will fork, under the filter; the supervisor's descriptor.

    The caller needs `CAP_SYS_ADMIN` in its user namespace: `no_new_privs` is the program's to choose.

    Raises:
        OSError: refused, as where another supervisor watches already.
    """
    machine = os.uname().machine
    code = program(machine)
    given = _Program(len(code) // 8, code)
    for flags in (_NEW_LISTENER | _WAIT_KILLABLE, _NEW_LISTENER):
        number = ctypes.c_long(_SYS_SECCOMP[machine])
        fd = int(_libc.syscall(number, ctypes.c_long(_SET_MODE_FILTER), ctypes.c_long(flags), ctypes.byref(given)))
        if fd >= 0:
            return fd
        if ctypes.get_errno() != errno.EINVAL:  # before Linux 5.19 there was no second flag
            break
    reason = ctypes.get_errno()
    raise OSError(reason, os.strerror(reason), "seccomp")


def prepare(listener: int) -> None:
    """Have the kernel wake the two sides of a listener one for the other, where it can (Linux 6.6).

    Raises:
        OSError: it is no listener.
    """
    try:
        fcntl.ioctl(listener, _SET_FLAGS, _SYNCHRONOUS_WAKE)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTTY}:
            raise


class Calls:
    """The table from numbers to calls, for one machine."""

    def __init__(self, machine: str) -> None:
        self._named: dict[tuple[int, int], tuple[Call, int]] = {}
        for abi in abis(machine):
            for call, number in abi.calls.items():
                self._named[abi.audit, number] = (call, abi.pointer)
                if abi.x32:
                    self._named[abi.audit, number | _X32_BIT] = (call, abi.pointer)
            if abi.x32:
                for number, call in _X32_CALLS.items():
                    self._named[abi.audit, number | _X32_BIT] = (call, 4)

    def receive(self, listener: int) -> Notice | None:
        """The next waiting call; None where its caller has died meanwhile.

        Raises:
            OSError: the listener is of no use any more.
        """
        buffer = bytearray(_EMPTY)
        try:
            fcntl.ioctl(listener, _RECEIVE, buffer)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.EINTR}:
                return None
            raise
        number, thread, _, call, audit, _, *arguments = _NOTICE.unpack(buffer)
        name, pointer = self._named[audit, call]
        return Notice(id=number, thread=thread, call=name, arguments=arguments, pointer=pointer)


def still_waits(listener: int, notice: Notice) -> bool:
    """Whether the caller is still there: only then is what was read of it its own."""
    try:
        fcntl.ioctl(listener, _STILL_VALID, struct.pack("=Q", notice.id))
    except OSError:
        return False
    return True


def go_on(listener: int, notice: Notice) -> None:
    """Let a call go on as if nobody had looked; one whose caller has died needs no answer.

    Raises:
        OSError: it is no listener, or was answered already.
    """
    try:
        fcntl.ioctl(listener, _SEND, _ANSWER.pack(notice.id, 0, 0, _CONTINUE))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise

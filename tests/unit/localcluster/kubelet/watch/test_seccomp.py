"""The filter, run by an interpreter of the kernel's instructions; what it lets stop is looked at in `test_sentry`."""

from __future__ import annotations

import errno
import struct

import pytest

from aegis.localcluster.kubelet.watch.seccomp import Calls, program

ALLOW, NOTIFY, REFUSE = 0x7FFF0000, 0x7FC00000, 0x00050000 | errno.EPERM
X86_64, I386, AARCH64, ARM, RISCV = 0xC000003E, 0x40000003, 0xC00000B7, 0x40000028, 0xC00000F3
X32 = 0x40000000
READ, WRITE, BOTH, CREATE, CLOSE_ON_EXEC, TRUNCATE = 0, 1, 2, 0o100, 0o2000000, 0o1000


def verdict(machine: str, audit: int, number: int, *arguments: int) -> int:
    code = list(struct.iter_unpack("=HBBI", program(machine)))
    data = struct.pack("=iIQ6Q", number, audit, 0, *arguments, *[0] * (6 - len(arguments)))
    at = accumulator = 0
    while True:
        operation, yes, no, constant = code[at]
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, constant)
            case 0x54:
                accumulator &= constant
            case 0x15:
                at += yes if accumulator == constant else no
            case 0x45:
                at += yes if accumulator & constant else no
            case 0x06:
                return int(constant)
            case _:
                raise AssertionError(hex(operation))


@pytest.mark.parametrize(
    ("machine", "audit", "number", "arguments"),
    [
        ("x86_64", X86_64, 59, ()),
        ("x86_64", X86_64, 322, ()),
        ("x86_64", X86_64, 42, (3, 4096, 16)),
        ("x86_64", X86_64, 437, (0, 0, 0)),
        ("x86_64", X86_64, 257, (0xFFFFFF9C, 4096, READ | CLOSE_ON_EXEC)),
        ("x86_64", X86_64, 257, (0xFFFFFFFFFFFFFF9C, 4096, BOTH | CREATE)),
        ("x86_64", X86_64, 2, (4096, READ)),
        ("x86_64", X86_64, X32 | 520, ()),
        ("x86_64", X86_64, X32 | 545, ()),
        ("x86_64", X86_64, X32 | 257, (0, 4096, READ)),
        ("x86_64", I386, 11, ()),
        ("x86_64", I386, 5, (4096, READ)),
        ("x86_64", I386, 295, (0, 4096, BOTH)),
        ("x86_64", I386, 362, ()),
        ("x86_64", I386, 102, (3,)),
        ("aarch64", AARCH64, 221, ()),
        ("aarch64", AARCH64, 281, ()),
        ("aarch64", AARCH64, 203, ()),
        ("aarch64", AARCH64, 56, (0, 4096, READ)),
        ("aarch64", ARM, 11, ()),
        ("aarch64", ARM, 283, ()),
        ("aarch64", ARM, 322, (0, 4096, READ)),
    ],
)
def test_what_stops(machine: str, audit: int, number: int, arguments: tuple[int, ...]) -> None:
    assert verdict(machine, audit, number, *arguments) == NOTIFY
    assert (audit, number) in Calls(machine)._named


@pytest.mark.parametrize(
    ("machine", "audit", "number", "arguments"),
    [
        ("x86_64", X86_64, 0, ()),  # read
        ("x86_64", X86_64, 257, (0, 4096, WRITE | CREATE | TRUNCATE)),
        ("x86_64", X86_64, 257, (0, 4096, READ | 0o200000)),  # O_DIRECTORY
        ("x86_64", X86_64, 257, (0, 4096, READ | 0o10000000)),  # O_PATH
        ("x86_64", X86_64, 2, (4096, WRITE)),
        ("x86_64", I386, 102, (1,)),  # socketcall: socket, not connect
        ("x86_64", I386, 59, ()),  # what is execve elsewhere
        ("aarch64", AARCH64, 56, (0, 4096, READ | 0o40000)),  # O_DIRECTORY has another number here
        ("aarch64", AARCH64, 257, ()),
        ("x86_64", RISCV, 221, ()),
    ],
)
def test_what_goes_on_unseen(machine: str, audit: int, number: int, arguments: tuple[int, ...]) -> None:
    assert verdict(machine, audit, number, *arguments) == ALLOW


@pytest.mark.parametrize(("machine", "audit"), [("x86_64", X86_64), ("x86_64", I386), ("aarch64", AARCH64)])
def test_rings_are_refused(machine: str, audit: int) -> None:
    assert verdict(machine, audit, 425) == REFUSE


def test_a_machine_whose_numbers_are_not_known() -> None:
    with pytest.raises(OSError, match="riscv64"):
        program("riscv64")

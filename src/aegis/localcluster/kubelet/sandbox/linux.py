"""The few Linux system calls that Python 3.11 has no name for, through libc.

Sources: unshare(2), setns(2), mount(2), pivot_root(2), prctl(2), capabilities(7). Importing this is safe anywhere;
calling it is not.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
_MNT_DETACH = 2

_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}

# The order is the kernel's numbering (linux/capability.h).
CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Leave the namespaces named by the CLONE_NEW flags for new ones.

    Raises:
        OSError: refused.
    """
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    """Enter the namespace behind a descriptor of /proc/PID/ns.

    Raises:
        OSError: refused.
    """
    _check(_libc.setns(fd, kind), "setns")


def mount(source: str, target: str | Path, kind: str, flags: int = 0, *, options: str = "") -> None:
    """Attach a file system; the arguments are those of the system call.

    Raises:
        OSError: refused, naming the target.
    """
    data = options.encode() if options else None
    _check(_libc.mount(source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data), str(target))


def bind(source: str | Path, target: str | Path, *, read_only: bool = False) -> None:
    """Make a file or folder (with what is mounted in it) appear at another place too.

    Raises:
        OSError: refused, naming the target.
    """
    mount(str(source), target, "none", MS_BIND | MS_REC)
    if read_only:
        make_read_only(target)


def make_read_only(target: str | Path) -> None:
    """Let nothing be written through this mount, keeping the flags that an outer namespace locked.

    Raises:
        OSError: refused, naming the target.
    """
    locked = os.statvfs(target).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("none", target, "none", MS_BIND | MS_REMOUNT | MS_RDONLY | locked)


def pivot_root(new_root: str | Path, old_root: str | Path) -> None:
    """Make a mount point the root; the former root appears at `old_root`, a folder below the new one.

    Raises:
        OSError: refused, or an architecture whose call number is not known here.
    """
    number = _SYS_PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(f"no pivot_root call known for {os.uname().machine}")
    result = _libc.syscall(ctypes.c_long(number), os.fsencode(new_root), os.fsencode(old_root))
    _check(result, "pivot_root")
    os.chdir("/")


def detach(target: str | Path) -> None:
    """Unmount, at once for newcomers and for good when nobody uses it any more.

    Raises:
        OSError: refused.
    """
    _check(_libc.umount2(os.fsencode(target), _MNT_DETACH), str(target))


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this signal when the parent's thread ends.

    Raises:
        OSError: refused.
    """
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends.

    Raises:
        OSError: refused.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def forbid_new_privileges() -> None:
    """No set-user-id program gives more rights from here on.

    Raises:
        OSError: refused.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def bound_capabilities(kept: frozenset[str]) -> None:
    """Drop every capability but these from what a later exec may gain.

    Raises:
        OSError: refused.
    """
    dropped = [number for number, name in enumerate(CAPABILITIES) if name not in kept]
    for number in dropped:
        try:
            _prctl(_PR_CAPBSET_DROP, number)
        except OSError as error:
            # A kernel that does not know this capability yet.
            if error.errno != errno.EINVAL:
                raise


def _prctl(option: int, value: int) -> None:
    # glibc's prctl is variadic: every argument is passed as the unsigned long that the kernel reads.
    _check(_libc.prctl(option, *(ctypes.c_ulong(number) for number in (value, 0, 0, 0))), f"prctl {option}")


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)

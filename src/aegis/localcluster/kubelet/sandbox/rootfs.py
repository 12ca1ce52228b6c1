"""A container's root: a tmpfs, with copy-on-write views of this machine's programs and nothing of its data.

The machine's /etc, /home, /root, /var, /opt and the rest are not there: a small /etc is made instead. Runs in the
forked child that will become the container, inside its own mount namespace, and never returns to the caller's root.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from aegis.localcluster.kubelet.sandbox import linux
from aegis.localcluster.kubelet.sandbox.launch import Root, RootFile

ROOT_SIZE = "1g"
_OLD = "/.old"
_PROGRAM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr")
_FOLDERS = {
    "dev/shm": 0o1777, "dev/pts": 0o755, "etc": 0o755, "home": 0o755, "media": 0o755, "mnt": 0o755, "opt": 0o755,
    "proc": 0o555, "root": 0o700, "run": 0o755, "srv": 0o755, "sys": 0o555, "tmp": 0o1777, "var/cache": 0o755,
    "var/lib": 0o755, "var/log": 0o755, "var/spool": 0o755, "var/tmp": 0o1777,
}  # fmt: skip
_LINKS = {
    "var/run": "../run",
    "dev/fd": "/proc/self/fd",
    "dev/stdin": "/proc/self/fd/0",
    "dev/stdout": "/proc/self/fd/1",
    "dev/stderr": "/proc/self/fd/2",
    "dev/ptmx": "pts/ptmx",
    "etc/mtab": "/proc/self/mounts",
}
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_SHOWN_ETC = (
    "alternatives", "ca-certificates", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types",
    "nsswitch.conf", "os-release", "pki", "protocols", "services", "ssl/certs", "ssl/openssl.cnf", "timezone",
)  # fmt: skip
_READ_ONLY_PROC = ("bus", "fs", "irq", "sys", "sysrq-trigger")
_MASKED_PROC = ("kcore", "keys", "latency_stats", "sched_debug", "timer_list", "timer_stats")


def enter(root: Root, base: Path, termination: Path) -> None:
    """Build the root below `base` and make it this process's root.

    Raises:
        OSError: a mount was refused, or a volume's sub-path leads out of the volume.
    """
    scratch = base / "scratch"
    linux.mount("tmpfs", scratch, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options=f"size={ROOT_SIZE},mode=0755")
    top = scratch / "root"
    for name in ("root", "upper", "work"):
        (scratch / name).mkdir()
    linux.bind(top, top)
    _lay_folders(top, root.prefix)
    overlays = _show_programs(root, scratch, top)
    _devices(top)
    linux.mount("proc", top / "proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    sources = [(mount, _open_inside(base / "volumes" / mount.volume, mount.sub_path)) for mount in root.mounts]
    (top / _OLD[1:]).mkdir()
    linux.pivot_root(top, top / _OLD[1:])
    linux.mount("tmpfs", "/dev/shm", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options="size=64m,mode=1777")  # noqa: S108
    _place_files(root.files)
    _bind_over(Path(_OLD + str(termination)), root.termination, read_only=False)
    for mount, source in sources:
        _bind_over(Path(f"/proc/self/fd/{source}"), mount.path, read_only=mount.read_only)
        os.close(source)
    _guard_proc()
    linux.detach(_OLD)
    Path(_OLD).rmdir()
    if root.read_only:
        for target in ("/", *overlays):
            linux.make_read_only(target)


def _lay_folders(top: Path, prefix: str | None) -> None:
    for name, mode in _FOLDERS.items():
        folder = top / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
    for name, target in _LINKS.items():
        (top / name).symlink_to(target)
    if prefix is not None:
        # A shared libpython is looked for where the interpreter was installed.
        installed = top / prefix.strip("/")
        installed.parent.mkdir(parents=True, exist_ok=True)
        (top / "root").chmod(0o755)
        installed.symlink_to("/usr/local")


def _show_programs(root: Root, scratch: Path, top: Path) -> list[str]:
    """Overlay each program folder; what the image adds lies in the upper layer before it is mounted."""
    shown: list[str] = []
    lowers = {f"/{name}": f"/{name}" for name in _PROGRAM_FOLDERS}
    if root.prefix is not None:
        lowers["/usr/local"] = root.prefix
    for place, lower in lowers.items():
        if place == lower and Path(lower).is_symlink():
            (top / place[1:]).symlink_to(Path(lower).readlink())
        elif Path(lower).is_dir():
            number = str(len(shown))
            upper, work = scratch / "upper" / number, scratch / "work" / number
            upper.mkdir()
            work.mkdir()
            _prepare_upper(upper, place, root, prefixed=root.prefix is not None)
            (top / place[1:]).mkdir(exist_ok=True)
            options = f"lowerdir={_escaped(lower)},upperdir={upper},workdir={work},userxattr"
            linux.mount("overlay", top / place[1:], "overlay", linux.MS_NOSUID | linux.MS_NODEV, options=options)
            shown.append(place)
    return shown


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")


def _prepare_upper(upper: Path, place: str, root: Root, *, prefixed: bool) -> None:
    # An ordinary user cannot write into folders of root that are only seen through the overlay, but may shadow them.
    paths = {path: file for path, file in root.files.items() if file.source is None}
    folders = {mount.path for mount in root.mounts if not mount.sub_path}
    for path in (*paths, *folders):
        owner = "/usr/local" if prefixed and path.startswith("/usr/local/") else "/" + path.split("/")[1]
        if owner != place or path.strip("/") == place.strip("/"):
            continue
        inside = upper / path[len(place) :].strip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        if path in paths:
            _write(inside, paths[path])
        elif not Path(path).is_file():
            inside.mkdir(exist_ok=True)


def _write(path: Path, file: RootFile) -> None:
    path.unlink(missing_ok=True)
    if file.link is not None:
        path.symlink_to(file.link)
    else:
        path.write_text(file.text or "", encoding="utf-8")
        path.chmod(file.mode)


def _devices(top: Path) -> None:
    for name in _DEVICES:
        device = top / "dev" / name
        device.touch()
        # Read-only: it can be written to all the same, but its mode and owner are the machine's.
        linux.bind(f"/dev/{name}", device, read_only=True)
    linux.mount(
        "devpts", top / "dev/pts", "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, options="newinstance,ptmxmode=0666"
    )


def _open_inside(volume: Path, sub_path: str) -> int:
    """A descriptor of a volume or a part of it that no symbolic link can lead elsewhere.

    Raises:
        OSError: the part leads out of the volume, or changed while it was looked up.
    """
    real = Path(os.path.realpath(volume / sub_path))
    if not real.is_relative_to(volume):
        raise OSError(f"subPath {sub_path} leads out of the volume")
    if not real.exists():
        real.mkdir(parents=True)
    at = os.open(volume, os.O_PATH | os.O_DIRECTORY)
    for part in real.relative_to(volume).parts:
        below = os.open(part, os.O_PATH | os.O_NOFOLLOW, dir_fd=at)
        os.close(at)
        at = below
    return at


def _place_files(files: Mapping[str, RootFile]) -> None:
    for name in _SHOWN_ETC:
        source = Path(f"{_OLD}/etc/{name}")
        if source.exists() and f"/etc/{name}" not in files:
            _bind_over(source, f"/etc/{name}", read_only=True)
    for path, file in files.items():
        if file.source is not None:
            _bind_over(Path(_OLD + file.source), path, read_only=True)
        elif not path.startswith(tuple(f"/{name}/" for name in _PROGRAM_FOLDERS)):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            _write(Path(path), file)


def _bind_over(source: Path, path: str, *, read_only: bool) -> None:
    target = Path(path)
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    linux.bind(source, target, read_only=read_only)


def _guard_proc() -> None:
    for name in _READ_ONLY_PROC:
        path = Path("/proc") / name
        if path.exists():
            linux.bind(path, path, read_only=True)
    for name in _MASKED_PROC:
        path = Path("/proc") / name
        if path.exists():
            linux.mount("/dev/null", path, "none", linux.MS_BIND)

"""Which rule an event breaks. Pure.

Names, priorities, tags, texts and fields are those of Falco's default rules 5.1.0; the conditions are theirs where the
watch sees what they ask for, with two differences that `docs/local-cluster.md` tells: a shell counts as unexpected
whatever program spawned it (theirs names the servers that must not), and a connection that leaves the cluster's
networks is told for every namespace (theirs has a list of namespaces that is empty at first).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aegis.localcluster.kubelet.watch.events import Connected, Event, Executed, Opened, Process

_SHELLS = frozenset({"ash", "bash", "csh", "ksh", "sh", "tcsh", "zsh", "dash"})
_SENSITIVE = frozenset({"/etc/shadow", "/etc/sudoers", "/etc/pam.conf", "/etc/security/pwquality.conf"})
_SENSITIVE_FOLDERS = frozenset({"/etc/sudoers.d", "/etc/pam.d"})
_MAY_READ_SENSITIVE = _SHELLS | {
    "login", "systemd", "su", "sudo", "nologin", "faillog", "lastlog", "newgrp", "sg", "passwd", "chage", "gpasswd",
    "adduser", "deluser", "chpasswd", "groupadd", "groupdel", "addgroup", "delgroup", "groupmems", "groupmod",
    "grpck", "newusers", "pwck", "useradd", "userdel", "usermod", "vigr", "vipw", "unix_chkpwd", "iptables", "ps",
    "lsb_release", "sshd", "vsftpd", "psql", "screen", "debconf-show", "pam-auth-update", "pam-config", "lsattr",
    "file", "cron", "crond", "dpkg", "apt", "apt-get", "rpm", "dnf", "yum",
}  # fmt: skip
_MAY_SPAWN_SHELLS = _SHELLS | {
    "cron", "crond", "needrestart", "erl_child_setup", "exechealthz", "PM2", "PassengerWatchd", "c_rehash", "svlogd",
    "logrotate", "hhvm", "serf", "runsv", "statsite", "erlexec", "calico-node", "puma reactor", "dpkg", "apt",
    "apt-get", "rpm", "dnf", "yum",
}  # fmt: skip
_HARMLESS_SHELLS = frozenset({
    "sh -c uname -p 2> /dev/null", "sh -c uname -s 2>&1", "sh -c uname -r 2>&1", "sh -c uname -v 2>&1",
    "sh -c uname -a 2>&1", "sh -c getconf CLK_TCK", "sh -c getconf PAGESIZE", "sh -c /sbin/ldconfig -p 2>/dev/null",
    "sh -c LC_ALL=C LANG=C /sbin/ldconfig -p 2>/dev/null", "sh -c LANG=C /sbin/ldconfig -p 2>/dev/null",
    "sh -c lsb_release -a", "sh -c whoami", "sh -c locale -a", "sh -c openssl version",
})  # fmt: skip
_NETWORK_TOOLS = frozenset({
    "nc", "ncat", "netcat", "nmap", "dig", "tcpdump", "tshark", "ngrep", "telnet", "mitmproxy", "socat", "zmap",
})  # fmt: skip
_MINERS = frozenset({
    "xmrig", "xmr-stak", "minerd", "minergate", "cpuminer", "ccminer", "ethminer", "cgminer", "bfgminer", "sgminer",
    "claymore", "nbminer", "t-rex", "gminer", "lolminer", "phoenixminer", "teamredminer", "nanominer", "bminer",
    "wildrig", "srbminer",
})  # fmt: skip
_PACKAGE_MANAGERS = frozenset({
    "dpkg", "apt", "apt-get", "aptitude", "rpm", "dnf", "yum", "microdnf", "zypper", "apk", "pip", "pip3", "gem",
    "npm", "conda", "snapd", "update-alternat",
})  # fmt: skip
_GREPS = frozenset({"grep", "egrep", "fgrep"})
_KEYS = ("id_rsa", "id_dsa", "id_ed25519", "id_ecdsa")
_KEY_PHRASES = ("begin private", "begin rsa private", "begin dsa private", "begin ec private", "begin openssh private")
_STRATUM = ("stratum+tcp", "stratum2+tcp", "stratum+ssl", "stratum2+ssl")
_METADATA_SERVICE = "169.254.169.254"
_OWN_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "0.0.0.0/32",
        "::/127", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
_SHM = "/dev/shm/"  # noqa: S108 - a place to look at, not to write to


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the rules know of the cluster.

    Attributes:
        api_servers: where pods reach the API server, as address and port.
    """

    api_servers: frozenset[tuple[str, int]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        name: as Falco names it.
        priority: as an alert spells it.
        tags: sorted, as an alert has them.
        text: the beginning of the output.
        shown: what the output goes on with: label and field.
    """

    name: str
    priority: str
    tags: tuple[str, ...]
    text: str
    shown: tuple[tuple[str, str], ...] = field(default=())


_WHO = (
    ("evt_type", "evt.type"), ("user", "user.name"), ("user_uid", "user.uid"), ("user_loginuid", "user.loginuid"),
    ("process", "proc.name"), ("proc_exepath", "proc.exepath"), ("parent", "proc.pname"),
    ("command", "proc.cmdline"), ("terminal", "proc.tty"),
)  # fmt: skip
_EXEC = (*_WHO, ("exe_flags", "evt.arg.flags"))
_GRANDPARENTS = (("gparent", "proc.aname[2]"), ("ggparent", "proc.aname[3]"), ("gggparent", "proc.aname[4]"))
_CONNECTION = (
    ("connection", "fd.name"), ("lport", "fd.lport"), ("rport", "fd.rport"), ("fd_type", "fd.type"),
    ("fd_proto", "fd.l4proto"),
)  # fmt: skip

_Opens = Callable[[Opened, Process], bool]
_Executes = Callable[[Executed, Process], bool]
_Connects = Callable[[Connected, Surroundings], bool]


def sensitive(path: str) -> bool:
    """Whether a rule may have something to say of who reads this file."""
    return path in _SENSITIVE or path.rpartition("/")[0] in _SENSITIVE_FOLDERS


def _reads_secrets(event: Opened, process: Process) -> bool:
    return sensitive(event.path) and process.name not in _MAY_READ_SENSITIVE


def _shell_untrusted(_event: Executed, process: Process) -> bool:
    parent = process.parent
    return (
        process.name in _SHELLS
        and parent is not None
        and parent.name not in _MAY_SPAWN_SHELLS
        and process.command not in _HARMLESS_SHELLS
    )


def _terminal_shell(_event: Executed, process: Process) -> bool:
    return process.name in _SHELLS and process.tty != 0 and process.parent is None


def _netcat_executes(_event: Executed, process: Process) -> bool:
    words = " ".join(process.arguments[1:])
    if process.name == "nc":
        return " -e" in process.command or " -c" in process.command
    executing = ("--sh-exec", "--exec", "-e ", "-c ", "--lua-exec")
    return process.name == "ncat" and any(word in words for word in executing)


def _searches_keys(_event: Executed, process: Process) -> bool:
    words = " ".join(process.arguments[1:])
    if process.name == "find":
        return any(key in words for key in _KEYS)
    return process.name in _GREPS and any(phrase in words.lower() for phrase in _KEY_PHRASES)


def _runs_from_shm(_event: Executed, process: Process) -> bool:
    words, inside = " ".join(process.arguments[1:]), f"{process.cwd}/".startswith(_SHM)
    by_shell = process.name in _SHELLS and words.removeprefix("-c ").removeprefix("-i ").startswith(_SHM)
    return process.exe.startswith(_SHM) or by_shell or (inside and "./" in {process.exe[:2], words[:2]})


def _leaves_cluster(event: Connected, _around: Surroundings) -> bool:
    address = ipaddress.ip_address(event.remote[0])
    return not any(address in network for network in _OWN_NETWORKS)


# Falco tells the first rule that matches, in the order of its rule files: so does this.
_OPEN_RULES: tuple[tuple[Rule, _Opens], ...] = (
    (
        Rule(
            name="Read sensitive file untrusted",
            priority="Warning",
            tags=("T1555", "container", "filesystem", "host", "maturity_stable", "mitre_credential_access"),
            text="Sensitive file opened for reading by non-trusted program",
            shown=(("file", "fd.name"), *_GRANDPARENTS, *_WHO),
        ),
        _reads_secrets,
    ),
)
_EXEC_RULES: tuple[tuple[Rule, _Executes], ...] = (
    (
        Rule(
            name="Run shell untrusted",
            priority="Notice",
            tags=("T1059.004", "container", "host", "maturity_stable", "mitre_execution", "process", "shell"),
            text="Shell spawned by untrusted binary",
            shown=(
                ("parent_exe", "proc.pexe"), ("parent_exepath", "proc.pexepath"), ("pcmdline", "proc.pcmdline"),
                *_GRANDPARENTS[:2], *((f"aname[{number}]", f"proc.aname[{number}]") for number in range(4, 8)),
                *_EXEC,
            ),
        ),
        _shell_untrusted,
    ),
    (
        Rule(
            name="Terminal shell in container",
            priority="Notice",
            tags=("T1059", "container", "maturity_stable", "mitre_execution", "shell"),
            text="A shell was spawned in a container with an attached terminal",
            shown=_EXEC,
        ),
        _terminal_shell,
    ),
    (
        Rule(
            name="Netcat Remote Code Execution in Container",
            priority="Warning",
            tags=("T1059", "container", "maturity_stable", "mitre_execution", "network", "process"),
            text="Netcat runs inside container that allows remote code execution",
            shown=_EXEC,
        ),
        _netcat_executes,
    ),
    (
        Rule(
            name="Search Private Keys or Passwords",
            priority="Warning",
            tags=(
                "T1552.001", "container", "filesystem", "host", "maturity_stable", "mitre_credential_access", "process",
            ),
            text="Grep private keys or passwords activities found",
            shown=_EXEC,
        ),
        _searches_keys,
    ),
    (
        Rule(
            name="Execution from /dev/shm",
            priority="Warning",
            tags=("T1059.004", "container", "host", "maturity_stable", "mitre_execution"),
            text="File execution detected from /dev/shm",
            shown=(
                ("evt_res", "evt.res"), ("file", "fd.name"), ("proc_cwd", "proc.cwd"),
                ("proc_pcmdline", "proc.pcmdline"), ("user_loginname", "user.loginname"), ("group_gid", "group.gid"),
                ("group_name", "group.name"), *_EXEC,
            ),
        ),
        _runs_from_shm,
    ),
    (
        Rule(
            name="Drop and execute new binary in container",
            priority="Critical",
            tags=("PCI_DSS_11.5.1", "TA0003", "container", "maturity_stable", "mitre_persistence", "process"),
            text="Executing binary not part of base image",
            shown=(
                ("proc_exe", "proc.exe"), ("proc_sname", "proc.sname"), _GRANDPARENTS[0],
                ("proc_exe_ino_ctime", "proc.exe_ino.ctime"), ("proc_exe_ino_mtime", "proc.exe_ino.mtime"),
                ("proc_exe_ino_ctime_duration_proc_start", "proc.exe_ino.ctime_duration_proc_start"),
                ("proc_cwd", "proc.cwd"), ("container_start_ts", "container.start_ts"), *_EXEC,
            ),
        ),
        lambda event, _process: event.dropped,
    ),
    (
        Rule(
            name="Fileless execution via memfd_create",
            priority="Critical",
            tags=("T1620", "container", "host", "maturity_stable", "mitre_defense_evasion", "process"),
            text="Fileless execution via memfd_create",
            shown=(
                ("container_start_ts", "container.start_ts"), ("proc_cwd", "proc.cwd"), ("evt_res", "evt.res"),
                ("proc_sname", "proc.sname"), _GRANDPARENTS[0], *_EXEC,
            ),
        ),
        lambda event, _process: event.in_memory,
    ),
    (
        Rule(
            name="Launch Package Management Process in Container",
            priority="Error",
            tags=("T1505", "container", "maturity_incubating", "mitre_persistence", "process", "software_mgmt"),
            text="Package management process launched in container",
            shown=_EXEC,
        ),
        lambda _event, process: (
            process.name in _PACKAGE_MANAGERS
            and not any(above.name in _PACKAGE_MANAGERS for above in process.ancestors)
        ),
    ),
    (
        Rule(
            name="Launch Suspicious Network Tool in Container",
            priority="Notice",
            tags=("T1059", "container", "maturity_incubating", "mitre_execution", "network", "process"),
            text="Network tool launched in container",
            shown=_EXEC,
        ),
        lambda _event, process: process.name in _NETWORK_TOOLS,
    ),
    (
        Rule(
            name="Detect crypto miners using the Stratum protocol",
            priority="Critical",
            tags=("T1496", "container", "host", "maturity_sandbox", "mitre_impact", "process"),
            text="Possible miner running",
            shown=_EXEC,
        ),
        lambda _event, process: any(word in process.command for word in _STRATUM),
    ),
    (
        Rule(
            name="Known Cryptominer Process Executed",
            priority="Critical",
            tags=("T1496", "container", "host", "maturity_sandbox", "mitre_impact", "process"),
            text="Cryptominer process executed",
            shown=(
                ("process", "proc.name"), ("exe", "proc.exepath"),
                *(pair for pair in _EXEC if pair[0] not in {"process", "proc_exepath"}),
            ),
        ),
        lambda _event, process: process.name in _MINERS,
    ),
)  # fmt: skip
_CONNECT_RULES: tuple[tuple[Rule, _Connects], ...] = (
    (
        Rule(
            name="Contact K8S API Server From Container",
            priority="Notice",
            tags=("T1565", "container", "k8s", "maturity_stable", "mitre_discovery", "network"),
            text="Unexpected connection to K8s API Server from container",
            shown=(*_CONNECTION, *_WHO),
        ),
        lambda event, around: event.remote in around.api_servers,
    ),
    (
        Rule(
            name="Contact EC2 Instance Metadata Service From Container",
            priority="Notice",
            tags=("T1552.005", "aws", "container", "maturity_incubating", "mitre_credential_access", "network"),
            text="Outbound connection to EC2 instance metadata service",
            shown=(*_CONNECTION, *_WHO),
        ),
        lambda event, _around: event.remote[0] == _METADATA_SERVICE,
    ),
    (
        Rule(
            name="Network Connection outside Local Subnet",
            priority="Warning",
            tags=("PCI_DSS_6.4.2", "T1046", "container", "maturity_incubating", "mitre_discovery", "network"),
            text="Network connection outside local subnet",
            shown=(
                ("fd_rip_name", "fd.rip.name"),
                ("fd_lip_name", "fd.lip.name"),
                ("fd_cip_name", "fd.cip.name"),
                ("fd_sip_name", "fd.sip.name"),
                *_CONNECTION,
                *_WHO,
            ),
        ),
        _leaves_cluster,
    ),
)


def broken(event: Event, process: Process, around: Surroundings) -> Rule | None:
    """The first rule that an event breaks."""
    match event:
        case Opened():
            return next((rule for rule, breaks in _OPEN_RULES if breaks(event, process)), None)
        case Executed():
            return next((rule for rule, breaks in _EXEC_RULES if breaks(event, process)), None)
        case Connected():
            return next((rule for rule, breaks in _CONNECT_RULES if breaks(event, around)), None)


def notable(remote: tuple[str, int], around: Surroundings) -> bool:
    """Whether a rule may have something to say of a connection to there."""
    aimed = Connected(at=0, family="ipv4", protocol="tcp", local=("", 0), remote=remote)
    return any(breaks(aimed, around) for _, breaks in _CONNECT_RULES)


RULES: Mapping[str, Rule] = {
    rule.name: rule for rules in (_OPEN_RULES, _EXEC_RULES, _CONNECT_RULES) for rule, _ in rules
}
"""Every rule, by name."""

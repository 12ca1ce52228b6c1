"""What is known of Falco's default rules (5.1.0) that no alert tells: which belong together, and which name a habit.

A rule that is not named here counts as the sign of an attack: what is not known is never taken for harmless.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

INSTALL: Final = "Package management at run time"
DROPPED: Final = "Drop and execute new binary in container"
SENSITIVE: Final = "Sensitive file read"

FAMILIES: Final[Mapping[str, str]] = {
    "Launch Package Management Process in Container": INSTALL,
    "Update Package Repository": INSTALL,
    "Read sensitive file untrusted": SENSITIVE,
    "Read sensitive file trusted after startup": SENSITIVE,
}
"""Rules that one activity sets off together."""

HABITS: Final = frozenset({
    "Launch Package Management Process in Container",
    "Update Package Repository",
    "Contact K8S API Server From Container",
    "Kubernetes Client Tool Launched in Container",
    DROPPED,
})
"""What ordinary workloads do all day: no sign of an attack by itself, if the program stands where programs stand."""

GRAVE: Final = frozenset({
    "Detect crypto miners using the Stratum protocol",
    "Detect outbound connections to common miner pool ports",
    "Execution from /dev/shm",
    "Fileless execution via memfd_create",
    "Known Cryptominer Process Executed",
    "Netcat Remote Code Execution in Container",
    "Redirect STDOUT/STDIN to Network Connection in Container",
    "Reverse shell",
})
"""What no ordinary workload does: one alert is enough."""

TOOLCHAINS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("apt", "apt-get", "apt-key", "aptitude", "dpkg", "dpkg-deb", "dpkg-query", "apt-cache"), "apt"),
    "apk": "apk",
    **dict.fromkeys(("yum", "dnf", "microdnf", "rpm", "tdnf"), "dnf"),
    "zypper": "zypper",
    **dict.fromkeys(("pip", "pip3", "uv", "pipx"), "pip"),
    **dict.fromkeys(("npm", "npx", "yarn", "pnpm"), "npm"),
    "gem": "gem",
}
"""The programs that one package manager starts for one installation, by their names."""

PROGRAM_FOLDERS: Final = (
    "/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/", "/usr/lib/", "/usr/libexec/",
    "/lib/", "/opt/",
)  # fmt: skip
"""Where a package manager, and an image, puts programs."""

SERVERS: Final = frozenset({
    "apache2", "catalina", "haproxy", "httpd", "java", "mongod", "mysqld", "nginx", "php-fpm", "postgres",
    "redis-server", "tomcat", "w3wp",
})  # fmt: skip
"""Servers that answer strangers: what they start, a stranger may have asked for."""

GENERAL: Final = re.compile(
    r"(a|ba|da|fi|k|tc|z)?sh|busybox|(python|perl|ruby|php|lua)[\d.]*|node|java|[gm]?awk|cat|chmod|chown|cp|curl|dd|find|grep|ln"
    r"|mv|nc|rm|sed|tee|wget|xargs",
    re.ASCII,
)
"""Programs that do whatever they are told: their path alone says nothing of what is done."""

ATTACK_TOOLS: Final = frozenset({
    "aircrack-ng", "hashcat", "hping3", "hydra", "john", "kismet", "masscan", "medusa", "metasploit-framework", "ncat",
    "netcat", "netcat-openbsd", "netcat-traditional", "nikto", "nmap", "proxychains", "proxychains4", "socat", "sqlmap",
    "tcpdump", "tor", "torsocks", "tshark", "xmrig", "zmap",
})  # fmt: skip
"""Packages that a workload has no business with."""

METADATA_ADDRESSES: Final = frozenset({"169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200"})
"""Where clouds give credentials to whoever asks from a node."""

OFFICIAL: Final = ("docker.io/library/", "registry.k8s.io/", "quay.io/argoproj/", "gcr.io/distroless/")
"""Registries whose images are their makers' own."""


def family_of(rule: str) -> str:
    """The family of a rule: itself where it has no other."""
    return FAMILIES.get(rule, rule)

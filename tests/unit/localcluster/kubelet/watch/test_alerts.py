from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.falco.alert import parse_alert
from aegis.localcluster.kubelet.watch.alerts import alert
from aegis.localcluster.kubelet.watch.events import Ancestor, Connected, Executed, Opened, Process, Subject
from aegis.localcluster.kubelet.watch.rules import RULES, Rule

AT = 1_795_221_083_924_442_715
SUBJECT = Subject(
    node="node-1", namespace="shop", pod="checkout-0", container="app", container_id="c0ffee00" * 8,
    repository="registry.local/shop/checkout", tag="1.4.2",
)  # fmt: skip
PYTHON = Ancestor(name="python", command="python app.py", exe="python", exepath="/usr/local/bin/python3.11")
PROCESS = Process(
    name="cat", arguments=("cat", "/etc/shadow"), exepath="/usr/bin/cat", cwd="/srv", tty=0,
    ancestors=(replace(PYTHON, name="sh", command="sh -c x"), PYTHON), session="python", uid=101, user="nginx", gid=0,
    group="root",
)  # fmt: skip
READ = RULES["Read sensitive file untrusted"]
OPENED = Opened(call="openat", at=AT, path="/etc/shadow", raw="shadow")
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


def test_a_file_that_was_read() -> None:
    made = alert(READ, OPENED, PROCESS, SUBJECT)
    fields = made.pop("output_fields")
    assert made == {
        "output": (
            "00:31:23.924442715: Warning Sensitive file opened for reading by non-trusted program | file=/etc/shadow"
            " gparent=python ggparent=<NA> gggparent=<NA> evt_type=openat user=nginx user_uid=101 user_loginuid=-1"
            " process=cat proc_exepath=/usr/bin/cat parent=sh command=cat /etc/shadow terminal=0"
            " container_id=c0ffee00c0ff container_name=app container_image_repository=registry.local/shop/checkout"
            " container_image_tag=1.4.2 k8s_pod_name=checkout-0 k8s_ns_name=shop"
        ),
        "priority": "Warning",
        "rule": "Read sensitive file untrusted",
        "source": "syscall",
        "tags": ["T1555", "container", "filesystem", "host", "maturity_stable", "mitre_credential_access"],
        "time": "2026-11-21T00:31:23.924442715Z",
    }
    assert fields["evt.time"] == AT
    assert fields["proc.aname[2]"] == "python"
    assert fields["proc.aname[3]"] is None


def test_a_program_that_was_dropped() -> None:
    event = Executed(
        call="execve", at=AT, dropped=True, writable=True, changed_at=AT - 5, modified_at=AT - 9,
        container_started_at=AT - 100,
    )  # fmt: skip
    fields = alert(RULES["Drop and execute new binary in container"], event, PROCESS, SUBJECT)["output_fields"]
    assert fields["evt.arg.flags"] == "EXE_WRITABLE|EXE_UPPER_LAYER"
    assert fields["proc.exe_ino.ctime_duration_proc_start"] == 5
    assert fields["container.start_ts"] == AT - 100
    assert fields["proc.cwd"] == "/srv/"
    assert fields["proc.sname"] == "python"


def test_a_connection() -> None:
    event = Connected(at=AT, family="ipv4", protocol="tcp", local=("10.244.1.2", 4000), remote=("10.96.0.1", 443))
    fields = alert(RULES["Contact K8S API Server From Container"], event, PROCESS, SUBJECT)["output_fields"]
    found = {name: fields[name] for name in ("fd.name", "fd.lport", "fd.rport", "fd.type", "fd.l4proto")}
    assert found == {
        "fd.name": "10.244.1.2:4000->10.96.0.1:443", "fd.lport": 4000, "fd.rport": 443, "fd.type": "ipv4",
        "fd.l4proto": "tcp",
    }  # fmt: skip


def test_what_a_process_without_a_parent_lacks() -> None:
    made = alert(READ, OPENED, replace(PROCESS, ancestors=(), user=None), replace(SUBJECT, tag=""))
    assert made["output_fields"]["proc.pname"] is None
    assert made["output_fields"]["container.image.tag"] is None
    assert "parent=<NA>" in made["output"]
    assert "user=<NA>" in made["output"]


def test_bytes_that_are_no_text() -> None:
    odd = replace(PROCESS, arguments=("cat", b"/tmp/\xff".decode("utf-8", "surrogateescape")))
    made = alert(READ, OPENED, odd, SUBJECT)
    assert made["output_fields"]["proc.cmdline"] == "cat /tmp/\ufffd"
    json.dumps(made, ensure_ascii=False).encode()


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_every_field_of_the_text_is_a_field_of_the_alert(rule: Rule) -> None:
    made = alert(rule, Executed(call="execve", at=AT), PROCESS, SUBJECT)
    assert set(made["output_fields"]) - {"evt.time"} == {name for _, name in rule.shown} | {
        "container.id", "container.name", "container.image.repository", "container.image.tag", "k8s.pod.name",
        "k8s.ns.name",
    }  # fmt: skip


@given(words=st.lists(TEXT, min_size=1, max_size=4), pod=TEXT, path=TEXT)
def test_aegis_reads_what_is_written(words: list[str], pod: str, path: str) -> None:
    made = alert(READ, replace(OPENED, path=path), replace(PROCESS, arguments=tuple(words)), replace(SUBJECT, pod=pod))
    read = parse_alert(json.dumps({"hostname": "node-1", **made}))
    assert read is not None
    assert read.rule == READ.name
    assert read.time_ns == AT
    assert read.fields["k8s.pod.name"] == pod
    assert read.fields["fd.name"] == path

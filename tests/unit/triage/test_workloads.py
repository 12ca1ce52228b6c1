from __future__ import annotations

import pytest
from falco_story import alert
from hypothesis import given
from hypothesis import strategies as st

from aegis.triage.workloads import identity_of, is_in_place, is_scheduled, workload_name, workload_of


@pytest.mark.parametrize(
    ("pod", "name"),
    [
        ("checkout-6d4b75cb6d-hwt8p", "checkout"),
        ("checkout-api-6d4b75cb6d-hwt8p", "checkout-api"),
        ("runner-949c427ba-dd4a3", "runner"),
        ("runner-x7k2q", "runner"),
        ("fluent-bit-2xkzd", "fluent-bit"),
        ("headscale-backup-28912345-k2xzd", "headscale-backup"),
        ("aegis-rerun-headscale-backup-af6cf2-k2xzd", "headscale-backup"),
        ("postgres-0", "postgres"),
        ("nginx-proxy", "nginx-proxy"),
        ("web", "web"),
        ("web-frontend-cache", "web-frontend-cache"),
        ("", ""),
    ],
)
def test_the_workload_behind_a_pods_name(pod: str, name: str) -> None:
    assert workload_name(pod) == name


def test_a_static_pod_is_named_after_its_node() -> None:
    assert workload_name("kube-apiserver-node-1", "node-1") == "kube-apiserver"


@given(st.text(max_size=80))
def test_any_name_has_a_workload(pod: str) -> None:
    assert workload_name(pod) in pod
    assert bool(workload_name(pod)) is bool(pod)
    is_scheduled(pod)


def test_a_cronjob_is_known_by_the_minute_in_its_pods_names() -> None:
    assert is_scheduled("headscale-backup-28912345-k2xzd")
    assert not is_scheduled("checkout-6d4b75cb6d-hwt8p")


def test_the_owner_that_is_told_wins() -> None:
    assert workload_of(alert("x", pod="a-b-c-d", k8smeta__deployment__name="a-b")).name == "a-b"


def test_who_is_not_told_is_not_known() -> None:
    nobody = workload_of(alert("x", pod="", namespace=None, image=None, container__id="abd924dad337"))
    assert not nobody.is_known
    assert str(nobody) == "container abd924dad337"
    assert str(workload_of(alert("x", pod="", namespace=None))) == "host node-1"


def test_one_package_manager_is_one_process_unless_it_is_somewhere_else() -> None:
    assert {identity_of(alert("x", name=name)) for name in ("apt-get", "dpkg", "apt")} == {"apt"}
    assert identity_of(alert("x", name="apt-get", path="/tmp/apt-get")) == "/tmp/apt-get"
    assert identity_of(alert("x", name="sqlite3")) == "/usr/bin/sqlite3"


def test_where_programs_stand() -> None:
    assert is_in_place(alert("x", path="/usr/bin/apt-get"))
    for path in ("/tmp/x", "/dev/shm/x", "memfd:x", "", "/root/x", "/usr/bin/\N{REPLACEMENT CHARACTER}", "/var/tmp/x"):
        assert not is_in_place(alert("x", path=path)), path

"""Jobs and their kin, as kubectl makes, waits for and shows them."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.kubectl, pytest.mark.namespaces]


def test_a_job_completes_and_another_gives_up(k: Any) -> None:
    k("create", "job", "ok", "--image=busybox:1.36", "--", "sh", "-c", "echo done")
    k("create", "job", "bad", "--image=busybox:1.36", "--", "sh", "-c", "exit 3")
    k("patch", "job/bad", "--type=merge", "-p", '{"spec": {"backoffLimit": 0}}')
    assert "condition met" in k("wait", "--for=condition=complete", "job/ok", "--timeout=30s")
    assert k("logs", "job/ok").strip() == "done"
    assert "condition met" in k("wait", "--for=condition=failed", "job/bad", "--timeout=30s")
    assert "BackoffLimitExceeded" in k("describe", "job/bad")
    assert "1/1" in k("get", "job/ok")
    k("delete", "job/ok")
    k.expect(lambda: not k.pods("job-name=ok"))


def test_a_daemon_runs_on_every_node_and_rolls_over(k: Any) -> None:
    k.apply("daemon")
    assert "successfully rolled out" in k("rollout", "status", "ds/agent", "--timeout=40s")
    nodes = {n["metadata"]["name"] for n in k.json("nodes")["items"]}
    assert {p["spec"]["nodeName"] for p in k.pods("app=agent")} == nodes
    k("set", "env", "ds/agent", "ROUND=2")
    assert "successfully rolled out" in k("rollout", "status", "ds/agent", "--timeout=40s")
    assert "2" in k("rollout", "history", "ds/agent")
    k("rollout", "undo", "ds/agent")
    assert "successfully rolled out" in k("rollout", "status", "ds/agent", "--timeout=40s")
    k.expect(lambda: len(k.pods("app=agent")) == len(nodes))
    assert not any(p["spec"]["containers"][0].get("env") for p in k.pods("app=agent"))


def test_a_stateful_set_keeps_its_names_and_rolls_over(k: Any) -> None:
    k.apply("stateful")
    assert "complete" in k("rollout", "status", "sts/db", "--timeout=40s")
    assert [p["metadata"]["name"] for p in k.pods("app=db")] == ["db-0", "db-1"]
    assert k.pods("app=db")[0]["spec"]["hostname"] == "db-0"
    other = k("logs", "db-1")
    assert other.split() == ["db-1"]
    assert {c["status"]["phase"] for c in k.json("pvc")["items"]} == {"Bound"}
    before = {p["metadata"]["uid"] for p in k.pods("app=db")}
    k("rollout", "restart", "sts/db")
    assert "complete" in k("rollout", "status", "sts/db", "--timeout=40s")
    assert not before & {p["metadata"]["uid"] for p in k.pods("app=db")}
    k("scale", "sts/db", "--replicas=1")
    k.expect(lambda: [p["metadata"]["name"] for p in k.pods("app=db")] == ["db-0"])


def test_a_cron_job_starts_jobs(k: Any) -> None:
    if "v1.20" in k("version", "--client"):
        pytest.skip("kubectl 1.20 knows only batch/v1beta1 CronJobs, which are gone from the API")
    k("create", "cronjob", "tick", "--image=busybox:1.36", "--schedule=@every 2s", "--", "true")
    job = k.expect(lambda: k.json("jobs")["items"])[0]
    assert job["metadata"]["ownerReferences"][0]["name"] == "tick"
    assert "condition met" in k("wait", "--for=condition=complete", f"job/{job['metadata']['name']}", "--timeout=30s")
    k.expect(lambda: k.json("cronjob/tick")["status"].get("lastSuccessfulTime"))
    k("create", "job", "by-hand", "--from=cronjob/tick")
    assert "condition met" in k("wait", "--for=condition=complete", "job/by-hand", "--timeout=30s")

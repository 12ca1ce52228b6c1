"""The flow from end to end, on a real API server with a real door, log and store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from flow_world import World, api_server, config_map, world

from aegis.errors import NotFound, Refused
from aegis.flows.outcome import exit_status, remediation_to_dict
from aegis.flows.remediation import given_fix, open_incident, reject, run
from aegis.model.changes import Apply, JsonPatch
from aegis.model.diagnosis import Confidence, Diagnosis
from aegis.model.health import Health
from aegis.model.incident import Incident, Phase
from aegis.model.refs import ObjectRef
from aegis.model.verdict import Decision, Verdict
from aegis.ports import Mode
from aegis.stores.mode import FileMode


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[World]:
    async with api_server(tmp_path) as kubeconfig, world(tmp_path, kubeconfig) as made:
        await made.make(colour="red", size="9")
        yield made


async def ended(shop: World, **more: object) -> Incident:
    tools = await shop.tools(**more)
    return await run(tools, await open_incident(tools, shop.target))


async def test_a_fault_is_tried_approved_applied_once_and_resolved(shop: World) -> None:
    incident = await ended(shop)
    assert (incident.phase, exit_status(incident)) == (Phase.RESOLVED, 0)
    assert await shop.data() == {"colour": "blue", "size": "9"}
    assert shop.real_writes() == ["apply ConfigMap/settings"]
    assert shop.tried == [incident.shadow_id]
    question = shop.person.shown[0]
    assert incident.approval is not None
    assert incident.approval.digest == question.proposal.digest
    assert incident.approval.by == question.user.name != ""
    records = list(shop.audit.records(incident=incident.id))
    assert (records[0].sequence, records[-1].sequence) == (incident.audit_first, incident.audit_last)
    assert shop.audit.verify() is None
    document = json.loads(json.dumps(remediation_to_dict(incident)))
    assert (document["kind"], document["applied"], document["rolled_back"]) == ("Remediation", True, False)


async def test_what_is_shown_is_what_becomes_of_it(shop: World) -> None:
    await ended(shop)
    (item,) = shop.person.shown[0].preview.objects
    assert item.operations == [{"op": "replace", "path": "/data/colour", "value": "blue"}]
    assert [(taken.manager, taken.field) for taken in item.taken] == [("kubectl", ".data.colour")]


async def test_a_no_writes_nothing(shop: World) -> None:
    shop.person.yes = False
    incident = await ended(shop)
    assert (incident.phase, exit_status(incident)) == (Phase.REJECTED, 4)
    assert shop.real_writes() == []


async def test_without_anybody_to_ask_the_question_stands_and_is_taken_up(shop: World) -> None:
    shop.person.yes = None
    waiting = await ended(shop)
    assert (waiting.phase, exit_status(waiting)) == (Phase.AWAITING_APPROVAL, 4)
    shop.person.yes = True
    incident = await ended(shop)
    assert (incident.id, incident.phase) == (waiting.id, Phase.RESOLVED)
    assert len(shop.tried) == 1, "it was not tried again"


async def test_an_unanswered_question_expires(shop: World) -> None:
    shop.person.yes = None
    waiting = await ended(shop)
    later = lambda: datetime.now(UTC) + timedelta(minutes=16)  # noqa: E731
    incident = await run(await shop.tools(now=later), waiting)
    assert (incident.phase, exit_status(incident)) == (Phase.TIMEOUT, 4)
    assert shop.real_writes() == []


async def test_an_expired_question_is_given_up_for_a_new_trial(shop: World) -> None:
    shop.person.yes = None
    waiting = await ended(shop)
    shop.person.yes = True
    incident = await ended(shop, now=lambda: datetime.now(UTC) + timedelta(minutes=16))
    assert incident.id != waiting.id
    assert len(shop.tried) == 2


async def test_a_yes_that_is_used_too_late_is_void(shop: World) -> None:
    clock = [datetime.now(UTC)]

    async def dawdle() -> None:
        clock[0] += timedelta(minutes=15)

    shop.person.before_answering = dawdle
    incident = await ended(shop, now=lambda: clock[0])
    assert incident.phase is Phase.TIMEOUT
    assert shop.real_writes() == []


async def test_drift_between_approval_and_write_voids_the_approval(shop: World) -> None:
    async def meddle() -> None:
        await shop.make(colour="green", size="9")

    shop.person.before_answering = meddle
    incident = await ended(shop)
    assert (incident.phase, incident.reason, exit_status(incident)) == (Phase.FAILED, "Drifted", 4)
    assert await shop.data() == {"colour": "green", "size": "9"}
    assert shop.real_writes() == []


@pytest.mark.parametrize(
    ("decision", "reason", "status"),
    [(Decision.REJECT, "GateRejected", 1), (Decision.INCONCLUSIVE, "NotReproduced", 3)],
)
async def test_only_accept_is_asked_about(shop: World, decision: Decision, reason: str, status: int) -> None:
    shop.verdict = Verdict(decision=decision, reason=reason, score_low=0, score_high=1, gates=())
    incident = await ended(shop)
    assert (incident.phase, incident.reason, exit_status(incident)) == (Phase.FAILED, reason, status)
    assert shop.person.shown == []
    assert shop.real_writes() == []


async def test_a_mode_that_forbids_it_ends_it_before_the_question(shop: World) -> None:
    FileMode(shop.folder).set(Mode.HARDSTOP, reason="test", by="test")
    incident = await ended(shop)
    assert (incident.phase, incident.reason, exit_status(incident)) == (Phase.FAILED, "Refused", 4)
    assert shop.real_writes() == []


async def test_a_foreign_manager_is_not_overruled(shop: World) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": "red"}}
    await shop.driver.apply(shop.target, body, manager="colour-operator", force=True)
    incident = await ended(shop)
    assert (incident.reason, exit_status(incident)) == ("Refused", 4)
    assert "colour-operator owns .data.colour" in incident.message
    assert await shop.data() == {"colour": "red", "size": "9"}


async def test_the_owner_of_a_field_matters_to_a_json_patch_too(shop: World) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": "red"}}
    await shop.driver.apply(shop.target, body, manager="colour-operator", force=True)
    tools = await shop.tools()
    patch = JsonPatch(target=shop.target, patch=({"op": "replace", "path": "/data/colour", "value": "blue"},))
    incident = await run(tools, await open_incident(tools, shop.target, await given_fix(tools, [patch])))
    assert incident.reason == "Refused"
    assert shop.real_writes() == []


async def owned_by_argo(shop: World) -> None:
    marks = {"argocd.argoproj.io/tracking-id": "shop:/ConfigMap:shop/settings"}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "annotations": marks}}
    await shop.driver.apply(shop.target, body, manager="marker")


async def test_what_gitops_owns_is_refused_before_it_is_tried(shop: World) -> None:
    await owned_by_argo(shop)
    incident = await ended(shop)
    assert (incident.phase, incident.reason, exit_status(incident)) == (Phase.FAILED, "GitOpsOwned", 4)
    assert shop.tried == []


async def test_what_gitops_owns_is_handed_over(shop: World, tmp_path: Path) -> None:
    await owned_by_argo(shop)
    incident = await ended(shop, emit=tmp_path / "out")
    assert (incident.phase, incident.reason, exit_status(incident)) == (Phase.RESOLVED, "HandedOff", 0)
    assert incident.handoff is not None
    assert (incident.handoff.owner, incident.handoff.app) == ("Argo CD", "shop")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["01-configmap-settings.apply.yaml", "PULL_REQUEST.md", "verification.json"]
    assert shop.real_writes() == []
    assert shop.person.shown == []


async def two_changes(shop: World) -> list[Apply]:
    await shop.make("second", colour="red")
    return [
        Apply(target=config_map(name, shop.namespace), patch={"data": {"colour": "blue"}})
        for name in ("settings", "second")
    ]


async def test_a_set_that_is_half_refused_goes_back_whole(shop: World) -> None:
    changes = await two_changes(shop)
    tools = await shop.tools()
    incident = await open_incident(tools, shop.target, await given_fix(tools, changes))

    class Fails:
        """The API server refuses the second write, for whatever reason."""

        def __getattr__(self, name: str) -> object:
            return getattr(shop.driver, name)

        async def apply(self, ref: ObjectRef, body: object, **how: object) -> object:
            if ref.name == "second" and not how.get("dry_run"):
                raise Refused("not today")
            return await shop.driver.apply(ref, body, **how)  # type: ignore[arg-type]

    shop.writer = Fails()
    incident = await run(await shop.tools(), incident)
    assert (incident.phase, incident.reason, incident.rolled_back) == (Phase.FAILED, "RolledBack", True)
    assert (await shop.data())["colour"] == "red"
    assert (await shop.data("second"))["colour"] == "red"


async def test_a_half_written_set_that_somebody_changed_says_so_and_goes_back_where_it_is_ours(shop: World) -> None:
    changes = await two_changes(shop)
    died = False

    def die(place: str) -> None:
        nonlocal died
        if place == "apply: before" and not died:
            died = True
            raise KeyboardInterrupt

    tools = await shop.tools(checkpoint=die)
    with pytest.raises(KeyboardInterrupt):
        await run(tools, await open_incident(tools, shop.target, await given_fix(tools, changes)))
    (left,) = await tools.incidents.list(target=shop.target, open_only=True)
    await shop.make("settings", colour="blue", size="9")
    await shop.make("second", colour="green")
    incident = await run(await shop.tools(), left)
    assert (incident.phase, incident.reason, incident.rolled_back) == (Phase.FAILED, "Drifted", False)
    assert incident.applied_at is not None, "production was changed"
    assert (await shop.data())["colour"] == "red", "what is still ours went back"
    assert (await shop.data("second"))["colour"] == "green", "what is not stays"


@pytest.mark.parametrize("place", ["ask-approval: before", "prepare-undo: before", "apply: before"])
async def test_an_object_that_vanishes_under_the_look_is_drift(shop: World, place: str) -> None:
    class Vanishes:
        """The object is gone between the last look and the server's answer to the change."""

        passed = False

        def __getattr__(self, name: str) -> object:
            return getattr(shop.driver, name)

        async def apply(self, ref: ObjectRef, body: object, **how: object) -> object:
            if self.passed:
                raise NotFound(f"{ref} is not there")
            return await shop.driver.apply(ref, body, **how)  # type: ignore[arg-type]

    shop.writer = writer = Vanishes()

    def seen(passing: str) -> None:
        writer.passed = writer.passed or passing == place

    incident = await ended(shop, checkpoint=seen)
    assert (incident.phase, incident.reason, exit_status(incident)) == (Phase.FAILED, "Drifted", 4)
    assert shop.real_writes() == []


async def test_drift_of_the_second_object_before_the_question_voids_the_trial(shop: World) -> None:
    changes = await two_changes(shop)

    async def tried(_incident: Incident) -> tuple[Verdict, None]:
        await shop.make("second", colour="red", size="1")
        return shop.verdict, None

    tools = await shop.tools(try_fix=tried)
    incident = await run(tools, await open_incident(tools, shop.target, await given_fix(tools, changes)))
    assert (incident.phase, incident.reason, exit_status(incident)) == (Phase.FAILED, "Drifted", 4)
    assert "ConfigMap/second" in incident.message
    assert shop.person.shown == []
    assert shop.real_writes() == []


async def test_drift_of_the_second_object_while_asked_voids_the_yes(shop: World) -> None:
    changes = await two_changes(shop)

    async def meddle() -> None:
        await shop.make("second", colour="red", size="1")

    shop.person.before_answering = meddle
    tools = await shop.tools()
    incident = await run(tools, await open_incident(tools, shop.target, await given_fix(tools, changes)))
    assert (incident.reason, incident.applied_at) == ("Drifted", None)
    assert shop.real_writes() == []


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("place", ["try: done", "prepare-undo: stored"])
async def test_drift_of_what_the_workload_names_voids_the_trial(shop: World, kind: str, place: str) -> None:
    named = {"configMapRef" if kind == "ConfigMap" else "secretRef": {"name": "named"}}
    box = {"name": "web", "image": "nginx:1.27", "envFrom": [named]}
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [box]}}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    web = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace=shop.namespace)
    spec = {"selector": {"matchLabels": labels}, "template": template}
    await shop.driver.apply(web, {**body, "spec": spec}, manager="kubectl")
    ref = ObjectRef(api_version="v1", kind=kind, name="named", namespace=shop.namespace)

    async def write(value: str) -> None:
        held = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "named"}, "data": {"a": value}}
        await shop.driver.apply(ref, held, manager="kubectl", force=True)

    class Reader:
        """Somebody writes what is named as soon as the flow has passed the place."""

        passed = False

        def __getattr__(self, name: str) -> object:
            return getattr(shop.driver, name)

        async def find(self, wanted: ObjectRef) -> object:
            if self.passed:
                self.passed = False
                await write("c2Vjb25k")
            return await shop.driver.find(wanted)

    reader = Reader()

    def seen(passing: str) -> None:
        reader.passed = reader.passed or passing == place

    await write("Zmlyc3Q=")
    tools = await shop.tools(checkpoint=seen, reader=reader)
    change = Apply(target=web, patch={"spec": {"replicas": 2}})
    incident = await run(tools, await open_incident(tools, shop.target, await given_fix(tools, [change])))
    assert (incident.phase, incident.reason) == (Phase.FAILED, "Drifted")
    assert f"{kind}/named" in incident.message
    assert shop.real_writes() == []


async def test_a_change_that_does_not_help_stays_but_is_not_called_resolved(shop: World) -> None:
    shop.mended_when = lambda _: False
    incident = await ended(shop)
    assert (incident.phase, incident.reason, exit_status(incident)) == (Phase.FAILED, "NotResolved", 1)


async def test_a_worse_production_goes_back_exactly(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await shop.driver.get(shop.target)

    async def health(_reader: object, _refs: object) -> Health:
        blue = (await shop.data())["colour"] == "blue"
        return Health(wanted=3, ready=0 if blue else 1)

    monkeypatch.setattr("aegis.delivery.watch.health_of", health)
    monkeypatch.setattr("aegis.flows.deliver.health_of", health)
    incident = await ended(shop)
    assert (incident.phase, incident.reason, incident.rolled_back) == (Phase.FAILED, "RolledBack", True)
    assert exit_status(incident) == 1
    after = await shop.driver.get(shop.target)
    assert {k: v for k, v in after.items() if k != "metadata"} == {k: v for k, v in before.items() if k != "metadata"}
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert shop.real_writes() == ["apply ConfigMap/settings", "json-patch ConfigMap/settings"]


async def test_what_somebody_changed_after_us_is_not_rolled_back(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    async def health(_reader: object, _refs: object) -> Health:
        nonlocal looks
        looks += 1
        if looks == 3:
            await shop.make(colour="yellow", size="9")
        return Health(wanted=3, ready=0 if looks > 1 else 1)

    monkeypatch.setattr("aegis.delivery.watch.health_of", health)
    monkeypatch.setattr("aegis.flows.deliver.health_of", health)
    incident = await ended(shop)
    assert (incident.phase, incident.reason, incident.rolled_back) == (Phase.FAILED, "Drifted", False)
    assert (await shop.data())["colour"] == "yellow"


async def test_a_healthy_target_needs_nothing(shop: World) -> None:
    await shop.make(colour="blue", size="9")
    incident = await ended(shop)
    assert (incident.phase, incident.reason, exit_status(incident)) == (Phase.RESOLVED, "Healthy", 0)


async def test_a_fault_without_a_fix_needs_a_person(shop: World) -> None:
    async def unknown(target: ObjectRef) -> tuple[tuple[()], Diagnosis]:
        return (), Diagnosis(target=target, verdict=Confidence.CONFIRMED, cause="bug", root=target)

    incident = await ended(shop, investigate=unknown)
    assert (incident.phase, incident.reason, exit_status(incident)) == (Phase.FAILED, "NeedsHuman", 3)


async def test_another_given_fix_takes_the_place_of_a_waiting_one(shop: World) -> None:
    shop.person.yes = None
    waiting = await ended(shop)
    tools = await shop.tools()
    mine = await given_fix(tools, [Apply(target=shop.target, patch={"data": {"colour": "blue", "size": "10"}})])
    shop.person.yes = True
    incident = await run(tools, await open_incident(tools, shop.target, mine))
    assert incident.id != waiting.id
    assert (await tools.incidents.load(waiting.id)).phase is Phase.REJECTED
    assert await shop.data() == {"colour": "blue", "size": "10"}


async def test_a_rejection_ends_a_waiting_question(shop: World) -> None:
    shop.person.yes = None
    tools = await shop.tools()
    rejected = await reject(tools, await ended(shop), "not on a Friday")
    assert (rejected.phase, rejected.reason) == (Phase.REJECTED, "not on a Friday")
    with pytest.raises(Refused):
        await reject(tools, rejected, "again")


async def test_an_old_approval_does_not_serve_another_incident(shop: World) -> None:
    """Replaying a stored yes onto another question is void: its nonce and digest are others."""
    first = await ended(shop)
    await shop.make(colour="red", size="9")
    shop.person.yes = None
    waiting = await ended(shop)
    incident = await run(await shop.tools(), replace(waiting, approval=first.approval))
    assert (incident.phase, incident.reason) == (Phase.FAILED, "Drifted")
    assert (await shop.data())["colour"] == "red"


async def test_changes_of_one_namespace_are_in_flight_one_after_the_other(shop: World) -> None:
    """From the last look before the write until the watch is over; trials and questions may overlap."""
    held: list[str] = []

    @asynccontextmanager
    async def in_flight(namespace: str, _incident: str) -> AsyncIterator[None]:
        held.append(f"{namespace} taken, asked {len(shop.person.shown)}, written {len(shop.real_writes())}")
        yield
        held.append(f"{namespace} given back, written {len(shop.real_writes())}")

    await ended(shop, in_flight=in_flight)
    assert held == ["shop taken, asked 1, written 0", "shop given back, written 1"]


async def half_done(shop: World) -> Incident:
    """An incident whose process died after the undo was stored, before anything was written."""

    class Died(BaseException):
        pass

    def die(place: str) -> None:
        if place == "apply: before":
            raise Died

    tools = await shop.tools(checkpoint=die)
    with pytest.raises(Died):
        await run(tools, await open_incident(tools, shop.target))
    (left,) = await tools.incidents.list(target=shop.target, open_only=True)
    assert left.phase is Phase.APPLYING_FIX
    return left


async def test_a_dry_run_does_not_finish_what_was_begun(shop: World) -> None:
    left = await half_done(shop)
    with pytest.raises(Refused, match="is ApplyingFix: production was touched already"):
        await ended(shop, dry_run=True)
    assert shop.real_writes() == []
    assert (await ended(shop)).id == left.id


async def test_a_dry_run_does_not_use_an_earlier_yes(shop: World) -> None:
    tools = await shop.tools(dry_run=True)
    waiting = await run(tools, await open_incident(tools, shop.target))
    assert (waiting.phase, waiting.approval is not None) == (Phase.AWAITING_APPROVAL, True)
    assert shop.real_writes() == []


async def test_nothing_is_changed_in_a_namespace_where_a_change_is_half_done(shop: World) -> None:
    left = await half_done(shop)
    await shop.make("other", colour="red")
    shop.name = "other"
    with pytest.raises(Refused, match=f"{left.id} about ConfigMap/settings in shop is half done"):
        await ended(shop)
    assert shop.real_writes() == []
    await shop.driver.delete(config_map("settings", "shop"))
    assert (await ended(shop)).phase is Phase.RESOLVED, "what is gone blocks nobody"


async def test_another_fix_asked_for_meanwhile_is_not_tried_and_that_is_said(shop: World) -> None:
    left = await half_done(shop)
    other = await given_fix(await shop.tools(), [Apply(target=shop.target, patch={"data": {"colour": "green"}})])
    tools = await shop.tools()
    incident = await run(tools, await open_incident(tools, shop.target, other))
    assert (incident.id, incident.phase) == (left.id, Phase.RESOLVED)
    assert (await shop.data())["colour"] == "blue"
    assert [said for said in shop.told if "is not tried" in said] != []


async def test_the_same_fix_asked_for_again_is_taken_up_without_a_word(shop: World) -> None:
    left = await half_done(shop)
    tools = await shop.tools(fix_id=left.fix.id if left.fix else "")
    assert (await open_incident(tools, shop.target)).id == left.id
    assert [said for said in shop.told if "is not tried" in said] == []

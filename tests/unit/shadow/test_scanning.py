"""The scans of a trial: each thing once, two at a time, and none outlives it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from aegis.model.scan import Image, Manifests, ScanResult, ScanStatus, Subject, Tool
from aegis.security.desk import Desk
from aegis.security.runner import Runner
from aegis.shadow import scanning
from aegis.shadow.scanning import Scans


@dataclass
class Fake:
    name: str = "trivy"
    asked: list[str] = field(default_factory=list)
    now: int = 0
    most: int = 0
    ended: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    one: asyncio.Event = field(default_factory=asyncio.Event)
    two: asyncio.Event = field(default_factory=asyncio.Event)

    def accepts(self, subject: Subject) -> bool:
        return isinstance(subject, Image)

    async def probe(self, _desk: Desk) -> Tool:
        return Tool(name=self.name)

    async def scan(self, subject: Any, _desk: Desk) -> ScanResult:
        self.asked.append(subject.reference)
        self.now += 1
        self.most = max(self.most, self.now)
        self.one.set()
        if self.now > 1:
            self.two.set()
        try:
            await self.gate.wait()
        finally:
            self.now -= 1
            self.ended.append(subject.reference)
        return ScanResult(
            scanner=self.name, status=ScanStatus.CLEAN, tool=Tool(name=self.name), reason=subject.reference
        )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    monkeypatch.setattr(scanning, "scanners", lambda names: tuple(one for one in (made,) if one.name in set(names)))
    return made


def images(*names: str) -> list[Subject]:
    return [Image(reference=name) for name in names]


async def test_each_is_looked_at_once_and_two_at_a_time(fake: Fake) -> None:
    scans = Scans(runner=Runner(desk=Desk()))
    async with scans.running():
        scans.begin(["trivy", "unknown"], [*images("a", "b", "c"), Manifests(objects=())])
        scans.begin(["trivy"], images("b", "d"))
        await fake.two.wait()
        fake.gate.set()
        looks = await scans.of("trivy", [*images("d", "a", "e"), Manifests(objects=())])
        assert await scans.of("nobody", images("a")) == ()
    assert [look.result.reason for look in looks] == ["d", "a", "e"], "in the order in which they were asked for"
    assert sorted(fake.asked) == ["a", "b", "c", "d", "e"]
    assert fake.most == 2


async def test_what_nobody_waits_for_is_ended(fake: Fake) -> None:
    scans = Scans(runner=Runner(desk=Desk()))
    async with scans.running():
        scans.begin(["trivy"], images("a", "b", "c"))
        await fake.two.wait()
    assert (sorted(fake.ended), fake.now) == (["a", "b"], 0)


async def test_a_trial_that_is_cancelled_ends_its_scans(fake: Fake) -> None:
    scans = Scans(runner=Runner(desk=Desk()))

    async def trial() -> None:
        async with scans.running():
            await scans.of("trivy", images("a"))

    task = asyncio.ensure_future(trial())
    await fake.one.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (fake.ended, fake.now) == (["a"], 0)


@dataclass
class OfManifests(Fake):
    def accepts(self, subject: Subject) -> bool:
        return isinstance(subject, Manifests)

    async def scan(self, subject: Any, _desk: Desk) -> ScanResult:
        self.asked.append(str(len(subject.objects)))
        return ScanResult(scanner=self.name, status=ScanStatus.CLEAN, tool=Tool(name=self.name))


async def test_equal_objects_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = OfManifests()
    monkeypatch.setattr(scanning, "scanners", lambda names: tuple(one for one in (made,) if one.name in set(names)))
    one: Any = {"kind": "A", "metadata": {"name": "x"}}
    scans = Scans(runner=Runner(desk=Desk()))
    async with scans.running():
        await scans.of("trivy", [Manifests(objects=(one,))])
        await scans.of("trivy", [Manifests(objects=(dict(one),))])
        await scans.of("trivy", [Manifests(objects=(one, one))])
    assert made.asked == ["1", "2"]

"""ResourceQuota: a write that would exceed a namespace's quota is refused."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from aegis.kube.quantity import format_quantity, parse_quantity, quantity_format
from aegis.localcluster.api import Object
from aegis.localcluster.apiserver.admission.request import Request
from aegis.localcluster.apiserver.refusals import Forbidden
from aegis.localcluster.apiserver.store import Store
from aegis.localcluster.quota import Cost, cost, counted, required_by


class Quotas:
    """Counts what the namespace holds now, so that no two writes both take the last place."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def mutate(self, request: Request) -> None:
        """Quotas change nothing."""

    def judge(self, request: Request) -> None:
        """Check every quota of the namespace.

        Raises:
            Forbidden: one is exceeded, or demands requests or limits that a pod does not name.
        """
        if request.namespace is None or request.subresource:
            return
        for quota in self._store.objects("resourcequotas", request.namespace):
            self._check(quota, request)

    def _check(self, quota: Object, request: Request) -> None:
        resource, name = request.resource.full_name, quota["metadata"]["name"]
        if request.operation == "CREATE" and (missing := required_by(quota, resource, request.new)):
            why = f"failed quota: {name}: must specify {','.join(missing)}"
            raise Forbidden(request.resource, request.name, why)
        added = self._added(quota, request)
        if not added:
            return
        used = self._used(quota, set(added))
        hard = {n: parse_quantity(quota["spec"]["hard"][n]) for n in added}
        over = sorted(n for n in added if used[n] + added[n] > hard[n])
        if over:
            shown = [_shown(quota, over, amounts) for amounts in (added, used, hard)]
            why = f"exceeded quota: {name}, requested: {shown[0]}, used: {shown[1]}, limited: {shown[2]}"
            raise Forbidden(request.resource, request.name, why)

    def _added(self, quota: Object, request: Request) -> Cost:
        """What the write takes beyond what the object takes already."""
        resource = request.resource.full_name
        after = cost(quota, resource, request.new)
        before = cost(quota, resource, dict(request.old)) if request.old is not None else {}
        grown = {n: amount - before.get(n, Decimal(0)) for n, amount in after.items()}
        return {n: amount for n, amount in grown.items() if amount > 0}

    def _used(self, quota: Object, names: set[str]) -> Cost:
        sums: Cost = dict.fromkeys(names, Decimal(0))
        for resource, obj in self._objects(quota):
            for name, amount in cost(quota, resource, obj).items():
                if name in sums:
                    sums[name] += amount
        return sums

    def _objects(self, quota: Object) -> Iterator[tuple[str, Object]]:
        for resource in counted(quota):
            for obj in self._store.objects(resource, quota["metadata"]["namespace"]):
                yield resource, obj


def _shown(quota: Object, names: list[str], amounts: Cost) -> str:
    hard = quota["spec"]["hard"]
    return ",".join(f"{n}={format_quantity(amounts[n], quantity_format(hard[n]))}" for n in names)

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from aegis.diagnosis.graph import Node
from aegis.diagnosis.scheduling import Offer, asked, fitting_request
from aegis.model.refs import ObjectRef


def _offers(free: list[int]) -> tuple[Offer, ...]:
    node = Node(ref=ObjectRef(api_version="v1", kind="Node", name="n"))
    return tuple(Offer(node=node, allocatable=Decimal(value), free=Decimal(value)) for value in free)


@given(st.lists(st.integers(0, 64), min_size=1, max_size=6), st.integers(1, 12))
def test_so_many_pods_fit_and_no_larger_request_would_do(free: list[int], pods: int) -> None:
    size = fitting_request(_offers(free), pods)

    if size == 0:
        assert not any(free)
        return
    rooms = [Decimal(value) * Decimal("0.8") for value in free]
    assert sum(int(room / size) for room in rooms) >= pods
    assert sum(int(room / (size * Decimal("1.001"))) for room in rooms) < pods


def test_a_pod_asks_for_its_containers_together_or_its_largest_init_container() -> None:
    spec = {
        "initContainers": [{"name": "i", "resources": {"requests": {"cpu": "2"}}}],
        "containers": [
            {"name": "a", "resources": {"requests": {"cpu": "500m"}}},
            {"name": "b", "resources": {"limits": {"cpu": "1"}}},
        ],
    }
    assert asked(spec, "cpu") == 2
    assert asked({**spec, "initContainers": []}, "cpu") == Decimal("1.5")

"""What the settings become."""

from __future__ import annotations

import pytest

from aegis.ports import Cluster
from aegis.settings import load
from aegis.wiring import actuator_rules


@pytest.mark.parametrize(
    ("embedded", "environ", "expected"),
    [
        (False, {}, 3),
        (True, {}, None),
        (True, {"AEGIS_SAFETY__WRITES_PER_HOUR": "3"}, 3),
        (False, {"AEGIS_SAFETY__WRITES_PER_HOUR": "7"}, 7),
    ],
)
def test_the_embedded_cluster_has_no_rate_of_writes_unless_one_is_set(
    *, embedded: bool, environ: dict[str, str], expected: int | None
) -> None:
    cluster = Cluster(uid="u", server="https://127.0.0.1:1", context="c", version="v1", embedded=embedded)

    assert actuator_rules(load(environ=environ), cluster).writes_per_hour == expected

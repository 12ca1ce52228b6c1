"""Messages between processes."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from aegis.localcluster.kubelet import wire

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)


@given(st.dictionaries(st.text(), values))
def test_messages_arrive_whole(message: dict[str, object]) -> None:
    here, there = wire.pair()
    with here, there:
        wire.send(here, message)
        assert wire.receive(there) == (message, [])


def test_large_messages_and_descriptors_arrive() -> None:
    here, there = wire.pair()
    read_end, write_end = os.pipe()
    with here, there:
        wire.send(here, {"big": "x" * 500_000}, [write_end])
        received = wire.receive(there)
        assert received is not None
        message, (passed,) = received
        assert len(message["big"]) == 500_000
        assert not os.get_inheritable(passed)
        os.write(passed, b"hello")
        assert os.read(read_end, 9) == b"hello"
    for fd in (read_end, write_end, passed):
        os.close(fd)


def test_the_end_is_told() -> None:
    here, there = wire.pair()
    here.close()
    with there:
        assert wire.receive(there) is None

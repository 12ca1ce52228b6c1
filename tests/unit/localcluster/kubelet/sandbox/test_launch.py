"""Values that cross to the sandbox."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from aegis.localcluster.kubelet.sandbox.launch import Identity, Launch, Root, RootFile, VolumeMount

texts = st.text(max_size=5)
roots = st.builds(
    Root,
    prefix=st.none() | texts,
    files=st.dictionaries(texts, st.builds(RootFile, text=texts, mode=st.integers(0, 0o777)), max_size=2),
    mounts=st.lists(st.builds(VolumeMount, volume=texts, path=texts, sub_path=texts), max_size=2).map(tuple),
)
launches = st.builds(
    Launch,
    key=texts,
    argv=st.lists(texts, max_size=2).map(tuple),
    env=st.dictionaries(texts, texts, max_size=2),
    identity=st.builds(
        Identity,
        uid=st.integers(0, 9),
        groups=st.lists(st.integers(), max_size=2).map(tuple),
        capabilities=st.just(("KILL",)),
    ),
    root=st.none() | roots,
    inside=st.none() | texts,
)


@given(launches)
def test_a_launch_crosses_the_wire_whole(launch: Launch) -> None:
    back = Launch.from_message(json.loads(json.dumps(launch.to_message())))
    assert back == launch
